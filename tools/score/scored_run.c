#include "scored_run.h"

#include "progress.h"
#include "provenance.h"
#include "sha256.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int scored_run_slice(const struct scored_run *run, const char *value)
{
    for (int i = 0; i < run->n_slices; i++)
        if (!value || !strcmp(run->slices[i].value, value))
            return i;
    return -1;
}

/* The same, made where there is none; LAST is what was found last, which is likely again. */
static int slice_of(struct scored_run *run, const char *value, int last)
{
    if (run->n_slices > 0 && (!value || !strcmp(run->slices[last].value, value)))
        return last;
    const int at = scored_run_slice(run, value);

    if (at >= 0)
        return at;
    run->slices = xnrealloc(run->slices, (size_t)run->n_slices + 1, sizeof *run->slices);
    run->slices[run->n_slices] = (struct slice){ value ? xstrdup(value) : NULL, { 0 } };
    return run->n_slices++;
}

/* The value of the field BY as text in B. */
static int value_of(const struct record *rec, const struct read_options *how, struct buf *b)
{
    const struct field *f = record_find(rec, how->by);

    buf_clear(b);
    buf_puts(b, "");
    if (!f && how->by_may_lack)
        return 0;
    if (!f)
        return err_set(EXIT_DATA, "has no field '%s'; give another to --by", how->by);
    if (f->type == ITEM_TEXT && !memchr(f->data, 0, f->n))
        buf_add(b, f->data, f->n);
    else if (f->type == ITEM_UINT)
        buf_printf(b, "%llu", (unsigned long long)f->u);
    else if (f->type == ITEM_BOOL)
        buf_puts(b, f->u ? "true" : "false");
    else
        return err_set(EXIT_DATA, "field '%s' is neither text nor a whole number", how->by);
    return 0;
}

/* ---- what is kept ---- */

static uint64_t mark_of(const struct record *rec)
{
    const struct field *f = record_find(rec, "text");
    uint8_t digest[SHA256_BYTES];
    uint64_t mark = 0;

    if (f && f->type == ITEM_TEXT) {
        sha256_of(f->data, f->n, digest);
        memcpy(&mark, digest, sizeof mark);
    }
    return mark;
}

static int keep_record(struct scored_run *run, struct record *rec, const struct judged *judged,
                       int slice, size_t *cap)
{
    if ((size_t)run->n == *cap) {
        *cap = *cap ? 2 * *cap : 256;
        run->kept = xnrealloc(run->kept, *cap, sizeof *run->kept);
    }
    struct kept_record *k = &run->kept[run->n];

    *k = (struct kept_record){ .judged = *judged, .text = mark_of(rec), .slice = slice };
    const int has = record_get_uint(rec, "id", &k->id);

    k->has_id = has > 0;
    return has < 0 ? -1 : 0;
}

static int64_t characters(const char *text, size_t n)
{
    int64_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
}

/* Tokens of the prompt, -1 when the record has no ids. */
static int count_tokens(struct record *rec, int64_t *length)
{
    const uint32_t *ids;
    uint64_t n_prompt;
    size_t n;
    const int has = record_get_uint(rec, "n_prompt", &n_prompt);

    if (has < 0 || record_get_ids(rec, "ids", &ids, &n) < 0)
        return -1;
    *length = has ? (int64_t)n_prompt : record_find(rec, "ids") ? (int64_t)n : -1;
    return 0;
}

static void keep_beginning(struct scored_run *run, struct kept_text *k, const char *text, size_t n)
{
    uint8_t digest[SHA256_BYTES];

    sha256_of(text, n, digest);
    memcpy(k->digest, digest, sizeof k->digest);
    k->at = run->text.n;
    k->cut = n > TEXT_KEPT;
    k->n = k->cut ? utf8_valid(text, TEXT_KEPT) : n;
    buf_add(&run->text, text, k->n);
}

static int keep_text(struct scored_run *run, struct record *rec, size_t *cap)
{
    const char *text = "";
    size_t n = 0;
    int has = record_get_text(rec, "text", &text, &n);

    if (has == 0)
        has = record_get_text(rec, "prompt", &text, &n);
    if (has < 0)
        return -1;
    if ((size_t)run->n == *cap) {
        *cap = *cap ? 2 * *cap : 256;
        run->texts = xnrealloc(run->texts, *cap, sizeof *run->texts);
    }
    struct kept_text *k = &run->texts[run->n];

    *k = (struct kept_text){ 0 };
    keep_beginning(run, k, has ? text : "", has ? n : 0);
    if (count_tokens(rec, &k->length) < 0)
        return -1;
    if (run->n == 0)
        run->tokens = k->length >= 0;
    if (!run->tokens)
        k->length = characters(text, n);
    else if (k->length < 0) /* an empty text has no ids */
        k->length = 0;
    return 0;
}

/* ---- reading ---- */

