#include "table_rows.h"
#include "utf8.h"

#include <string.h>

static struct span *next_span(struct spans *f)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        f->v = xnrealloc(f->v, (size_t)f->cap, sizeof *f->v);
    }
    f->v[f->n] = (struct span){ 0 };
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

static size_t behind_blanks(const char *p, size_t i, size_t n)
{
    while (i < n && p[i] == ' ')
        i++;
    return i;
}

int csv_not_closed(const struct spans *f, const char *p, size_t n, const char *where)
{
    const char *const begin = p + f->v[f->n - 1].at, *shown = begin;

    while (shown < p + n && shown < begin + 30 && (unsigned char)*shown >= ' ')
        shown++;
    return err_set(EXIT_DATA,
                   "quotation mark before '%.*s' in field %d is not closed %s; close it, or double "
                   "it inside a quoted field",
                   (int)utf8_valid(begin, (size_t)(shown - begin)), begin, f->n, where);
}

/* Each of these two scans one field from *I on and leaves *I on the delimiter or line end behind
 * it, or on N: 1; 0 when more bytes are needed to tell; -1 when it is not valid. */
static int scan_quoted(const struct spans *f, struct span *s, const char *p, size_t *i, size_t n,
                       bool last, const struct dialect *d)
{
    s->quoted = true;
    s->at = *i + 1;
    size_t end = quoted_end(p, s->at, n, &s->doubled);

    if (end == n && last)
        return csv_not_closed(f, p, n, "before the end");
    s->n = end - s->at;
    end += end < n;
    if (d->blanks)
        end = behind_blanks(p, end, n);
    *i = end;
    if (end == n)
        return last;
    if (p[end] == '\r' && (end + 1 == n || p[end + 1] == '\n'))
        ++*i;
    if (*i < n && p[*i] != d->delimiter && p[*i] != '\n' && p[*i] != '\r')
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

static size_t find_line_end(const char *p, size_t i, size_t n, const struct dialect *d)
{
    const size_t feed = find(p, i, n, '\n');

    return d->returns ? find(p, i, feed, '\r') : feed;
}

/* *LINE is where a line ends, and looked for again only when it was passed. */
static int scan_plain(struct span *s, const char *p, size_t *i, size_t n, const struct dialect *d,
                      size_t *line)
{
    if (*line < *i)
        *line = find_line_end(p, *i, n, d);
    size_t end = find(p, *i, *line, d->delimiter);

    s->at = *i;
    *i = end;
    if (end > s->at && p[end - 1] == '\r' && (end == n || p[end] == '\n'))
        end--;
    s->n = end - s->at;
    return 1;
}

int csv_scan(struct spans *f, const char *p, size_t n, bool last, const struct dialect *d,
             size_t *used)
{
    size_t line = find_line_end(p, 0, n, d);

    f->n = 0;
    for (size_t i = 0;; i++) {
        struct span *s = next_span(f);
        const size_t begin = d->blanks ? behind_blanks(p, i, n) : i;
        const bool quoted = d->quotes && begin < n && p[begin] == '"';

        if (f->n > COLUMNS_MAX)
            return err_set(EXIT_DATA, "row has more than %d fields; is it a table?", COLUMNS_MAX);
        s->led = quoted && begin > i;
        i = begin;
        const int got =
            quoted ? scan_quoted(f, s, p, &i, n, last, d) : scan_plain(s, p, &i, n, d, &line);

        if (got <= 0 || (i == n && !last))
            return got < 0 ? -1 : 0;
        if (i == n || p[i] == '\n' || p[i] == '\r') {
            *used = i < n ? i + 1 : n;
            return 1;
        }
    }
}

bool csv_is_empty(const struct spans *f)
{
    return f->n == 1 && f->v[0].n == 0 && !f->v[0].quoted;
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
    return (struct cell){ begin, (size_t)(to - begin), false };
}
