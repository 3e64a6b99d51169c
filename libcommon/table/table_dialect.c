/* Which character divides the fields, and what quotation marks and backslashes mean. */
#include "table_rows.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A carriage return that no line feed follows. */
static bool has_lone_return(const struct view *v)
{
    const char *p = v->p, *const end = v->p + v->n;

    while (p < end && (p = memchr(p, '\r', (size_t)(end - p))))
        if (++p < end ? *p != '\n' : v->last)
            return true;
    return false;
}

/* What one delimiter makes of the rows. */
struct trial {
    struct dialect dialect;
    int rows, odd, columns;
    int fewest; /* different values in the column with the fewest, which may be the labels */
};

static int fewest_values(const struct sheet *s)
{
    int fewest = INT_MAX;

    for (int c = 0; c < s->columns && c < 16; c++) {
        const struct column k = sheet_column(s, c, 0);

        if (k.different > 1 && k.different < fewest)
            fewest = k.different;
    }
    return fewest;
}

/* All rows of a view, where a sheet has the first ones. */
struct reading {
    int64_t rows;
    bool even; /* all have as many fields, and more than one */
    bool bare; /* a field that is in no quotation marks has one */
    bool open; /* the last one's are not closed within the view */
};

static struct reading read_all(const struct view *v, const struct dialect *d)
{
    struct reading r = { .even = true };
    struct spans f = { 0 };
    size_t at = 0, used;
    int columns = 0, got = 0;

    while (at < v->n && (got = csv_scan(&f, v->p + at, v->n - at, v->last, d, &used)) == 1) {
        const char *row = v->p + at;

        at += used;
        if (csv_is_empty(&f))
            continue;
        if (!r.rows++)
            columns = f.n;
        r.even = r.even && f.n == columns && columns > 1;
        for (int i = 0; i < f.n; i++)
            r.bare = r.bare || (!f.v[i].quoted && memchr(row + f.v[i].at, '"', f.v[i].n));
    }
    r.even = r.even && got >= 0 && columns > 1;
    r.open = got == 0 && f.n > 0 && f.v[f.n - 1].quoted;
    free(f.v);
    return r;
}

/* Quotation marks are characters where they do not fit as marks, and where the rows are even
 * without them, but marks would make one of several lines, or are inside of fields as well: who
 * puts fields into them does it where a field has one. */
static bool are_characters(const struct view *v, const struct dialect *d)
{
    struct dialect plain = *d;

    plain.quotes = false;
    const struct reading with = read_all(v, d), without = read_all(v, &plain);
    const bool joined = without.rows > with.rows + with.open;

    return without.even && (!with.even || with.bare || joined);
}

static struct trial try_delimiter(const struct view *v, char delimiter)
{
    struct dialect d = { .delimiter = delimiter, .quotes = true, .returns = has_lone_return(v) };
    struct sheet s;

    d.blanks = true;
    sheet_read(&s, v, &d);
    d.blanks = s.led && !s.broken && !s.odd;
    if (!d.blanks) {
        sheet_free(&s);
        sheet_read(&s, v, &d);
    }
    if (delimiter == '\t' && are_characters(v, &d)) {
        d.quotes = false;
        sheet_free(&s);
        sheet_read(&s, v, &d);
    }
    const struct trial t = { d, s.rows, s.odd + s.broken, s.columns, fewest_values(&s) };

    sheet_free(&s);
    return t;
}

static bool divides(const struct trial *t)
{
    return t->columns > 1 && t->odd == 0;
}

/* Whether A divides the rows better than B: more evenly, else into values that come again. */
static bool is_better(const struct trial *a, const struct trial *b)
{
    if ((a->columns > 1) != (b->columns > 1))
        return a->columns > 1;
    if ((a->odd == 0) != (b->odd == 0))
        return a->odd == 0;
    if (a->odd == 0)
        return a->fewest < b->fewest;
    return (double)a->odd * (b->odd + b->rows) < (double)b->odd * (a->odd + a->rows);
}

struct dialect_guess dialect_guess(const char *name, const struct view *v, char delimiter)
{
    const bool csv = is_named(name, ".csv");
    const char *candidates = csv ? ",;\t|" : "\t,;|";
    struct trial best = try_delimiter(v, delimiter ? delimiter : *candidates);
    int dividing = divides(&best);

    while (!delimiter && *++candidates) {
        const struct trial t = try_delimiter(v, *candidates);

        dividing += divides(&t);
        if (is_better(&t, &best))
            best = t;
    }
    const bool few = best.rows < 8 && best.fewest > best.rows / 2;
    const bool named = csv ? best.dialect.delimiter == ','
                           : is_named(name, ".tsv") && best.dialect.delimiter == '\t';

    if (best.columns < 2 && !delimiter && !is_named(name, ".tsv"))
        best.dialect.delimiter = ',';
    return (struct dialect_guess){
        best.dialect,
        !delimiter && (best.columns < 2 || best.odd > best.rows),
        dividing > 1 && (few || !named),
    };
}
