/* The summary as a picture: accuracy with its intervals against one setting, a line for what the
 * others are. */
#include "summary.h"

#include "palette.h"
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = PALETTE_SERIES_N - 1 }; /* one colour is that of the baseline */

/* Different texts, in the order of the axis. */
struct values {
    const char **v;
    size_t n;
};

struct drawing {
    const struct summary *s;
    enum rows rows;
    const char *key;      /* along the axis; NULL: the rows by their names */
    struct values values; /* of it */
    bool numbers;         /* and where they are on it */
    char **line_of;       /* (s->n) what the other settings are; NULL: the row has no place */
    struct values lines;
};

static bool add_value(struct values *u, const char *value)
{
    for (size_t i = 0; i < u->n; i++)
        if (!strcmp(u->v[i], value))
            return false;
    u->v = xnrealloc(u->v, u->n + 1, sizeof *u->v);
    u->v[u->n++] = value;
    return true;
}

static struct values values_of(const struct summary *s, const char *key)
{
    struct values u = { NULL, 0 };

    for (int i = 0; i < s->n; i++) {
        const char *value = settings_find(&s->row[i].settings, key);

        if (!value || !add_value(&u, value))
            continue;
        for (size_t k = u.n - 1; k > 0 && settings_compare(u.v[k], u.v[k - 1]) < 0; k--) {
            const char *swap = u.v[k];

            u.v[k] = u.v[k - 1];
            u.v[k - 1] = swap;
        }
    }
    return u;
}

/* The setting that takes most values, the first of equals. */
static void choose_key(struct drawing *d)
{
    for (int k = 0; k < d->s->keys; k++) {
        struct values u = values_of(d->s, d->s->key[k]);

        if (u.n > 1 && u.n > d->values.n) {
            free(d->values.v);
            d->values = u;
            d->key = d->s->key[k];
        } else {
            free(u.v);
        }
    }
}

/* Enough of them for a curve, which can be told apart where they are; else they stand side by side.
 */
static bool are_numbers(const struct values *u)
{
    double least = INFINITY, most = 0;

    if (u->n < 4)
        return false;
    for (size_t i = 0; i < u->n; i++) {
        char *end;
        const double x = strtod(u->v[i], &end);

        if (*end || !isfinite(x) || x < 0)
            return false;
        if (x > 0)
            least = fmin(least, x);
        most = fmax(most, x);
    }
    return most <= 20 * least;
}

/* The settings besides the key that are not the same in all rows. */
static char *other_settings(const struct drawing *d, const struct row *row)
{
    struct buf b = BUF_INIT;

    for (int i = 0; i < row->settings.n; i++) {
        const struct setting *set = &row->settings.v[i];
        struct values u = values_of(d->s, set->key);

        if (u.n > 1 && strcmp(set->key, d->key) != 0)
            buf_printf(&b, "%s%s=%s", b.n ? ", " : "", set->key, set->value);
        free(u.v);
    }
    return b.p ? b.p : xstrdup("");
}

/* A line for each combination, or, where there are too many or no settings, the rows by their
 * names. */
static void find_lines(struct drawing *d)
{
    const struct summary *s = d->s;

    for (int i = 0; d->key && i < s->n; i++)
        if (settings_find(&s->row[i].settings, d->key)) {
            d->line_of[i] = other_settings(d, &s->row[i]);
            (void)add_value(&d->lines, d->line_of[i]);
        }
    if (d->key && d->lines.n <= LINES_MAX)
        return;
    d->key = NULL;
    d->values.n = d->lines.n = 0;
    for (int i = 0; i < s->n; i++) {
        free(d->line_of[i]);
        d->line_of[i] = xstrdup("");
        (void)add_value(&d->values, s->row[i].name);
    }
    (void)add_value(&d->lines, "");
}

/* Side by side, the whiskers of the lines do not cover each other. */
static double place_of(const struct drawing *d, const struct row *row, size_t line)
{
    const char *value = d->key ? settings_find(&row->settings, d->key) : row->name;
    size_t i = 0;

    if (d->numbers)
        return strtod(value, NULL);
    while (strcmp(d->values.v[i], value) != 0)
        i++;
    return (double)i + 0.08 * ((double)line - (double)(d->lines.n - 1) / 2);
}

