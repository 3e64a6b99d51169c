#include "provenance.h"
#include "show.h"
#include "view.h"

/* Reads the file of P to its end: only then is the header to be believed. SHOW appends what there
 * is to say of its RECORDS. */
static int view_one(const struct peek *p,
                    int (*show)(struct buf *b, struct reader *r, int64_t records))
{
    struct buf b = BUF_INIT;
    struct reader *r;
    struct record *rec;
    int64_t n = 0;
    int rc;

    if (reader_open(&r, p->paths, KIND_ANY, &p->common) < 0)
        return -1;
    struct progress *progress = progress_of(p);

    while ((rc = reader_next(r, &rec)) > 0)
        progress_to(progress, ++n);
    progress_close(progress);
    if (rc == 0)
        rc = show(&b, r, n);
    reader_close(r);
    if (rc == 0 && b.n)
        rc = write_text(p, b.p, b.n);
    buf_free(&b);
    return rc;
}

/* Each file alone. TENSORS, where it is not NULL, is for models and adapters. */
static int view_each(const struct peek *p,
                     int (*show)(struct buf *b, struct reader *r, int64_t records),
                     int (*tensors)(const struct peek *p, const char *path))
{
    static const char *const standard[] = { "-", NULL };
    const char *const *path = p->paths[0] ? p->paths : standard;
    int rc = 0;

    for (; rc == 0 && *path; path++) {
        const char *const paths[] = { *path, NULL };
        struct peek one = *p;

        one.paths = paths;
        rc = tensors && holds_tensors(*path) ? tensors(&one, *path) : view_one(&one, show);
    }
    return rc;
}

static int show_header(struct buf *b, struct reader *r, int64_t records)
{
    size_t n;
    const uint8_t *header = reader_header(r, &n);

    (void)records;
    show_item(b, header, n);
    buf_putc(b, '\n');
    return 0;
}

int view_header(const struct peek *p)
{
    return view_each(p, show_header, NULL);
}

static int show_chain(struct buf *b, struct reader *r, int64_t records)
{
    (void)records;
    return provenance_put(b, r);
}

int view_chain(const struct peek *p)
{
    return view_each(p, show_chain, chain_of_tensors);
}

/* "PATH: 1950 records, kind tokens, whole". */
static int show_verdict(struct buf *b, struct reader *r, int64_t records)
{
    buf_printf(b, "%s: %lld records, kind %s, whole\n", reader_name(r), (long long)records,
               stream_kind_name(reader_kind(r)));
    return 0;
}

int view_verify(const struct peek *p)
{
    return view_each(p, show_verdict, verify_tensors);
}
