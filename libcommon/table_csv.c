#include "table_rows.h"

#include <string.h>

static struct span *next_span(struct spans *f)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        f->v = xnrealloc(f->v, (size_t)f->cap, sizeof *f->v);
    }
    return &f->v[f->n++];
}

/* The closing quote of a quoted field whose content begins at I: its index, N when there is none.
 */
static size_t quoted_end(const char *p, size_t i, size_t n, bool *doubled)
{
    for (;;) {
        const char *quote = memchr(p + i, '"', n - i);

        if (!quote)
            return n;
        i = (size_t)(quote - p);
        if (i + 1 == n || p[i + 1] != '"')
            return i;
        *doubled = true;
        i += 2;
    }
}

static size_t plain_end(const char *p, size_t i, size_t n, char delimiter)
{
    while (i < n && p[i] != delimiter && p[i] != '\n')
        i++;
    return i;
}

int csv_scan(struct spans *f, const char *p, size_t n, bool last, char delimiter, bool quotes,
             size_t *used)
{
    size_t i = 0;

    f->n = 0;
    for (;;) {
        struct span *s = next_span(f);
        size_t end;

        if (f->n > COLUMNS_MAX)
            return err_set(EXIT_DATA, "row has more than %d fields; is it a table?", COLUMNS_MAX);
        s->doubled = false;
        if (quotes && i < n && p[i] == '"') {
            s->at = i + 1;
            i = quoted_end(p, s->at, n, &s->doubled);
            if (i == n || (i + 1 == n && !last))
                return last ? err_set(EXIT_DATA, "quotation mark is not closed before the end") : 0;
            end = i++;
            if (i < n && p[i] == '\r' && (i + 1 == n || p[i + 1] == '\n'))
                i++;
            if (i < n && p[i] != delimiter && p[i] != '\n')
                return err_set(EXIT_DATA, "text after a closing quotation mark; double the marks "
                                          "inside a quoted field");
        } else {
            s->at = i;
            i = end = plain_end(p, i, n, delimiter);
            if (end > s->at && p[end - 1] == '\r' && (end == n || p[end] == '\n'))
                end--;
        }
        s->n = end - s->at;
        if (i == n && !last)
            return 0;
        if (i == n || p[i] == '\n') {
            *used = i < n ? i + 1 : n;
            return 1;
        }
        i++;
    }
}

struct cell csv_cell(char *p, const struct span *s)
{
    char *const begin = p + s->at, *const end = begin + s->n;
    char *to = end;

    if (s->doubled) {
        to = begin;
        for (const char *from = begin; from < end; from++) {
            *to++ = *from;
            from += *from == '"'; /* only pairs of them are inside */
        }
    }
    *to = 0;
    return (struct cell){ begin, (size_t)(to - begin) };
}
