#include "json.h"
#include "json_walk.h"
#include "table_rows.h"

#include <stdlib.h>
#include <string.h>

/* Appends the value at P as a cell shows it and a 0; returns where it ends. */
static const char *put_cell(struct members *m, struct cell *c, const char *p)
{
    const char *const value = p, *shown = p;
    const size_t at = m->text.n;
    size_t n;

    if (*p == '"') {
        shown = json_string(&p, &m->room, &n);
    } else {
        p = json_end(p);
        n = (size_t)(p - value);
    }
    *c = (struct cell){ NULL, 0, false };
    if (*value != 'n') {
        buf_add(&m->text, shown, n);
        buf_putc(&m->text, 0);
        *c = (struct cell){ m->text.p + at, n, *value == '{' || *value == '[' };
    }
    return p;
}

static struct member *next_member(struct members *m)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 16;
        m->v = xnrealloc(m->v, (size_t)m->cap, sizeof *m->v);
    }
    return &m->v[m->n++];
}

/* What json_check says, but for the line: it is one of the table, which the caller names. */
static int fail_line(void)
{
    static const char line[] = "line 1, ";
    char *why = xstrdup(err_text()), *at = strstr(why, line);

    if (at) {
        memmove(at, at + strlen(line), strlen(at + strlen(line)) + 1);
        (void)err_set(EXIT_DATA, "%s", why);
    }
    free(why);
    return -1;
}

int jsonl_members(struct members *m, const char *line, size_t n)
{
    m->n = 0;
    if (json_check(line, n) < 0)
        return fail_line();
    line = json_begin(line);
    if (*line != '{')
        return err_set(EXIT_DATA, "line is not a JSON object; a row is {\"column\": value, ...}");
    buf_clear(&m->text);
    buf_reserve(&m->text, 2 * n + 2); /* cells point into it: it must not move */
    for (const char *p = json_first(line); p; p = json_next(p)) {
        struct member *one = next_member(m);

        if (m->n > COLUMNS_MAX)
            return err_set(EXIT_DATA, "row has more than %d fields; is it a table?", COLUMNS_MAX);
        p = put_cell(m, &one->key, p);
        p = put_cell(m, &one->value, json_value(p));
    }
    return 0;
}

void members_free(struct members *m)
{
    free(m->v);
    buf_free(&m->text);
    buf_free(&m->room);
}

size_t json_extent(const char *p, size_t n)
{
    bool string = false;
    int deep = 0;

    for (size_t i = 0; i < n; i++) {
        if (string && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            string = !string;
        else if (!string && (p[i] == '{' || p[i] == '['))
            deep++;
        else if (!string && (p[i] == '}' || p[i] == ']') && --deep <= 0)
            return i + 1;
    }
    return 0;
}
