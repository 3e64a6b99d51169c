/*
 * generate.c - greedy continuations: the prompts of a batch in one pass, then a token of each at a
 * time on the cache of keys and values. Who has ended leaves the batch.
 */
#include "predict.h"
#include "utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct text { /* one continuation */
    const struct prompt *prompt;
    uint32_t *ids;
    int64_t n;
    bool done;
    struct buf decoded; /* kept up to date while --stop or --stream look at it */
    size_t shown;       /* bytes of it that --stream has printed */
};

static bool needs_text(const struct predict_options *o)
{
    return o->stop || o->stream;
}

static int begin(struct predictor *p)
{
    if (!p->tok && (needs_text(p->opt) || p->opt->skip_special))
        return err_set(EXIT_NOINPUT,
                       "%s: the model has no tokenizer, which --stop, --stream, "
                       "--skip-special-tokens and --preset need; copy tokenizer.json beside its "
                       "config.json",
                       pack_name(model_pack(p->model)));
    p->more = p->opt->max_new_tokens;
    return 0;
}

static bool is_stop_id(const struct config *c, uint32_t id)
{
    for (int i = 0; i < c->stops; i++)
        if (c->stop[i] == id)
            return true;
    return false;
}

static void decode(const struct predictor *p, struct text *t)
{
    buf_clear(&t->decoded);
    tokenizer_decode(p->tok, t->ids, (size_t)t->n, p->opt->skip_special, &t->decoded);
    buf_puts(&t->decoded, "");
}

/* A terminal gets nothing that it might obey, anyone else the very text. */
static void put_shown(const char *p, size_t n)
{
    struct buf shown = BUF_INIT;

    if (isatty(STDERR_FILENO))
        utf8_show(&shown, p, n);
    else
        buf_add(&shown, p, n);
    (void)fwrite(shown.p, 1, shown.n, stderr);
    buf_free(&shown);
}

/* Prints what is new, but no character that its bytes have not all come for (U+FFFD so far). */
static void show(struct text *t)
{
    size_t n = t->decoded.n;

    while (!t->done && n >= t->shown + 3 && !memcmp(t->decoded.p + n - 3, "\xEF\xBF\xBD", 3))
        n -= 3;
    if (n > t->shown) {
        put_shown(t->decoded.p + t->shown, n - t->shown);
        t->shown = n;
    }
    if (t->done)
        (void)fputc('\n', stderr);
    (void)fflush(stderr);
}

/* Appends ID, the most likely token, and looks whether that was the last. */
static void extend(const struct predictor *p, struct text *t, uint32_t id)
{
    const struct config *c = model_config(p->model);

    t->ids[t->n++] = id;
    t->done = t->n == p->opt->max_new_tokens || is_stop_id(c, id);
    if (!needs_text(p->opt))
        return;
    decode(p, t);
    if (p->opt->stop) {
        const char *end = memmem(t->decoded.p, t->decoded.n, p->opt->stop, strlen(p->opt->stop));

        if (end) {
            t->decoded.n = (size_t)(end - t->decoded.p);
            t->done = true;
        }
    }
    if (p->opt->stream)
        show(t);
}

/* The last pass says, for each text that goes on, its next token. */
static void extend_all(const struct predictor *p, struct text *texts, int n)
{
    const int32_t *best = p->said.best;

    for (int i = 0; i < n; i++)
        if (!texts[i].done)
            extend(p, &texts[i], (uint32_t)*best++);
}

/* A pass with the newest token of all that go on. Gives how many do, or -1. */
static int step(struct predictor *p, const struct text *texts, int n)
{
    int32_t *row = xnmalloc((size_t)n, sizeof *row);
    int active = 0, rc = 0;

    batch_clear(&p->batch);
    for (int i = 0; i < n; i++)
        if (!texts[i].done) {
            const int64_t last = texts[i].n - 1;

            prompts_extend(&p->batch, texts[i].prompt, last, &texts[i].ids[last], 1);
            row[active] = active;
            active++;
        }
    if (active > 0)
        rc = predict_select(p, row, active, NULL, 0);
    free(row);
    return rc < 0 ? -1 : active;
}

/* The article's reading of an answer: the first of these words that it contains. */
static const char *seed_label(const char *answer)
{
    static const char *const words[] = { "positive", "negative", "neutral" };
    static const char marker[] = "The correct option is";
    const char *found = "none";
    const char *last = answer;

    for (const char *at = answer; (at = strstr(at, marker)); last = at)
        at += sizeof marker - 1;
    char *lower = xstrdup(last);

    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (size_t i = sizeof words / sizeof *words; i-- > 0;)
        if (strstr(lower, words[i]))
            found = words[i];
    free(lower);
    return found;
}

/* Instructions often come with an output, which is what the model should have said. */
static void warn_of_own(struct predictor *p, struct record *rec)
{
    if (p->warned || !record_find(rec, "output"))
        return;
    p->warned = true;
    warn("record %s: has an output of its own, which is not kept; give that field another name if "
         "it should be",
         record_name(rec));
}

static void set_fields(struct predictor *p, const struct pending *item, struct text *t)
{
    record_set_ids(item->rec, "output_ids", t->ids, (size_t)t->n,
                   model_config(p->model)->vocab > 1 << 16);
    if (!p->tok)
        return;
    if (!needs_text(p->opt))
        decode(p, t);
    warn_of_own(p, item->rec);
    record_set_text(item->rec, "output", t->decoded.p, t->decoded.n);
    if (p->opt->preset) {
        const char *label = seed_label(t->decoded.p);

        record_set_text(item->rec, "pred", label, strlen(label));
    }
}

static int run(struct predictor *p, struct prompt *prompts, int n, int64_t shared)
{
    struct text *texts = xcalloc((size_t)n, sizeof *texts);
    int active = n;

    for (int i = 0; i < n; i++) {
        texts[i].prompt = &prompts[i];
        texts[i].ids = xnmalloc((size_t)p->opt->max_new_tokens, sizeof *texts[i].ids);
    }
    int32_t *row = xnmalloc((size_t)n, sizeof *row);
    int rc = predict_begin(p, prompts, n, shared, row);

    if (rc == 0)
        rc = predict_select(p, row, n, NULL, 0);
    free(row);
    while (rc == 0 && active > 0) {
        extend_all(p, texts, n);
        active = step(p, texts, n);
        rc = active < 0 ? -1 : 0;
    }
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            set_fields(p, prompts[i].owner, &texts[i]);
        free(texts[i].ids);
        buf_free(&texts[i].decoded);
    }
    free(texts);
    return rc;
}

const struct mode mode_generate = { .name = "generate", .begin = begin, .run = run };
