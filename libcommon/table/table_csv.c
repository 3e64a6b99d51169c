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

/* The closing quote of a quoted field whose content begins at I: its index, or N. */
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

/* Each of these two scans one field from *I on and leaves *I on the delimiter or line feed behind
 * it, or on N: 1; 0 when more bytes are needed to tell; -1 when it is not valid. */
static int scan_quoted(struct span *s, const char *p, size_t *i, size_t n, bool last,
                       char delimiter)
{
    s->at = *i + 1;
    const size_t end = quoted_end(p, s->at, n, &s->doubled);

    if (end == n && last)
        return err_set(EXIT_DATA, "quotation mark is not closed before the end");
    if (end == n || (end + 1 == n && !last))
        return 0;
    s->n = end - s->at;
    *i = end + 1;
    if (*i < n && p[*i] == '\r' && (*i + 1 == n || p[*i + 1] == '\n'))
        ++*i;
    if (*i < n && p[*i] != delimiter && p[*i] != '\n')
        return err_set(EXIT_DATA, "text after a closing quotation mark; double the marks inside a "
                                  "quoted field");
    return 1;
}

/* Where C is first at I or behind it, or N. */
static size_t find(const char *p, size_t i, size_t n, char c)
{
    const char *at = i < n ? memchr(p + i, c, n - i) : NULL;

    return at ? (size_t)(at - p) : n;
}

/* *LINE is where a line ends, and looked for again only when it was passed. */
static int scan_plain(struct span *s, const char *p, size_t *i, size_t n, char delimiter,
                      size_t *line)
{
    if (*line < *i)
        *line = find(p, *i, n, '\n');
    size_t end = find(p, *i, *line, delimiter);

    s->at = *i;
    *i = end;
    if (end > s->at && p[end - 1] == '\r' && (end == n || p[end] == '\n'))
        end--;
    s->n = end - s->at;
    return 1;
}

int csv_scan(struct spans *f, const char *p, size_t n, bool last, char delimiter, bool quotes,
             size_t *used)
{
    size_t line = find(p, 0, n, '\n');

    f->n = 0;
    for (size_t i = 0;; i++) {
        struct span *s = next_span(f);
        const bool quoted = quotes && i < n && p[i] == '"';

        if (f->n > COLUMNS_MAX)
            return err_set(EXIT_DATA, "row has more than %d fields; is it a table?", COLUMNS_MAX);
        s->doubled = false;
        const int got = quoted ? scan_quoted(s, p, &i, n, last, delimiter)
                               : scan_plain(s, p, &i, n, delimiter, &line);

        if (got <= 0 || (i == n && !last))
            return got < 0 ? -1 : 0;
        if (i == n || p[i] == '\n') {
            *used = i < n ? i + 1 : n;
            return 1;
        }
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
