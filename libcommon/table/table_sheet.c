/* The first rows of a table in one dialect, and what is in their columns: what guesses are made
 * from. */
#include "table_rows.h"

#include <stdlib.h>
#include <string.h>

enum { SHEET_ROWS = 256 };

struct cell cell_trimmed(struct cell c)
{
    while (c.n > 0 && (c.p[0] == ' ' || c.p[0] == '\t')) {
        c.p++;
        c.n--;
    }
    while (c.n > 0 && (c.p[c.n - 1] == ' ' || c.p[c.n - 1] == '\t'))
        c.n--;
    return c;
}

/* The N cells of one row more; NULL where it is uneven, and left out. */
static struct cell *next_row(struct sheet *s, int n)
{
    if (!s->rows)
        s->columns = n;
    if (n != s->columns) {
        s->odd++;
        return NULL;
    }
    const size_t before = (size_t)s->rows++ * (size_t)n;

    s->cell = xnrealloc(s->cell, before + (size_t)n, sizeof *s->cell);
    return s->cell + before;
}

static void add_row(struct sheet *s, char *row, const struct spans *f)
{
    struct cell *cell = next_row(s, f->n);

    for (int i = 0; cell && i < f->n; i++) {
        cell[i] = cell_trimmed(csv_cell(row, &f->v[i])); /* no harm for a comparison */
        s->led = s->led || f->v[i].led;
    }
}

void sheet_read(struct sheet *s, const struct view *v, const struct dialect *d)
{
    struct spans f = { 0 };
    size_t used;
    int got = 0;

    *s = (struct sheet){ 0 };
    buf_reserve(&s->text, v->n); /* cells point into it: it must not move */
    while (s->text.n < v->n && s->rows + s->odd < SHEET_ROWS &&
           (got = csv_scan(&f, v->p + s->text.n, v->n - s->text.n, v->last, d, &used)) == 1) {
        char *row = s->text.p + s->text.n;

        buf_add(&s->text, v->p + s->text.n, used);
        if (!csv_is_empty(&f))
            add_row(s, row, &f);
    }
    s->broken = got < 0;
    free(f.v);
}

/* The members of one object as a row, copied. */
static void add_object(struct sheet *s, const struct members *m)
{
    struct cell *cell = next_row(s, m->n);

    for (int i = 0; cell && i < m->n; i++) {
        const struct cell *value = &m->v[i].value;

        cell[i] = (struct cell){ s->text.p + s->text.n, value->n, false };
        buf_add(&s->text, value->p ? value->p : "", value->n);
    }
}

void sheet_read_json(struct sheet *s, const struct view *v)
{
    struct members m = { 0 };
    struct buf object = BUF_INIT;
    const char *p = v->p, *const end = v->p + v->n;
    size_t n;

    *s = (struct sheet){ 0 };
    buf_reserve(&s->text, 2 * v->n); /* cells point into it: it must not move */
    for (; s->rows + s->odd < SHEET_ROWS && p < end; p += n) {
        p = memchr(p, '{', (size_t)(end - p));
        if (!p || (n = json_extent(p, (size_t)(end - p))) == 0)
            break;
        buf_clear(&object);
        buf_add(&object, p, n);
        if (jsonl_members(&m, object.p, object.n) < 0)
            break;
        add_object(s, &m);
    }
    members_free(&m);
    buf_free(&object);
}

void sheet_free(struct sheet *s)
{
    free(s->cell);
    buf_free(&s->text);
    *s = (struct sheet){ 0 };
}

static bool is_number(const struct cell *c)
{
    bool digit = false;

    for (size_t i = 0; i < c->n; i++) {
        digit = digit || (c->p[i] >= '0' && c->p[i] <= '9');
        if (!strchr("0123456789+-.,eE%", c->p[i]) || !c->p[i] ||
            (!digit && (c->p[i] == 'e' || c->p[i] == 'E')))
            return false;
    }
    return digit;
}

static const struct cell *cell_at(const struct sheet *s, int row, int column)
{
    return &s->cell[(size_t)row * (size_t)s->columns + (size_t)column];
}

static bool is_same(const struct cell *a, const struct cell *b)
{
    return a->n == b->n && !memcmp(a->p, b->p, a->n);
}

struct column sheet_column(const struct sheet *s, int c, int from)
{
    struct column k = { 0 };

    for (int row = from; row < s->rows; row++) {
        const struct cell *cell = cell_at(s, row, c);
        bool first = true;

        for (int before = from; first && before < row; before++)
            first = !is_same(cell, cell_at(s, before, c));
        k.filled += cell->n > 0;
        k.numbers += is_number(cell);
        k.words += cell->n > 0 && !memchr(cell->p, ' ', cell->n);
        k.different += first;
        k.again += row > 0 && cell->n > 0 && is_same(cell, cell_at(s, 0, c));
        k.bytes += cell->n;
    }
    return k;
}

bool column_is_label(const struct column *c)
{
    return c->filled >= 2 && c->different > 0 && c->different * 2 <= c->filled;
}
