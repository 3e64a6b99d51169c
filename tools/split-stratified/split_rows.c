#include "split_rows.h"

#include "item.h"

#include <stdlib.h>
#include <string.h>

enum {
    DIFFERENT_MAX = 1000, /* labels; a column with more of them is something else */
    SPLIT_MAX = 6,        /* bytes of the longest value of split */
    PIECE = 1 << 20,      /* bytes of records, which are kept at a time */
    ROW_MEMORY = 64,      /* bytes that stay in memory of each row, about */
};

/* Index of a label, which is added when the set is not FIXED. */
static int class_of_label(struct rows *r, const char *label, size_t n, const char *fixed)
{
    if (n == 4 && !memcmp(label, "none", n))
        return err_set(EXIT_DATA,
                       "a label is called 'none', which predict says where no label fits; "
                       "call it otherwise, or say --label none if there are no labels");
    const int c = labels_find(&r->labels, label, n);

    if (c >= 0)
        return c;
    if (fixed)
        return label_refuse(&r->labels, label, n, fixed);
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

/* Records as add_record puts them: their texts are looked up and they go to the spool. */
static int keep(void *rows, const void *bytes, size_t n)
{
    struct rows *r = rows;
    const char *p = bytes, *const end = p + n;
    struct kept kept;

    for (; p < end; p += kept.bytes) {
        memcpy(&kept, p, sizeof kept);
        p += sizeof kept;
        texts_add(r->texts, p + kept.text, kept.text_bytes);
    }
    return spool_add(&r->records, bytes, n);
}

/* What is in the piece is kept: by a thread of its own, from the second piece on. */
static int pass_piece(struct rows *r)
{
    if (r->helps && !r->behind) {
        r->behind = behind_new(keep, r);
        r->helps = r->behind != NULL;
    }
    if (r->behind)
        return behind_give(r->behind, &r->piece);
    if (keep(r, r->piece.p, r->piece.n) < 0)
        return -1;
    buf_clear(&r->piece);
    return 0;
}

static int add_record(struct rows *r, struct record *rec)
{
    const size_t at = r->piece.n;
    struct kept kept;

    buf_reserve(&r->piece, sizeof kept);
    r->piece.n += sizeof kept;
    kept.open = (uint32_t)record_append_open(rec, "split", &r->piece);
    const struct field *text = record_find(rec, "text");
    const size_t n = r->piece.n - at - sizeof kept;

    if (record_fits(rec, n + SPLIT_MAX) < 0)
        return -1;
    kept.bytes = (uint32_t)n;
    kept.text_bytes = (uint32_t)text->n;
    kept.text = (uint32_t)record_end_of(rec, text) - kept.text_bytes;
    memcpy(r->piece.p + at, &kept, sizeof kept);
    r->bytes[r->n] = kept.bytes;
    return r->piece.n >= PIECE ? pass_piece(r) : 0;
}

/* An endless input ends here, and not with the machine's memory. */
static int make_room(struct rows *r)
{
    const int64_t twice = r->cap ? 2 * r->cap : 1024, most = r->most / ROW_MEMORY;

    r->cap = twice < most ? twice : most;
    if (r->n >= r->cap)
        return err_set(EXIT_MEMORY,
                       "more than %lld rows want more than %lld MiB of memory; look whether the "
                       "input ends, and raise --max-memory",
                       (long long)r->n, (long long)(r->most >> 20));
    return 0;
}

static int add(struct rows *r, struct record *rec, int class)
{
    if (r->n == r->cap) {
        if (make_room(r) < 0)
            return -1;
        r->bytes = xnrealloc(r->bytes, (size_t)r->cap, sizeof *r->bytes);
        r->class_of = xnrealloc(r->class_of, (size_t)r->cap, sizeof *r->class_of);
    }
    if (add_record(r, rec) < 0)
        return -1;
    r->class_of[r->n++] = class;
    return 0;
}

/* All that was read is kept. */
static int finish(struct rows *r)
{
    const int rc = pass_piece(r) < 0 || (r->behind && behind_wait(r->behind) < 0) ? -1 : 0;

    behind_free(r->behind);
    r->behind = NULL;
    buf_free(&r->piece);
    r->first = texts_first(r->texts);
    return rc;
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

/* Puts the labels that were found into their final order: that of SET where they are its labels.
 * Without SET nobody knows whether they are, and the order is a part of the result. */
static int order_labels(struct rows *r, const char *set)
{
    struct labels known, was;

    if (labels_of_set(&known, set) <= 0)
        return err_in("no order of labels without --labels");
    int *now = xnmalloc((size_t)r->labels.n, sizeof *now);

    labels_copy(&was, &r->labels);
    if (is_same_set(&known, &was)) {
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
    return 0;
}

void rows_init(struct rows *r, int64_t most, int64_t threads)
{
    *r = (struct rows){ .most = most };
    r->helps = behind_helps(threads);
    r->texts = texts_new();
}

static int class_of(struct rows *r, struct record *rec, const struct label_rule *rule)
{
    const char *label;
    size_t n;

    if (rule->none)
        return 0;
    return record_get_text(rec, "label", &label, &n) > 0
               ? class_of_label(r, label, n, rule->known ? rule->refusal : NULL)
               : -1;
}

int rows_read(struct rows *r, struct examples *e, const struct label_rule *rule,
              struct progress *progress)
{
    struct record *rec;
    int got;

    if (rule->known)
        labels_copy(&r->labels, rule->known);
    if (rule->none)
        labels_add(&r->labels, "(none)", 6);
    while ((got = examples_next(e, &rec)) > 0) {
        const int class = class_of(r, rec, rule);

        if (r->n == 0)
            r->had_split = record_find(rec, "split") != NULL;
        if (class < 0)
            return err_in("%s", examples_place(e));
        if (add(r, rec, class) < 0)
            return -1;
        progress_to(progress, r->n);
    }
    if (got == 0 && r->n == 0)
        return err_set(EXIT_DATA,
                       "%s: has no rows to divide; give rows with a text and a label, and choose "
                       "some where --only or --limit choose",
                       examples_name(e));
    if (got == 0 && !rule->known && !rule->none)
        got = order_labels(r, rule->set);
    return finish(r) < 0 ? -1 : got;
}

void rows_forget_records(struct rows *r)
{
    spool_free(&r->records);
    free(r->bytes);
    r->bytes = NULL;
}

void rows_free(struct rows *r)
{
    rows_forget_records(r);
    free(r->class_of);
    free(r->first);
    labels_free(&r->labels);
}