/* Points of line L into P, which has room for all rows: x, y, low, high. */
static struct plot_series draw_line(const struct drawing *d, size_t l, double *const p[4],
                                    const char **label)
{
    struct plot_series series = { .name = *d->lines.v[l] ? d->lines.v[l] : NULL,
                                  .mark = d->key ? PLOT_LINE_POINTS : PLOT_POINTS,
                                  .x = p[0],
                                  .y = p[1],
                                  .low = p[2],
                                  .high = p[3],
                                  .label = label };

    for (int i = 0; i < d->s->n; i++) {
        const struct row *row = &d->s->row[i];
        const struct summed *sum = &row->rows[d->rows];

        if (!d->line_of[i] || strcmp(d->line_of[i], d->lines.v[l]) != 0)
            continue;
        p[0][series.n] = place_of(d, row, l);
        p[1][series.n] = sum->mean[ACCURACY];
        p[2][series.n] = sum->accuracy.low;
        p[3][series.n] = sum->accuracy.high;
        label[series.n++] = row == d->s->best ? "best" : NULL;
    }
    return series;
}

/* What naming the most frequent label would give, from end to end. */
static struct plot_series draw_baseline(const struct drawing *d, double x[2], double y[2])
{
    const struct row *row = &d->s->row[0];
    const size_t last = d->values.n - 1;

    x[0] = d->numbers ? strtod(d->values.v[0], NULL) : -0.5;
    x[1] = d->numbers ? strtod(d->values.v[last], NULL) : (double)last + 0.5;
    y[0] = y[1] = row->rows[d->rows].baseline;
    return (struct plot_series){ .name = "most frequent label",
                                 .mark = PLOT_LINE,
                                 .n = 2,
                                 .x = x,
                                 .y = y,
                                 .colour = PALETTE_SERIES_N };
}

static void draw(struct buf *b, const struct drawing *d, bool alone)
{
    struct plot_series *series = xnmalloc(d->lines.n + 1, sizeof *series);
    const size_t n = (size_t)d->s->n;
    double *room = xnmalloc(4 * n * d->lines.n, sizeof *room), x[2], y[2];
    const char **label = xnmalloc(n * d->lines.n, sizeof *label);
    struct buf note = BUF_INIT;

    for (size_t l = 0; l < d->lines.n; l++) {
        double *const at = room + 4 * n * l, *const p[4] = { at, at + n, at + 2 * n, at + 3 * n };

        series[l] = draw_line(d, l, p, label + n * l);
    }
    series[d->lines.n] = draw_baseline(d, x, y);
    buf_printf(&note, "whiskers: 95 %% (Wilson) for %lld records",
               (long long)d->s->row[0].rows[d->rows].n);
    const struct plot plot = {
        .id = "summary",
        .title = d->rows == ROWS_EVAL ? "Accuracy on evaluation rows" : "Accuracy",
        .x = { .name = d->key,
               .category = d->numbers ? NULL : d->values.v,
               .n_category = d->numbers ? 0 : d->values.n },
        .y = { .name = "accuracy", .percent = true },
        .series = series,
        .n = d->lines.n + 1,
        .note = note.p,
    };

    plot_svg(b, &plot, alone);
    free(series);
    free(room);
    free(label);
    buf_free(&note);
}

void summary_plot(struct buf *b, const struct summary *s, bool alone)
{
    struct drawing d = { .s = s, .rows = summary_rows(s) };

    d.line_of = xcalloc((size_t)s->n, sizeof *d.line_of);
    choose_key(&d);
    find_lines(&d);
    d.numbers = d.key && are_numbers(&d.values);
    draw(b, &d, alone);
    for (int i = 0; i < s->n; i++)
        free(d.line_of[i]);
    free(d.line_of);
    free(d.values.v);
    free(d.lines.v);
}
