#include "rows.h"

#include "item.h"

#include <stdlib.h>
#include <string.h>

enum {
    DIFFERENT_MAX = 1000, /* labels; a column with more of them is something else */
    BATCH_MIN = 8 << 20,  /* bytes; there are two, one that is made and one that is written */
    BATCHES = 16,         /* or a few more: each reads all of the spool */
    SPLIT_MAX = 6,        /* bytes of the longest value of split */
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

/* What the spool has of a row: where in its record the value of split goes, and the record. */
static int keep_record(struct rows *r, struct record *rec)
{
    size_t n, open;
    const uint8_t *bytes = record_encode_open(rec, "split", &n, &open);
    const uint32_t head = (uint32_t)open;
    uint8_t *to;

    if (record_fits(rec, n + SPLIT_MAX) < 0 || spool_add(&r->records, sizeof head + n, &to) < 0)
        return -1;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, bytes, n);
    r->bytes[r->n] = (uint32_t)n;
    return 0;
}

static int keep(struct rows *r, struct record *rec, int class)
{
    const struct field *text = record_find(rec, "text");

    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 1024;
        r->bytes = xnrealloc(r->bytes, (size_t)r->cap, sizeof *r->bytes);
        r->class_of = xnrealloc(r->class_of, (size_t)r->cap, sizeof *r->class_of);
    }
    if (texts_add(r->texts, text->data, text->n) < 0 || keep_record(r, rec) < 0)
        return -1;
    r->class_of[r->n++] = class;
    return 0;
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

void rows_init(struct rows *r, int64_t threads)
{
    *r = (struct rows){ 0 };
    spool_init(&r->records, threads);
    r->texts = texts_new(threads);
}

int rows_read(struct rows *r, struct examples *e, const struct labels *labels, const char *set,
              struct progress *progress)
{
    struct record *rec;
    const char *label;
    size_t n;
    int got;

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
    r->first = texts_first(r->texts);
    return got;
}

static void put_record(uint8_t *to, const uint8_t *kept, size_t bytes, const struct buf *split)
{
    uint32_t open;

    memcpy(&open, kept, sizeof open);
    kept += sizeof open;
    memcpy(to, kept, open);
    memcpy(to + open, split->p, split->n);
    memcpy(to + open + split->n, kept + open, bytes - open);
}

/* Puts every row that is wished for where it is wanted, in the order in which the spool has them.
 */
static int put_wishes(struct rows *r, const struct buf *split, uint8_t *to)
{
    size_t at = 0;

    for (int64_t row = 0; row < r->n; row++) {
        const size_t bytes = sizeof(uint32_t) + r->bytes[row];
        const uint8_t *kept;

        if (r->wish[row] >= 0 && spool_read(&r->records, at, bytes, &kept) < 0)
            return -1;
        for (int32_t i = r->wish[row]; i >= 0; i = r->next[i])
            put_record(to + r->to[i], kept, r->bytes[row], split);
        r->wish[row] = -1;
        at += bytes;
    }
    return 0;
}

/* Room for N wishes that come at once. */
static void make_wishes(struct rows *r, int64_t n)
{
    if (!r->wish) {
        r->wish = xnmalloc((size_t)r->n, sizeof *r->wish);
        for (int64_t row = 0; row < r->n; row++)
            r->wish[row] = -1;
    }
    r->next = xnrealloc(r->next, (size_t)n, sizeof *r->next);
    r->to = xnrealloc(r->to, (size_t)n, sizeof *r->to);
}

int64_t rows_fetch(struct rows *r, const int64_t *row, int64_t n, const char *split, struct buf *to)
{
    const size_t share = spool_size(&r->records) / BATCHES;
    const size_t room = share > BATCH_MIN ? share : BATCH_MIN;
    struct buf value = BUF_INIT;
    int32_t got = 1;

    item_put_text(&value, split, strlen(split));
    size_t bytes = r->bytes[row[0]] + value.n;

    for (; got < n && got < INT32_MAX && bytes + r->bytes[row[got]] + value.n <= room; got++)
        bytes += r->bytes[row[got]] + value.n;
    make_wishes(r, got);
    buf_clear(to);
    buf_reserve(to, bytes > room ? bytes : room); /* once: what grows is copied */
    for (int32_t i = 0; i < got; i++) {
        r->next[i] = r->wish[row[i]];
        r->wish[row[i]] = i;
        r->to[i] = to->n;
        to->n += r->bytes[row[i]] + value.n;
    }
    const int rc = put_wishes(r, &value, (uint8_t *)to->p);

    buf_free(&value);
    return rc < 0 ? -1 : got;
}

void rows_forget_records(struct rows *r)
{
    spool_free(&r->records);
    free(r->wish);
    free(r->next);
    free(r->to);
    free(r->bytes);
    r->wish = r->next = NULL;
    r->to = NULL;
    r->bytes = NULL;
}

void rows_free(struct rows *r)
{
    rows_forget_records(r);
    free(r->class_of);
    free(r->first);
    labels_free(&r->labels);
}
