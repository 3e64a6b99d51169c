#include "examples.h"
#include "filter.h"
#include "lines.h"
#include "parse.h"
#include "split.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 17 }; /* bytes of records that waited, at a time */

/*
 * The header comes first and holds the labels, which are known last. So without --labels or a
 * header to take them from, the records wait in an unnamed temporary file, and memory does not grow
 * with them.
 */
struct maker {
    const struct peek *p;
    struct labels labels;
    struct reader *from; /* whose header is taken over, or NULL */
    struct writer *w;    /* NULL while records wait, and before the first line */
    FILE *waiting;       /* NULL: the labels are known, or the first line is not read yet */
    struct record *rec;
    struct filter *filter;
    struct progress *progress;
    bool scored;                     /* a record that waits has scores */
    int64_t lines, records;          /* all there were, those that passed the filter */
    uint8_t (*digest)[SHA256_BYTES]; /* of each input */
    int inputs;
};

static int wait_failed(void)
{
    return err_set(err_cause(EXIT_IO),
                   "cannot use a temporary file: %s; give --labels to do without one",
                   strerror(errno));
}

static int put_waiting(struct maker *m)
{
    struct buf b = BUF_INIT;
    size_t bytes;

    if (record_fits(m->rec, &bytes) < 0)
        return -1;
    record_append(m->rec, &b);
    const bool kept = fwrite(b.p, 1, b.n, m->waiting) == b.n;

    m->scored |= record_find(m->rec, "scores") != NULL;
    buf_free(&b);
    return kept ? 0 : wait_failed();
}

/* The labels that were met, or a check against those that are known; a header without labels says
 * nothing of them. */
static int take_label(struct maker *m)
{
    const char *text;
    size_t n;
    const int rc = record_get_text(m->rec, "label", &text, &n);

    if (rc > 0 && memchr(text, 0, n))
        return err_set(EXIT_DATA, "a label must not hold U+0000");
    if (rc <= 0 || labels_find(&m->labels, text, n) >= 0)
        return rc < 0 ? -1 : 0;
    if (!m->waiting)
        return m->labels.n == 0 ? 0
                                : label_refuse(&m->labels, text, n, "correct it, or give --labels");
    if (m->labels.n == LABELS_MAX)
        return err_set(EXIT_DATA, "more than %d labels", LABELS_MAX);
    labels_add(&m->labels, text, n);
    return 0;
}

static int start(struct maker *m)
{
    const enum stream_kind kind = m->p->kind ? stream_kind_of(m->p->kind, strlen(m->p->kind))
                                  : m->from  ? reader_kind(m->from)
                                             : KIND_EXAMPLES;

    return writer_open(&m->w, &m->p->common, kind, &m->labels, m->from, NULL);
}

/* Before the first record: the header where it is known, else a place for records to wait. */
static int begin(struct maker *m)
{
    const struct peek *p = m->p;

    if (p->labels.n && labels_load(&m->labels, &p->labels) < 0)
        return -1;
    if (!p->labels.n && m->from)
        labels_copy(&m->labels, reader_labels(m->from));
    if (p->labels.n || m->from)
        return start(m);
    m->waiting = tmpfile();
    if (!m->waiting)
        return wait_failed();
    return outfile_try(p->common.output, p->common.force, true);
}

/* The first line may be a header: 1 when it is. */
static int take_first(struct maker *m, const char *line, size_t n)
{
    struct buf header = BUF_INIT;
    int rc = parse_header_line(&header, line, n);

    if (rc > 0 && m->from)
        rc = err_set(EXIT_DATA,
                     "is a header, and --header-from names another; leave one of them out");
    if (rc > 0 && reader_of_header(&m->from, (const uint8_t *)header.p, header.n) < 0)
        rc = -1;
    if (rc == 0 && m->p->with_header)
        rc = err_set(EXIT_DATA, "is not the header that peek --jsonl --with-header writes first");
    buf_free(&header);
    return rc < 0 || begin(m) < 0 ? -1 : rc;
}