struct intake {
    struct buf value;
    size_t kept, texts;
    int slice;
    int64_t apart; /* records that are (tally.h) */
};

static int take(struct scored_run *run, struct record *rec, const struct read_options *how,
                struct intake *room)
{
    struct judged judged;

    if (how->by && value_of(rec, how, &room->value) < 0)
        return -1;
    room->slice = slice_of(run, how->by ? room->value.p : NULL, room->slice);
    if (tally_add(&run->slices[room->slice].tally, &run->labels, !run->labels_given, rec, &judged) <
        0)
        return -1;
    if (how->keep >= KEEP_RECORDS && keep_record(run, rec, &judged, room->slice, &room->kept) < 0)
        return -1;
    if (how->keep >= KEEP_TEXTS &&
        (keep_text(run, rec, &room->texts) < 0 ||
         tally_add(&run->whole, &run->labels, !run->labels_given, rec, &judged) < 0))
        return -1;
    room->apart += judged.apart;
    run->n++;
    return 0;
}

static int take_all(struct scored_run *run, struct reader *in, const struct read_options *how)
{
    struct progress *progress = progress_open(how->common, "records", -1);
    struct intake room = { BUF_INIT, 0, 0, 0, 0 };
    struct record *rec;
    int got;

    while ((got = reader_next(in, &rec)) > 0) {
        if (take(run, rec, how, &room) < 0) {
            got = err_in("%s:%s", reader_name(in), record_name(rec));
            break;
        }
        progress_to(progress, run->n);
    }
    progress_close(progress);
    if (got == 0 && room.apart > 0)
        warn("%s: in %" PRId64 " of %" PRId64 " records the largest of the scores is not that of "
             "pred; are they in the order of the labels, as peek --header shows it",
             reader_name(in), room.apart, run->n);
    buf_free(&room.value);
    return got;
}

/* ---- names ---- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The part of BASE, a file's name, in front of its endings: a dot at its begin makes none. */
static size_t stem_length(const char *base)
{
    return *base ? 1 + strcspn(base + 1, ".") : 0;
}

/* Where the folders of PATH begin whose names OTHER, of the same file name, does not end in. */
static const char *differing_end(const char *path, const char *other)
{
    const char *p = path + strlen(path), *q = other + strlen(other);

    while (p > path && q > other && p[-1] == q[-1])
        p--, q--;
    if (p > path)
        do
            p--;
        while (p > path && p[-1] != '/');
    return p;
}

static const char *without_dot(const char *path)
{
    while (!strncmp(path, "./", 2))
        path += 2;
    return path;
}

char *scored_run_name(const char *path, const char *beside)
{
    const char *base = base_of(path), *theirs = beside ? base_of(beside) : "", *begin = base;
    size_t n = stem_length(base);

    if (!strcmp(path, "-"))
        return xstrdup("predictions");
    if (beside && !strcmp(base, theirs))
        begin = differing_end(without_dot(path), without_dot(beside));
    else if (n == stem_length(theirs) && !strncmp(base, theirs, n))
        n = strlen(base);
    return xstrndup(begin, (size_t)(base - begin) + n);
}

/* ---- one stream ---- */

static int check(const struct scored_run *run)
{
    if (run->n == 0)
        return err_set(
            EXIT_DATA,
            "%s: there are no records to score; choose some where --only or --limit choose",
            run->path);
    if (labels_find(&run->labels, "none", strlen("none")) >= 0)
        return err_set(EXIT_DATA,
                       "%s: a label is called 'none', which stands for predictions that are no "
                       "label; rename it",
                       run->path);
    return 0;
}

int scored_run_read(struct scored_run *run, const char *path, const char *name,
                    const struct read_options *how)
{
    const char *const paths[] = { path ? path : "-", NULL };
    struct reader *in;
    int rc = reader_open(&in, paths, KIND_PREDICTIONS, how->common);

    *run = (struct scored_run){ .name = name ? xstrdup(name) : scored_run_name(paths[0], NULL) };
    if (rc < 0)
        return -1;
    labels_copy(&run->labels, reader_labels(in));
    run->labels_given = run->labels.n > 0;
    if (!run->labels_given && how->known)
        labels_copy(&run->labels, how->known);
    rc = take_all(run, in, how);
    run->path = xstrdup(reader_name(in));
    if (rc == 0)
        rc = provenance_put(&run->provenance, in);
    if (rc == 0)
        rc = check(run);
    reader_close(in);
    return rc;
}

void scored_run_free(struct scored_run *run)
{
    for (int i = 0; i < run->n_slices; i++) {
        tally_free(&run->slices[i].tally);
        free(run->slices[i].value);
    }
    free(run->slices);
    tally_free(&run->whole);
    free(run->kept);
    free(run->texts);
    buf_free(&run->text);
    buf_free(&run->provenance);
    labels_free(&run->labels);
    free(run->name);
    free(run->path);
    *run = (struct scored_run){ 0 };
}
