/* The summary as a table for people; on a terminal as wide as that, and with bars. */
#include "report_terminal.h"
#include "summary.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>

enum { NAME_LEAST = 8 };

struct column {
    bool left; /* its cells begin at the left */
    int rank;  /* those with the highest are left out first where there is no room; 0: never */
    int width;
};

struct table { /* of cells, filled line by line, the titles first */
    struct buf *cell;
    int n;
    struct column *column;
    int columns;
};

/* Another cell, to be written to before the next. */
static struct buf *add_cell(struct table *t)
{
    t->cell = xnrealloc(t->cell, (size_t)t->n + 1, sizeof *t->cell);
    t->cell[t->n] = (struct buf)BUF_INIT;
    return &t->cell[t->n++];
}

static void add_figure(struct table *t, double v)
{
    if (isnan(v))
        buf_puts(add_cell(t), "-");
    else
        buf_printf(add_cell(t), "%.4f", v);
}

/* ---- what stands in it ---- */

static void add_title(struct table *t, const char *prefix, const char *title, bool left, int rank)
{
    t->column = xnrealloc(t->column, (size_t)t->columns + 1, sizeof *t->column);
    t->column[t->columns++] = (struct column){ left, rank, 0 };
    buf_printf(add_cell(t), "%s%s", prefix, title);
}

static void add_titles(struct table *t, const struct summary *s, bool sd)
{
    if (s->named)
        add_title(t, "", "run", true, 0);
    for (int k = 0; k < s->keys; k++)
        add_title(t, "", s->key[k], true, 0);
    if (sd)
        add_title(t, "", "runs", false, 5);
    for (int rows = 0; rows < ROWS; rows++) {
        const char *prefix = rows == ROWS_EVAL ? "eval " : "";
        const int rank = rows == ROWS_EVAL ? 7 : 1;

        if (!s->rows[rows])
            continue;
        add_title(t, prefix, "n", false, rank + 3);
        add_title(t, prefix, "accuracy", false, 0);
        add_title(t, "", "95 % interval", false, rank + 1);
        if (sd)
            add_title(t, "", "sd", false, rank);
    }
    add_title(t, "", "macro_f1", false, 11);
    if (s->scored)
        add_title(t, "", "log_loss", false, 12);
    add_title(t, "", "baseline", false, 6);
    add_title(t, "", "", true, 0);
}

static void add_summed(struct table *t, const struct summed *sum, bool sd)
{
    buf_printf(add_cell(t), "%lld", (long long)sum->n);
    add_figure(t, sum->mean[ACCURACY]);
    buf_printf(add_cell(t), "%.4f to %.4f", sum->accuracy.low, sum->accuracy.high);
    if (sd)
        add_figure(t, sum->sd[ACCURACY]);
}

static void add_row(struct table *t, const struct summary *s, const struct row *row, bool sd)
{
    const struct summed *sum = &row->rows[summary_rows(s)];

    if (s->named)
        buf_puts(add_cell(t), row->name);
    for (int k = 0; k < s->keys; k++) {
        const char *value = settings_find(&row->settings, s->key[k]);

        buf_puts(add_cell(t), value ? value : "");
    }
    if (sd)
        buf_printf(add_cell(t), "%d", row->runs);
    for (int rows = 0; rows < ROWS; rows++)
        if (s->rows[rows])
            add_summed(t, &row->rows[rows], sd);
    add_figure(t, sum->mean[MACRO_F1]);
    if (s->scored)
        add_figure(t, sum->mean[LOG_LOSS]);
    add_figure(t, sum->baseline);
    buf_puts(add_cell(t), row == s->best ? "best" : "");
}

/* ---- how it is laid out ---- */

/* Columns that the table takes. */
static int total_width(const struct table *t)
{
    int total = -2;

    for (int c = 0; c < t->columns; c++)
        total += t->column[c].width >= 0 ? t->column[c].width + 2 : 0;
    return total;
}

static void measure(struct table *t)
{
    for (int i = 0; i < t->n; i++) {
        struct column *c = &t->column[i % t->columns];
        struct buf shown = BUF_INIT;

        utf8_show_line(&shown, t->cell[i].p);
        const int width = (int)term_columns(shown.p, shown.n);

        c->width = width > c->width ? width : c->width;
        buf_free(&shown);
    }
}

/* Leaves columns out, and cuts the first one, until the table is no wider than WIDTH; returns how
 * many were left out. */
static int fit(struct table *t, int width)
{
    int out = 0;

    while (total_width(t) > width) {
        int most = 0;

        for (int c = 1; c < t->columns; c++)
            most = t->column[c].width >= 0 && t->column[c].rank > t->column[most].rank ? c : most;
        if (t->column[most].rank == 0)
            break;
        t->column[most].width = -1;
        t->column[most].rank = 0;
        out++;
    }
    const int wanted = t->column[0].width - (total_width(t) - width);

    if (t->column[0].width > wanted && t->column[0].width > NAME_LEAST)
        t->column[0].width = wanted > NAME_LEAST ? wanted : NAME_LEAST;
    return out;
}

static void put_line(struct buf *b, const struct table *t, int line, const struct term *term)
{
    bool first = true;

    for (int c = 0; c < t->columns; c++) {
        if (t->column[c].width < 0)
            continue;
        buf_puts(b, first ? "" : "  ");
        term_pad(b, term, t->cell[line * t->columns + c].p, (size_t)t->column[c].width,
                 !t->column[c].left);
        first = false;
    }
}

void summary_text(struct buf *b, const struct summary *s, const struct term *term)
{
    const bool sd = summary_means(s);
    struct table t = { 0 };
    int out = 0;

    add_titles(&t, s, sd);
    for (int i = 0; i < s->n; i++)
        add_row(&t, s, &s->row[i], sd);
    measure(&t);
    if (term->shown)
        out = fit(&t, term->width);
    for (int i = 0; i <= s->n; i++) {
        put_line(b, &t, i, term);
        if (i && term->shown)
            terminal_bar(b, term, s->row[i - 1].rows[summary_rows(s)].mean[ACCURACY],
                         total_width(&t));
        terminal_end_line(b);
    }
    if (out)
        buf_printf(b, "%d more column%s: --tsv\n", out, out > 1 ? "s" : "");
    for (int i = 0; i < t.n; i++)
        buf_free(&t.cell[i]);
    free(t.cell);
    free(t.column);
}
