/* The summary as lines of tab-separated values, as JSON lines and as a table for people. */
#include "summary.h"

#include "json.h"
#include "report.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- TSV ---- */

static void put_tabbed(struct buf *b, double v)
{
    buf_putc(b, '\t');
    json_put_double(b, v);
}

static void put_head(struct buf *b, const char *prefix, bool sd)
{
    buf_printf(b, "\t%sn\t%saccuracy\t%saccuracy_low\t%saccuracy_high", prefix, prefix, prefix,
               prefix);
    if (sd)
        buf_printf(b, "\t%saccuracy_sd", prefix);
    for (int f = ACCURACY + 1; f < FIGURES; f++) {
        buf_printf(b, "\t%s%s", prefix, figure_name[f]);
        if (sd)
            buf_printf(b, "\t%s%s_sd", prefix, figure_name[f]);
    }
    buf_printf(b, "\t%sbaseline", prefix);
}

static void put_cells(struct buf *b, const struct summed *sum, bool sd)
{
    buf_printf(b, "\t%lld", (long long)sum->n);
    for (int f = 0; f < FIGURES; f++) {
        put_tabbed(b, sum->mean[f]);
        if (f == ACCURACY) {
            put_tabbed(b, sum->accuracy.low);
            put_tabbed(b, sum->accuracy.high);
        }
        if (sd)
            put_tabbed(b, sum->sd[f]);
    }
    put_tabbed(b, sum->baseline);
}

void summary_tsv(struct buf *b, const struct summary *s, bool sd)
{
    buf_puts(b, "name");
    for (int k = 0; k < s->keys; k++) {
        buf_putc(b, '\t');
        utf8_show_line(b, s->key[k]);
    }
    buf_puts(b, "\truns");
    if (s->rows[ROWS_TEST])
        put_head(b, "", sd);
    if (s->rows[ROWS_EVAL])
        put_head(b, "eval_", sd);
    buf_puts(b, "\tbest\n");
    for (int i = 0; i < s->n; i++) {
        const struct row *row = &s->row[i];

        utf8_show_line(b, row->name);
        for (int k = 0; k < s->keys; k++) {
            const char *value = settings_find(&row->settings, s->key[k]);

            buf_putc(b, '\t');
            utf8_show_line(b, value ? value : "");
        }
        buf_printf(b, "\t%d", row->runs);
        if (s->rows[ROWS_TEST])
            put_cells(b, &row->rows[ROWS_TEST], sd);
        if (s->rows[ROWS_EVAL])
            put_cells(b, &row->rows[ROWS_EVAL], sd);
        buf_puts(b, row->best ? "\t1\n" : "\t0\n");
    }
}

/* ---- JSON ---- */

static void put_text(struct buf *b, const char *s)
{
    json_put_text(b, s, strlen(s));
}

static void put_value(struct buf *b, const char *name, double v)
{
    buf_printf(b, ", \"%s\": ", name);
    json_put_double(b, v);
}

static void put_summed(struct buf *b, const struct summed *sum, bool sd)
{
    buf_printf(b, "\"n\": %lld", (long long)sum->n);
    for (int f = 0; f < FIGURES; f++) {
        put_value(b, figure_name[f], sum->mean[f]);
        if (f == ACCURACY) {
            buf_puts(b, ", \"accuracy_interval\": [");
            json_put_double(b, sum->accuracy.low);
            buf_puts(b, ", ");
            json_put_double(b, sum->accuracy.high);
            buf_putc(b, ']');
        }
        if (sd) {
            buf_printf(b, ", \"%s_sd\": ", figure_name[f]);
            json_put_double(b, sum->sd[f]);
        }
    }
    put_value(b, "baseline", sum->baseline);
}

void summary_json(struct buf *b, const struct summary *s, bool sd)
{
    for (int i = 0; i < s->n; i++) {
        const struct row *row = &s->row[i];

        buf_puts(b, "{\"name\": ");
        put_text(b, row->name);
        buf_puts(b, ", \"settings\": {");
        for (int k = 0; k < row->settings.n; k++) {
            buf_puts(b, k ? ", " : "");
            put_text(b, row->settings.v[k].key);
            buf_puts(b, ": ");
            put_text(b, row->settings.v[k].value);
        }
        buf_printf(b, "}, \"runs\": %d, ", row->runs);
        if (s->rows[ROWS_TEST])
            put_summed(b, &row->rows[ROWS_TEST], sd);
        if (s->rows[ROWS_EVAL]) {
            buf_puts(b, s->rows[ROWS_TEST] ? ", \"eval\": {" : "\"eval\": {");
            put_summed(b, &row->rows[ROWS_EVAL], sd);
            buf_putc(b, '}');
        }
        buf_printf(b, ", \"best\": %s}\n", row->best ? "true" : "false");
    }
}

