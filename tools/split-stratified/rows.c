#include "rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIFFERENT_MAX = 1000, /* labels; a column with more of them is something else */
    BATCH_MIN = 16 << 20, /* bytes */
    BATCHES = 16,         /* or a few more: each reads all of the spool */
};

/* Index of a label, which is added when the set is not FIXED. */
static int class_of_label(struct rows *r, const char *label, size_t n, bool fixed)
{
    const int c = labels_find(&r->labels, label, n);

    if (c >= 0)
        return c;
    if (fixed)
        return label_refuse(&r->labels, label, n, "correct it or name it in --labels");
    if (n == 0 || memchr(label, 0, n))
        return err_set(EXIT_DATA, "label is empty or has a zero byte");
    if (r->labels.n == DIFFERENT_MAX)
        return err_set(EXIT_DATA,
                       "there are more than %d different labels; is it the right column? "
                       "name it with --label",
                       DIFFERENT_MAX);
    labels_add(&r->labels, label, n);
    return r->labels.n - 1;
}

static int keep(struct rows *r, struct record *rec, int class)
{
    const struct field *text = record_find(rec, "text");
    size_t n;
    const uint8_t *bytes = record_encode(rec, &n);

    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 1024;
        r->at = xnrealloc(r->at, (size_t)r->cap, sizeof *r->at);
        r->class_of = xnrealloc(r->class_of, (size_t)r->cap, sizeof *r->class_of);
        r->key = xnrealloc(r->key, (size_t)r->cap, sizeof *r->key);
    }
    r->at[r->n] = spool_size(&r->records);
    r->class_of[r->n] = class;
    r->key[r->n++] = text_key_of(text->data, text->n);
    return spool_add(&r->records, bytes, n);
}

static bool is_same_set(const struct labels *a, const struct labels *b)
{
    bool same = a->n == b->n;

    for (int i = 0; same && i < a->n; i++)
        same = labels_find(b, a->name[i], strlen(a->name[i])) >= 0;
    return same;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Puts the labels that were found into their final order. */
static void order_labels(struct rows *r, const char *set)
{
    struct labels known, was;
    int *now = xnmalloc((size_t)r->labels.n, sizeof *now);

    labels_copy(&was, &r->labels);
    if (labels_load(&known, set) == 0 && is_same_set(&known, &was)) {
        labels_free(&r->labels);
        r->labels = known;
    } else {
        labels_free(&known);
        qsort(r->labels.name, (size_t)r->labels.n, sizeof *r->labels.name, by_bytes);
    }
    for (int c = 0; c < was.n; c++)
        now[c] = labels_find(&r->labels, was.name[c], strlen(was.name[c]));
    for (int64_t i = 0; i < r->n; i++)
        r->class_of[i] = now[r->class_of[i]];
    labels_free(&was);
    free(now);
}

int rows_read(struct rows *r, struct examples *e, const struct labels *labels, const char *set,
              struct progress *progress)
{
    struct record *rec;
    const char *label;
    size_t n;
    int got;

    *r = (struct rows){ 0 };
    if (labels)
        labels_copy(&r->labels, labels);
    while ((got = examples_next(e, &rec)) > 0) {
        const int has = record_get_text(rec, "label", &label, &n);
        const int class = has > 0 ? class_of_label(r, label, n, labels != NULL) : -1;

        if (class < 0)
            return err_in("%s", examples_place(e));
        if (keep(r, rec, class) < 0)
            return -1;
        progress_to(progress, r->n);
    }
    if (got == 0 && r->n == 0)
        return err_set(EXIT_DATA,
                       "%s: has no rows to divide; give rows with a text and a label, and choose "
                       "some where --only or --limit choose",
                       examples_name(e));
    if (got == 0 && !labels)
        order_labels(r, set);
    return got;
}

static size_t bytes_of(const struct rows *r, int64_t row)
{
    return (row + 1 < r->n ? r->at[row + 1] : spool_size(&r->records)) - r->at[row];
}

struct wish {
    int64_t row, turn;
};

static int by_row(const void *va, const void *vb)
{
    const struct wish *a = va, *b = vb;

    return a->row < b->row ? -1 : a->row > b->row;
}

/* Reads N rows in ascending order. */
static int read_batch(struct rows *r, const struct wish *wish, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const size_t bytes = bytes_of(r, wish[i].row);
        const void *p;

        if (spool_read(&r->records, r->at[wish[i].row], bytes, &p) < 0)
            return -1;
        r->batch_at[wish[i].turn] = r->batch.n;
        buf_add(&r->batch, p, bytes);
    }
    return 0;
}

int64_t rows_fetch(struct rows *r, const int64_t *row, int64_t n)
{
    const size_t share = spool_size(&r->records) / BATCHES;
    const size_t room = share > BATCH_MIN ? share : BATCH_MIN;
    size_t bytes = bytes_of(r, row[0]);
    int64_t got = 1;

    while (got < n && bytes + bytes_of(r, row[got]) <= room)
        bytes += bytes_of(r, row[got++]);
    struct wish *wish = xnmalloc((size_t)got, sizeof *wish);

    for (int64_t i = 0; i < got; i++)
        wish[i] = (struct wish){ row[i], i };
    qsort(wish, (size_t)got, sizeof *wish, by_row);
    r->batch_at = xnrealloc(r->batch_at, (size_t)got, sizeof *r->batch_at);
    buf_clear(&r->batch);
    buf_reserve(&r->batch, bytes > room ? bytes : room); /* once: what grows is copied */
    const int rc = read_batch(r, wish, got);

    free(wish);
    return rc < 0 ? -1 : got;
}

void rows_get(const struct rows *r, int64_t i, struct record *rec)
{
    const size_t at = r->batch_at[i];
    size_t len;
    const int got = record_parse(rec, (const uint8_t *)r->batch.p + at, r->batch.n - at, &len, i);

    assert(got == 1); /* these bytes were made by record_encode */
    (void)got;
}

void rows_forget_keys(struct rows *r)
{
    free(r->key);
    r->key = NULL;
}

void rows_forget_records(struct rows *r)
{
    spool_free(&r->records);
    buf_free(&r->batch);
    free(r->batch_at);
    free(r->at);
    r->batch_at = r->at = NULL;
}

void rows_free(struct rows *r)
{
    rows_forget_records(r);
    free(r->class_of);
    free(r->key);
    labels_free(&r->labels);
}
