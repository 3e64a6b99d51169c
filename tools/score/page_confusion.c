#include "heat.h"
#include "page_parts.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * What a picture of a confusion matrix shows: all labels, or the ones that are confused most and
 * the others together.
 */
struct shown {
    int *label, n; /* their indices, in the order of the labels */
    bool others;   /* a last row and column for all the rest */
    bool none;     /* a column for predictions that are no label */
    size_t rows, columns;
    const char **row, **column;
    int64_t *count;
};

static int64_t confused(const struct confusion *c, int i)
{
    return c->support[i] + c->predicted[i] - 2 * c->count[i * c->n + i];
}

/* The LABELS_DRAWN labels with most errors; of equal ones the first. */
static void choose(struct shown *s, const struct confusion *c)
{
    bool *taken = xcalloc((size_t)c->n + 1, sizeof *taken);

    for (s->n = 0; s->n < c->n && s->n < LABELS_DRAWN; s->n++) {
        int best = -1;

        for (int i = 0; i < c->n; i++)
            if (!taken[i] && (best < 0 || confused(c, i) > confused(c, best)))
                best = i;
        taken[best] = true;
    }
    s->label = xnmalloc((size_t)s->n, sizeof *s->label);
    for (int i = 0, k = 0; i < c->n; i++)
        if (taken[i])
            s->label[k++] = i;
    free(taken);
    s->others = c->n > s->n;
}

static void put_names(struct shown *s, const struct confusion *c)
{
    static const char others[] = "all others", none[] = "none";

    s->row = xnmalloc(s->rows, sizeof *s->row);
    s->column = xnmalloc(s->columns, sizeof *s->column);
    for (int i = 0; i < s->n; i++)
        s->row[i] = s->column[i] = c->name[s->label[i]];
    if (s->others)
        s->row[s->n] = s->column[s->n] = others;
    if (s->none)
        s->column[s->columns - 1] = none;
}

static void add_counts(struct shown *s, const struct confusion *c)
{
    int *to = xnmalloc((size_t)c->n, sizeof *to); /* where each label went */

    s->count = xcalloc(s->rows * s->columns, sizeof *s->count);
    for (int i = 0; i < c->n; i++)
        to[i] = s->n;
    for (int i = 0; i < s->n; i++)
        to[s->label[i]] = i;
    for (int i = 0; i < c->n; i++) {
        int64_t *row = s->count + (size_t)to[i] * s->columns;

        for (int k = 0; k < c->n; k++)
            row[to[k]] += c->count[i * c->n + k];
        if (s->none)
            row[s->columns - 1] += c->none[i];
    }
    free(to);
}

static void shown_init(struct shown *s, const struct assessment *a)
{
    *s = (struct shown){ .none = a->m.none > 0 };
    choose(s, &a->c);
    s->rows = (size_t)s->n + s->others;
    s->columns = s->rows + s->none;
    put_names(s, &a->c);
    add_counts(s, &a->c);
}

static void shown_free(struct shown *s)
{
    free(s->label);
    free(s->row);
    free(s->column);
    free(s->count);
}

void page_heat(struct buf *b, const struct assessment *a, const char *id, const char *title,
               bool alone)
{
    struct shown s;

    shown_init(&s, a);
    const struct heat h = {
        .id = id,
        .title = title,
        .desc = "Each row is a true label, each column what was predicted.",
        .note = s.others && alone ? "The labels that are confused most, and all others." : NULL,
        .rows_name = "true label",
        .columns_name = "predicted label",
        .n_rows = s.rows,
        .n_columns = s.columns,
        .row = s.row,
        .column = s.column,
        .count = s.count,
    };

    heat_svg(b, &h, alone);
    shown_free(&s);
}

/* ---- the most frequent confusions ---- */

enum { PAIRS_SHOWN = 8 };

static void put_pairs(struct buf *b, const struct page *p, int run)
{
    const struct confusion *c = &p->all[run]->c;
    size_t n;
    struct confused *v = confusion_list(c, &n);

    if (n)
        buf_puts(b,
                 "<div class=\"scroll\"><table>\n<caption>Most frequent "
                 "confusions</caption>\n<thead><tr>"
                 "<th scope=\"col\">true label</th><th scope=\"col\" class=\"t\">predicted</th>"
                 "<th scope=\"col\">records</th><th scope=\"col\">share of the true label</th></tr>"
                 "</thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < PAIRS_SHOWN; i++) {
        buf_puts(b, "<tr><th scope=\"row\">");
        html_name(b, c->name[v[i].truth], NAME_SHOWN);
        buf_puts(b, "</th><td class=\"t\">");
        html_name(b, v[i].pred == c->n ? "none" : c->name[v[i].pred], NAME_SHOWN);
        buf_puts(b, "</td><td>");
        html_number(b, HTML_COUNT, (double)v[i].times, "%sconfusion.%d.%d", page_path(p, run),
                    v[i].truth, v[i].pred);
        buf_puts(b, "</td><td>");
        html_figure(b, HTML_SHARE, (double)v[i].times / (double)c->support[v[i].truth]);
        buf_puts(b, "</td></tr>\n");
    }
    if (n)
        buf_puts(b, "</tbody></table></div>\n");
    free(v);
}

void page_confusion(struct buf *b, const struct page *p)
{
    buf_puts(b, "<div class=\"figures\">\n");
    for (int i = 0; i < p->n; i++) {
        char id[32];

        (void)snprintf(id, sizeof id, "confusion-%d", i + 1);
        buf_puts(b, "<figure>");
        page_run_heading(b, p, i);
        page_heat(b, p->all[i], id, "Confusion matrix", false);
        buf_puts(b, "<figcaption>");
        if (p->all[i]->c.n > LABELS_DRAWN)
            html_put(
                b, "The %d labels that are confused most; all others are one row and one column. ",
                (int64_t)LABELS_DRAWN);
        buf_puts(b, "Counts of records; the shade is the share of the row.</figcaption>\n");
        put_pairs(b, p, i);
        buf_puts(b, "</figure>\n");
    }
    buf_puts(b, "</div>\n");
}
