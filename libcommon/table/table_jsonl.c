#include "json.h"
#include "table_rows.h"
#include "utf8.h"

#include <string.h>

/* All of this runs over a text that json_check has passed, so it looks for no mistakes. */

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
        p++;
    return p;
}

/* Behind the string that begins at P. */
static const char *string_end(const char *p)
{
    for (p++; *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

/* Behind the value that begins at P. */
static const char *value_end(const char *p)
{
    int depth = 0;

    do {
        if (*p == '"') {
            p = string_end(p);
            continue;
        }
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        p++;
    } while (depth > 0 || (*p && !strchr(",}] \t\r\n", *p)));
    return p;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return v;
}

/* Appends the character of the \u escape at *P (on the 'u') and leaves *P on its last digit. */
static int put_unicode(struct buf *b, const char **p)
{
    uint32_t cp = hex4(*p + 1);
    char bytes[4];

    *p += 4;
    if (cp >= 0xd800 && cp < 0xdc00 && (*p)[1] == '\\' && (*p)[2] == 'u') {
        const uint32_t low = hex4(*p + 3);

        if (low >= 0xdc00 && low < 0xe000) {
            cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
            *p += 6;
        }
    }
    if (cp >= 0xd800 && cp < 0xe000)
        return err_set(EXIT_DATA, "'\\u%04x' is half a surrogate pair, which is no character", cp);
    buf_add(b, bytes, (size_t)utf8_encode(cp, bytes));
    return 0;
}

/* Appends the decoded string that begins at P. */
static int put_string(struct buf *b, const char *p)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";

    for (p++; *p != '"'; p++) {
        const size_t plain = strcspn(p, "\"\\");

        if (plain > 0) {
            buf_add(b, p, plain);
            p += plain - 1;
        } else if (*++p == 'u') {
            if (put_unicode(b, &p) < 0)
                return -1;
        } else {
            const char *known = strchr(from, *p);

            buf_putc(b, known ? to[known - from] : *p);
        }
    }
    return 0;
}

/* Appends the value from P to END as a cell shows it and a 0. */
static int put_cell(struct buf *b, struct cell *c, const char *p, const char *end)
{
    const size_t at = b->n;

    if (*p == 'n') {
        *c = (struct cell){ NULL, 0 };
        return 0;
    }
    if (*p != '"')
        buf_add(b, p, (size_t)(end - p));
    else if (put_string(b, p) < 0)
        return -1;
    *c = (struct cell){ b->p + at, b->n - at };
    buf_putc(b, 0);
    return 0;
}

static struct member *next_member(struct members *m)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 16;
        m->v = xnrealloc(m->v, (size_t)m->cap, sizeof *m->v);
    }
    return &m->v[m->n++];
}

int jsonl_members(struct members *m, const char *line, size_t n)
{
    const char *p;

    m->n = 0;
    if (json_check(line, n) < 0)
        return -1;
    p = skip_space(line);
    if (*p != '{')
        return err_set(EXIT_DATA, "line is not a JSON object; a row is {\"column\": value, ...}");
    buf_clear(&m->text);
    buf_reserve(&m->text, 2 * n + 2); /* cells point into it: it must not move */
    for (p = skip_space(p + 1); *p != '}'; p = skip_space(*p == ',' ? p + 1 : p)) {
        struct member *one = next_member(m);
        const char *end = string_end(p);

        if (m->n > COLUMNS_MAX)
            return err_set(EXIT_DATA, "row has more than %d fields; is it a table?", COLUMNS_MAX);
        if (put_cell(&m->text, &one->key, p, end) < 0)
            return -1;
        p = skip_space(skip_space(end) + 1);
        end = value_end(p);
        if (put_cell(&m->text, &one->value, p, end) < 0)
            return -1;
        p = skip_space(end);
    }
    return 0;
}
