/*
 * window.c - records between reader and writer: a bounded number is read, sorted so that prompts
 * that begin alike meet in a batch, run, and written in the order of the input.
 */
#include "predict.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 256, /* records */
    BATCH = 64,   /* records of a batch: bounds the logits that are on the host */
};
static const size_t window_bytes = 16 << 20;

struct window {
    struct pending item[WINDOW];
    struct prompt prompt[WINDOW];
    int n;
    size_t bytes;
};

/* Copies REC and its ids into ITEM and adds their bytes to SIZE. */
static int take(struct pending *item, struct record *rec, size_t *size)
{
    const uint32_t *ids;
    uint64_t n_prompt;
    size_t n = 0;
    const int got = record_get_ids(rec, "ids", &ids, &n);

    if (got <= 0)
        return got < 0 ? -1 : err_set(EXIT_DATA, "no field 'ids'; use tokenize");
    const int has = record_get_uint(rec, "n_prompt", &n_prompt);

    if (has < 0)
        return -1;
    if (has && n_prompt > n)
        return err_set(EXIT_DATA, "n_prompt %llu is more than its %zu ids",
                       (unsigned long long)n_prompt, n);
    item->n = (int64_t)n;
    item->n_prompt = has ? (int64_t)n_prompt : (int64_t)n;
    if (item->n > item->cap) {
        item->cap = item->n;
        item->ids = xnrealloc(item->ids, n, sizeof *item->ids);
    }
    if (n)
        memcpy(item->ids, ids, n * sizeof *ids);
    *size += n * sizeof *ids;
    *size += record_copy(item->rec, rec);
    return 0;
}

static int check(const struct predictor *p, const struct mode *mode, const struct pending *item)
{
    const int64_t need = mode->whole ? item->n : item->n_prompt + p->more;

    if (model_check_ids(p->model, item->ids, item->n, need > item->n ? need - item->n : 0) < 0)
        return -1;
    if (!mode->whole && item->n_prompt < 1)
        return err_set(EXIT_DATA, "its prompt has no tokens; leave out records with an empty text");
    if (mode->whole && item->n < 2)
        return err_set(EXIT_DATA, "one token alone has no loss; leave the record out");
    return 0;
}

/* Reads until the window is full or the stream ends. Gives 1 while there may be more. */
static int fill(struct window *win, const struct predictor *p, const struct mode *mode,
                struct reader *r)
{
    const int most = p->opt->stream ? 1 : mode == &mode_logits ? BATCH : WINDOW;
    struct record *rec;
    int got = 1;

    win->bytes = 0;
    for (win->n = 0; win->n < most && win->bytes < window_bytes; win->n++) {
        struct pending *item = &win->item[win->n];

        got = reader_next(r, &rec);
        if (got <= 0)
            break;
        if (take(item, rec, &win->bytes) < 0 || check(p, mode, item) < 0)
            return err_in("%s:%s", reader_name(r), record_name(rec));
        win->prompt[win->n] = (struct prompt){ .ids = item->ids,
                                               .n = mode->whole ? item->n : item->n_prompt,
                                               .owner = item };
    }
    return got;
}

/* By ids, then as they came in. */
static int by_ids(const void *a, const void *b)
{
    const struct prompt *x = a, *y = b;

    for (int64_t i = 0; i < x->n && i < y->n; i++)
        if (x->ids[i] != y->ids[i])
            return x->ids[i] < y->ids[i] ? -1 : 1;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    const struct pending *first = x->owner, *second = y->owner;

    return (first > second) - (first < second);
}

/* A number that is none spoils its whole batch; one by one the records tell whose it is. */
static int run_batch(struct predictor *p, const struct mode *mode, struct prompt *prompt, int n,
                     int64_t shared, const struct reader *r)
{
    int i = 0;

    if (mode->run(p, prompt, n, shared) == 0)
        return 0;
    while (err_code() == EXIT_NUMERIC && i < n && mode->run(p, &prompt[i], 1, 0) == 0)
        i++;
    const struct pending *bad = prompt[i < n ? i : 0].owner;

    return err_in("%s:%s", reader_name(r), record_name(bad->rec));
}

/* DONE: records of earlier windows. */
static int run(struct window *win, struct predictor *p, const struct mode *mode,
               const struct reader *r, int64_t done)
{
    int64_t shared = 0;
    int n;

    qsort(win->prompt, (size_t)win->n, sizeof *win->prompt, by_ids);
    for (int i = 0; i < win->n; i += n) {
        const int left = win->n - i < BATCH ? win->n - i : BATCH;

        n = prompts_fit(&win->prompt[i], left, p->opt->batch_tokens, p->more,
                        mode->whole ? NULL : &shared);
        if (run_batch(p, mode, &win->prompt[i], n, shared, r) < 0)
            return -1;
        progress_to(p->progress, done + i + n);
    }
    return 0;
}

static int write_all(const struct window *win, struct writer *w)
{
    for (int i = 0; i < win->n; i++)
        if (writer_put(w, win->item[i].rec) < 0)
            return -1;
    return 0;
}

static struct window *window_new(void)
{
    struct window *win = xcalloc(1, sizeof *win);

    for (int i = 0; i < WINDOW; i++)
        win->item[i].rec = record_new();
    return win;
}

static void window_free(struct window *win)
{
    for (int i = 0; i < WINDOW; i++) {
        record_free(win->item[i].rec);
        free(win->item[i].ids);
    }
    free(win);
}

int window_run(struct predictor *p, const struct mode *mode, struct reader *r, struct writer *w)
{
    struct window *win = window_new();
    int64_t done = 0;
    int more;

    do {
        more = fill(win, p, mode, r);
        if (more >= 0 && (run(win, p, mode, r, done) < 0 || write_all(win, w) < 0))
            more = -1;
        done += win->n;
    } while (more > 0);
    window_free(win);
    return more;
}
