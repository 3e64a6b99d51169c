#include "split_rows.h"

#include "item.h"
#include "tempfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DIFFERENT_MAX = 1000, /* labels; a column with more of them is something else */
    PIECE = 1 << 20,      /* bytes that go to the file at a time, at least */
    ROW_MEMORY = 64,      /* bytes that a row takes besides its record, about */
};

/* Stands where the value of split will be: the longest one, so that each record fits with its own.
 */
static const char any_split[] = "train";

/* Index of a label, which is added when the set is not FIXED. */
static int class_of_label(struct rows *r, const char *label, size_t n, const char *fixed)
{
    if (text_is(label, n, "none"))
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

/* The records in memory go to the file. */
static int spill(struct rows *r)
{
    if ((r->in_file == 0 && tempfile_open(&r->fd) < 0) ||
        tempfile_write(r->fd, r->records.p, r->records.n, r->in_file) < 0)
        return -1;
    r->in_file += r->records.n;
    buf_free(&r->records); /* the rows themselves will want its memory */
    return 0;
}

static int add_record(struct rows *r, struct record *rec)
{
    const size_t at = r->in_file + r->records.n;
    size_t bytes;

    record_set_text(rec, "split", any_split, strlen(any_split));
    if (record_fits(rec, &bytes) < 0)
        return -1;
    record_append(rec, &r->records);
    const struct field *text = record_find(rec, "text"), *split = record_find(rec, "split");

    texts_add(r->texts, text->data, text->n);
    r->row[r->n] = (struct row){
        at,
        (uint32_t)bytes,
        (uint32_t)(record_end_of(rec, split) - split->raw_len),
        (uint32_t)(record_end_of(rec, text) - text->n),
        (uint32_t)text->n,
    };
    return r->records.n >= PIECE && r->records.n + (size_t)r->n * ROW_MEMORY > (size_t)r->most
               ? spill(r)
               : 0;
}

/* An endless input ends here, and not with the machine's memory. */
static int make_room(struct rows *r)
{
    const int64_t twice = r->cap ? 2 * r->cap : 1024, most = r->most / ROW_MEMORY;

    r->cap = twice < most ? twice : most;
    if (r->n >= r->cap)
        return err_set(EXIT_MEMORY,
                       "--max-memory has room for %lld rows, at %d bytes each, and there are more; "
                       "look whether the input ends, and raise it",
                       (long long)r->n, ROW_MEMORY);
    r->row = xnrealloc(r->row, (size_t)r->cap, sizeof *r->row);
    r->class_of = xnrealloc(r->class_of, (size_t)r->cap, sizeof *r->class_of);
    return 0;
}

static int add(struct rows *r, struct record *rec, int class)
{
    if ((r->n == r->cap && make_room(r) < 0) || add_record(r, rec) < 0)
        return -1;
    r->class_of[r->n++] = class;
    return 0;
}

/* The N bytes at AT among all records; NULL when they cannot be read again. */
static const char *bytes_at(struct rows *r, size_t at, size_t n, struct buf *room)
{
    if (at >= r->in_file)
        return r->records.p + (at - r->in_file);
    buf_clear(room);
    buf_reserve(room, n);
    return tempfile_read(r->fd, room->p, n, at) < 0 ? NULL : room->p;
}

/* 1 when rows A and B have the same text, else 0. */
static int same_text(void *rows, int64_t a, int64_t b)
{
    struct rows *r = rows;
    const struct row *x = &r->row[a], *y = &r->row[b];

    if (x->text_bytes != y->text_bytes)
        return 0;
    const char *p = bytes_at(r, x->at + x->text, x->text_bytes, &r->again[0]);
    const char *q = p ? bytes_at(r, y->at + y->text, y->text_bytes, &r->again[1]) : NULL;

    return q ? !memcmp(p, q, x->text_bytes) : -1;
}

static bool is_same_set(const struct labels *a, const struct labels *b)
{
    bool same = a->n == b->n;

    for (int i = 0; same && i < a->n; i++)
        same = labels_find(b, a->name[i], strlen(a->name[i])) >= 0;
    return same;
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
        qsort(r->labels.name, (size_t)r->labels.n, sizeof *r->labels.name, text_order);
    }
    for (int c = 0; c < was.n; c++)
        now[c] = labels_find(&r->labels, was.name[c], strlen(was.name[c]));
    for (int64_t i = 0; i < r->n; i++)
        r->class_of[i] = now[r->class_of[i]];
    labels_free(&was);
    free(now);
    return 0;
}

void rows_init(struct rows *r, int64_t most)
{
    *r = (struct rows){ .most = most, .texts = texts_new() };
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
        if (add(r, rec, class) < 0) /* bad data: no stream takes such a record */
            return err_code() == EXIT_DATA ? err_in("%s", examples_place(e)) : -1;
        progress_to(progress, r->n);
    }
    if (got == 0 && r->n == 0)
        return err_set(EXIT_DATA,
                       "%s: has no rows to divide; give rows with a text and a label, and choose "
                       "some where --only or --limit choose",
                       examples_name(e));
    if (got < 0 || (!rule->known && !rule->none && order_labels(r, rule->set) < 0))
        return -1;
    r->first = texts_first(r->texts, same_text, r);
    return r->first ? 0 : -1;
}

int rows_put(struct rows *r, int64_t i, const char *split, struct buf *to)
{
    const struct row *row = &r->row[i];
    const char *p = bytes_at(r, row->at, row->bytes, &r->again[0]);
    const size_t rest = row->split + 1 + strlen(any_split);

    if (!p)
        return -1;
    buf_add(to, p, row->split);
    item_put_text(to, split, strlen(split));
    buf_add(to, p + rest, row->bytes - rest);
    return 0;
}

void rows_expect(const struct rows *r, int64_t soon, int64_t later)
{
    const struct row *row = &r->row[soon];

    __builtin_prefetch(&r->row[later]);
    if (row->at < r->in_file)
        (void)posix_fadvise(r->fd, (off_t)row->at, row->bytes, POSIX_FADV_WILLNEED);
    else
        for (size_t i = 0; i < row->bytes && i < 256; i += 64)
            __builtin_prefetch(r->records.p + (row->at - r->in_file) + i);
}

void rows_free(struct rows *r)
{
    if (r->in_file > 0)
        (void)close(r->fd);
    for (int i = 0; i < 2; i++)
        buf_free(&r->again[i]);
    buf_free(&r->records);
    free(r->row);
    free(r->class_of);
    free(r->first);
    labels_free(&r->labels);
}