/* ---- text ---- */

struct table { /* of cells, filled line by line */
    char **cell;
    int n, columns, names; /* the first NAMES columns begin at the left */
};

static void add_cell(struct table *t, struct buf *b)
{
    t->cell = xnrealloc(t->cell, (size_t)t->n + 1, sizeof *t->cell);
    t->cell[t->n++] = b->p ? b->p : xstrdup("");
    *b = (struct buf)BUF_INIT;
}

static void add_words(struct table *t, const char *s)
{
    struct buf b = BUF_INIT;

    utf8_show_line(&b, s);
    add_cell(t, &b);
}

static void add_figure(struct table *t, double v)
{
    struct buf b = BUF_INIT;

    if (isnan(v))
        buf_putc(&b, '-');
    else
        buf_printf(&b, "%.4f", v);
    add_cell(t, &b);
}

static void put_table(struct buf *b, struct table *t)
{
    for (int i = 0; i < t->n; i++) {
        const int column = i % t->columns;
        int width = 0;

        for (int k = column; k < t->n; k += t->columns)
            width = text_width(t->cell[k]) > width ? text_width(t->cell[k]) : width;
        const int blanks = width - text_width(t->cell[i]);

        if (column >= t->names)
            buf_printf(b, "%*s", blanks, "");
        buf_puts(b, t->cell[i]);
        if (column < t->names)
            buf_printf(b, "%*s", blanks, "");
        while (column + 1 == t->columns && b->p[b->n - 1] == ' ')
            b->n--;
        buf_puts(b, column + 1 < t->columns ? "  " : "\n");
    }
    for (int i = 0; i < t->n; i++)
        free(t->cell[i]);
    free(t->cell);
}

/* The titles of the columns about one kind of rows. */
static void add_titles(struct table *t, const char *prefix, bool sd)
{
    static const char *const title[] = { "n", "accuracy", "95 % interval", "sd" };
    struct buf b = BUF_INIT;

    for (int i = 0; i < 3 + sd; i++) {
        buf_printf(&b, "%s%s", i < 2 ? prefix : "", title[i]);
        add_cell(t, &b);
    }
}

static void add_summed(struct table *t, const struct summed *sum, bool sd)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "%lld", (long long)sum->n);
    add_cell(t, &b);
    add_figure(t, sum->mean[ACCURACY]);
    buf_printf(&b, "%.4f to %.4f", sum->accuracy.low, sum->accuracy.high);
    add_cell(t, &b);
    if (sd)
        add_figure(t, sum->sd[ACCURACY]);
}

static void add_head(struct table *t, const struct summary *s, bool sd)
{
    if (s->named)
        add_words(t, "run");
    for (int k = 0; k < s->keys; k++)
        add_words(t, s->key[k]);
    if (sd)
        add_words(t, "runs");
    for (int rows = 0; rows < ROWS; rows++)
        if (s->rows[rows])
            add_titles(t, rows == ROWS_EVAL ? "eval " : "", sd);
    add_words(t, "macro_f1");
    if (s->scored)
        add_words(t, "log_loss");
    add_words(t, "baseline");
    add_words(t, "");
}

static void add_row(struct table *t, const struct summary *s, const struct row *row, bool sd)
{
    const struct summed *last = &row->rows[s->rows[ROWS_TEST] ? ROWS_TEST : ROWS_EVAL];
    struct buf runs = BUF_INIT;

    if (s->named)
        add_words(t, row->name);
    for (int k = 0; k < s->keys; k++) {
        const char *value = settings_find(&row->settings, s->key[k]);

        add_words(t, value ? value : "");
    }
    buf_printf(&runs, "%d", row->runs);
    if (sd)
        add_cell(t, &runs);
    buf_free(&runs);
    for (int rows = 0; rows < ROWS; rows++)
        if (s->rows[rows])
            add_summed(t, &row->rows[rows], sd);
    add_figure(t, last->mean[MACRO_F1]);
    if (s->scored)
        add_figure(t, last->mean[LOG_LOSS]);
    add_figure(t, last->baseline);
    add_words(t, row->best ? "best" : "");
}

void summary_text(struct buf *b, const struct summary *s, bool sd)
{
    struct table t = { .names = s->named + s->keys };

    add_head(&t, s, sd);
    t.columns = t.n;
    for (int i = 0; i < s->n; i++)
        add_row(&t, s, &s->row[i], sd);
    put_table(b, &t);
}