static int take_line(struct maker *m, const char *line, size_t n)
{
    const bool first = !m->w && !m->waiting;

    if (strspn(line, " \t\r") >= n) /* the buffer ends in a newline or a 0: this stops there */
        return 0;
    const int header = first ? take_first(m, line, n) : 0;

    if (header != 0)
        return header < 0 ? -1 : 0;
    if (parse_record(m->rec, line, n, m->lines++) < 0 || record_name_split(m->rec) < 0)
        return -1;
    const int passes = filter_passes(m->filter, m->rec);

    if (passes <= 0)
        return passes;
    if (take_label(m) < 0)
        return -1;
    progress_to(m->progress, ++m->records);
    return m->waiting ? put_waiting(m) : writer_put(m->w, m->rec);
}

static int take_input(struct maker *m, const char *path)
{
    struct lines *l;
    const char *line;
    size_t n;
    int rc;

    if (lines_open(&l, path) < 0)
        return -1;
    while ((rc = lines_next(l, &line, &n)) > 0)
        if (take_line(m, line, n) < 0) {
            rc = err_in("%s:%lld", lines_name(l), lines_number(l));
            break;
        }
    if (!rc) {
        m->digest = xnrealloc(m->digest, (size_t)m->inputs + 1, sizeof *m->digest);
        lines_digest(l, m->digest[m->inputs++]);
    }
    lines_close(l);
    return rc;
}

/* All labels are known: the header, then the records that waited. */
static int release_waiting(struct maker *m)
{
    struct buf some = BUF_INIT;
    int rc;

    if (m->labels.n)
        qsort(m->labels.name, (size_t)m->labels.n, sizeof *m->labels.name, text_order);
    if (m->scored)
        warn("scores are in the order of the labels, which was not given: they are taken for "
             "those of the labels sorted; say --labels or --header-from");
    if (fflush(m->waiting) != 0)
        return wait_failed();
    rewind(m->waiting);
    rc = start(m);
    for (int64_t n = m->records; rc == 0 && !feof(m->waiting); n = 0) {
        buf_reserve(&some, PIECE);
        some.n = fread(some.p, 1, PIECE, m->waiting);
        rc = ferror(m->waiting) ? wait_failed() : writer_put_encoded(m->w, &some, n);
    }
    buf_free(&some);
    return rc;
}

/* The whole of --header-from: only then is its header to be believed, and its digest known. */
static int read_header(struct maker *m)
{
    const char *const paths[] = { m->p->header_from, NULL };
    struct cli_common all = m->p->common;
    struct record *rec;
    int rc;

    all.only.n = 0;
    all.limit = -1;
    if (reader_open(&m->from, paths, KIND_ANY, &all) < 0)
        return -1;
    while ((rc = reader_next(m->from, &rec)) > 0)
        continue;
    return rc;
}

static int make(struct maker *m)
{
    static const char *const standard[] = { "-", NULL };
    const char *const *path = m->p->paths[0] ? m->p->paths : standard;

    if (m->p->header_from && read_header(m) < 0)
        return -1;
    for (; *path; path++)
        if (take_input(m, *path) < 0)
            return -1;
    if (!m->w && !m->waiting && begin(m) < 0) /* there was no line */
        return -1;
    filter_finish(m->filter);
    if (m->waiting && release_waiting(m) < 0)
        return -1;
    for (int i = 0; i < m->inputs; i++)
        writer_input(m->w, "jsonl", m->digest[i]);
    struct writer *w = m->w;

    m->w = NULL;
    return writer_commit(w);
}

int make_stream(const struct peek *p)
{
    struct maker m = { .p = p, .rec = record_new(), .filter = filter_new(&p->common) };

    m.progress = progress_of(p);
    const int rc = make(&m);

    progress_close(m.progress);

    writer_abort(m.w);
    if (m.waiting)
        (void)fclose(m.waiting);
    labels_free(&m.labels);
    reader_close(m.from);
    record_free(m.rec);
    filter_free(m.filter);
    free(m.digest);
    return rc;
}
