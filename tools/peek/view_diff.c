#include "json.h"
#include "show.h"
#include "view.h"

#include <string.h>

enum { VALUE_MAX = 200 }; /* characters of a value that are shown */

static int report(const struct peek *p, struct buf *line)
{
    buf_putc(line, '\n');
    const int rc = write_text(p, line->p, line->n);

    buf_free(line);
    return rc < 0 ? -1 : err_unmet();
}

/* ---- headers ---- */

static void put_labels(struct buf *b, const struct labels *l)
{
    buf_putc(b, '[');
    for (int i = 0; i < l->n; i++) {
        if (i)
            buf_puts(b, ", ");
        json_put_text(b, l->name[i], strlen(l->name[i]));
    }
    buf_putc(b, ']');
}

/* Kind and labels; chains differ whenever options do, which says nothing about the records. */
static int diff_headers(const struct peek *p, const struct reader *a, const struct reader *b)
{
    struct buf line = BUF_INIT, la = BUF_INIT, lb = BUF_INIT;

    put_labels(&la, reader_labels(a));
    put_labels(&lb, reader_labels(b));
    if (reader_kind(a) != reader_kind(b))
        buf_printf(&line, "header: kind %s, %s", stream_kind_name(reader_kind(a)),
                   stream_kind_name(reader_kind(b)));
    else if (strcmp(la.p, lb.p) != 0)
        buf_printf(&line, "header: labels %s, %s", la.p, lb.p);
    buf_free(&la);
    buf_free(&lb);
    return line.n ? report(p, &line) : 0;
}

/* ---- records ---- */

static void put_value(struct buf *b, const struct field *f)
{
    const size_t start = b->n;

    if (!f) {
        buf_puts(b, "not there");
        return;
    }
    show_field(b, f);
    if (b->n - start > VALUE_MAX) {
        b->n = start + VALUE_MAX;
        buf_puts(b, "...");
    }
}

/* The same value may be encoded in two ways, such as 1.0 in two or in eight bytes. */
static bool same_value(const struct field *a, const struct field *b)
{
    struct buf ja = BUF_INIT, jb = BUF_INIT;
    bool same = false;

    if (a && b && a->raw_len == b->raw_len && !memcmp(a->raw, b->raw, a->raw_len))
        return true;
    if (a && b) {
        show_field(&ja, a);
        show_field(&jb, b);
        same = !strcmp(ja.p, jb.p);
    }
    buf_free(&ja);
    buf_free(&jb);
    return same;
}

static int report_field(const struct peek *p, struct record *in, const struct field *name,
                        const struct field *a, const struct field *b)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "record %s: field '%.*s': ", record_name(in), (int)name->key_len, name->key);
    put_value(&line, a);
    buf_puts(&line, ", ");
    put_value(&line, b);
    return report(p, &line);
}

static const struct field *namesake(const struct record *r, const struct field *f)
{
    for (int i = 0; i < record_count(r); i++) {
        const struct field *g = record_at(r, i);

        if (g->key_len == f->key_len && !memcmp(g->key, f->key, f->key_len))
            return g;
    }
    return NULL;
}

static int diff_records(const struct peek *p, struct record *a, struct record *b)
{
    for (int i = 0; i < record_count(a); i++) {
        const struct field *f = record_at(a, i), *g = namesake(b, f);

        if (!same_value(f, g))
            return report_field(p, a, f, f, g);
    }
    for (int i = 0; i < record_count(b); i++)
        if (!namesake(a, record_at(b, i)))
            return report_field(p, a, record_at(b, i), NULL, record_at(b, i));
    return 0;
}

static int report_end(const struct peek *p, const struct reader *shorter, int64_t n)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "%s ends after %lld records, the other one goes on", reader_name(shorter),
               (long long)n);
    return report(p, &line);
}

static int diff_streams(const struct peek *p, struct reader *a, struct reader *b)
{
    struct record *ra, *rb;
    int rc = diff_headers(p, a, b);

    for (int64_t n = 0; !rc; n++) {
        const int got_a = reader_next(a, &ra), got_b = got_a < 0 ? -1 : reader_next(b, &rb);

        if (got_b < 0)
            return -1;
        if (!got_a && !got_b)
            break;
        rc = got_a && got_b ? diff_records(p, ra, rb) : report_end(p, got_a ? b : a, n);
    }
    return rc;
}

int view_diff(const struct peek *p)
{
    const char *const path_a[] = { first_path(p), NULL }, *const path_b[] = { p->diff, NULL };
    struct reader *a, *b;

    if (holds_tensors(path_a[0]) || holds_tensors(path_b[0]))
        return diff_tensors(p, path_a[0], path_b[0]);
    if (reader_open(&a, path_a, KIND_ANY, &p->common) < 0)
        return -1;
    if (reader_open(&b, path_b, KIND_ANY, &p->common) < 0) {
        reader_close(a);
        return -1;
    }
    const int rc = diff_streams(p, a, b);

    reader_close(a);
    reader_close(b);
    return rc;
}
