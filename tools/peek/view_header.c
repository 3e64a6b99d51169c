#include "provenance.h"
#include "show.h"
#include "view.h"

/* The reader of P's file, read to the end: only then is the header to be believed. */
static int read_through(const struct peek *p, struct reader **r, int64_t *n)
{
    struct record *rec;
    int rc;

    if (reader_open(r, p->paths, KIND_ANY, &p->common) < 0)
        return -1;
    struct progress *progress = progress_of(p);

    for (*n = 0; (rc = reader_next(*r, &rec)) > 0;)
        progress_to(progress, ++*n);
    progress_close(progress);
    if (rc < 0)
        reader_close(*r);
    return rc;
}

static int write_and_free(const struct peek *p, struct buf *b)
{
    const int rc = b->n ? write_text(p, b->p, b->n) : 0;

    buf_free(b);
    return rc;
}

/* Calls VIEW for each file alone, with all of its records. */
static int each_file(const struct peek *p, int (*view)(const struct peek *p))
{
    static const char *const standard[] = { "-", NULL };
    const char *const *path = p->paths[0] ? p->paths : standard;

    for (; *path; path++) {
        const char *const paths[] = { *path, NULL };
        struct peek one = *p;

        one.paths = paths;
        one.common.limit = -1;
        one.common.only.n = 0;
        if (view(&one) < 0)
            return -1;
    }
    return 0;
}

static int show_header(const struct peek *p)
{
    struct reader *r;
    struct buf b = BUF_INIT;
    int64_t count;
    size_t n;

    if (read_through(p, &r, &count) < 0)
        return -1;
    const uint8_t *header = reader_header(r, &n);

    show_item(&b, header, n);
    buf_putc(&b, '\n');
    reader_close(r);
    return write_and_free(p, &b);
}

int view_header(const struct peek *p)
{
    return each_file(p, show_header);
}

/* ---- the chain ---- */

static int show_chain(const struct peek *p)
{
    struct reader *r;
    struct buf b = BUF_INIT;
    int64_t count;

    if (read_through(p, &r, &count) < 0)
        return -1;
    const int rc = provenance_put(&b, r);

    reader_close(r);
    if (rc < 0)
        buf_free(&b);
    return rc < 0 ? -1 : write_and_free(p, &b);
}

int view_chain(const struct peek *p)
{
    return each_file(p, show_chain);
}

/* ---- verify ---- */

/* "PATH: 1950 records, kind tokens, whole". */
static int verify(const struct peek *p)
{
    struct reader *r;
    struct buf b = BUF_INIT;
    int64_t n;

    if (holds_tensors(first_path(p)))
        return verify_tensors(p, first_path(p));
    if (read_through(p, &r, &n) < 0)
        return -1;
    buf_printf(&b, "%s: %lld records, kind %s, whole\n", reader_name(r), (long long)n,
               stream_kind_name(reader_kind(r)));
    reader_close(r);
    return write_and_free(p, &b);
}

int view_verify(const struct peek *p)
{
    return each_file(p, verify);
}
