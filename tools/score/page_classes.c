#include "interval.h"
#include "page_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- the picture ---- */

void page_recall(struct buf *b, const struct page *p, bool alone)
{
    const struct confusion *c = &p->all[0]->c;
    struct page_bars bars[PAGE_RUNS];

    for (int r = 0; r < p->n; r++)
        for (int i = 0; i < c->n; i++) {
            bars[r].share[i] = label_metrics(&p->all[r]->c, i).recall;
            bars[r].low[i] = p->all[r]->label[i].recall.low;
            bars[r].high[i] = p->all[r]->label[i].recall.high;
        }
    const struct plot plot = {
        .id = "recall",
        .title = "Recall of each label",
        .x = { .name = "true label", .category = c->name, .n_category = (size_t)c->n },
        .y = { .name = "recall", .percent = true, .min = 0, .max = 1 },
    };

    page_draw_bars(b, p, &plot, bars, alone);
}

/* ---- the table ---- */

static void put_share(struct buf *b, const struct page *p, int run, int label, const char *name,
                      double value, struct interval in)
{
    buf_puts(b, strcmp(name, "precision") ? "<td>" : "<td class=\"r\">");
    html_number(b, HTML_SHARE, value, "%sper_label.%d.%s", page_path(p, run), label, name);
    html_interval(b, HTML_SHARE, in, "%sper_label_intervals.%d.%s", page_path(p, run), label, name);
    buf_puts(b, "</td>");
}

static void put_cells(struct buf *b, const struct page *p, int run, int i)
{
    const struct assessment *a = p->all[run];
    const struct label_metrics l = label_metrics(&a->c, i);

    put_share(b, p, run, i, "precision", l.precision, a->label[i].precision);
    put_share(b, p, run, i, "recall", l.recall, a->label[i].recall);
    buf_puts(b, "<td>");
    html_number(b, HTML_FIGURE, l.f1, "%sper_label.%d.f1", page_path(p, run), i);
    if (a->boot)
        html_interval(b, HTML_FIGURE, a->boot->f1[i], "%sbootstrap.f1.%d", page_path(p, run), i);
    buf_puts(b, "</td>");
}

static int by_support(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    if (x[0] != y[0])
        return x[0] < y[0] ? 1 : -1;
    return x[1] < y[1] ? -1 : 1;
}

/* The labels with most records, in their order: true where label I is one of them. */
static bool *most_frequent(const struct confusion *c)
{
    int64_t(*v)[2] = xnmalloc((size_t)c->n, sizeof *v);
    bool *shown = xcalloc((size_t)c->n + 1, sizeof *shown);

    for (int i = 0; i < c->n; i++)
        v[i][0] = c->support[i], v[i][1] = i;
    qsort(v, (size_t)c->n, sizeof *v, by_support);
    for (int i = 0; i < c->n && i < LABELS_SHOWN; i++)
        shown[v[i][1]] = true;
    free(v);
    return shown;
}

/* The runs from FIRST up to END, which have the same labels. */
static void put_table(struct buf *b, const struct page *p, int first, int end)
{
    const struct confusion *c = &p->all[first]->c;
    bool *shown = most_frequent(c);

    buf_puts(b, "<div class=\"scroll\"><table>\n<thead>");
    page_run_groups(b, p, first, end, 3);
    buf_puts(b, "<tr><th scope=\"col\">label</th><th scope=\"col\">records</th>");
    for (int r = first; r < end; r++)
        buf_puts(b, "<th scope=\"col\" class=\"r\">precision</th><th scope=\"col\">recall</th><th "
                    "scope=\"col\">F1</th>");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < c->n; i++) {
        if (!shown[i])
            continue;
        buf_puts(b, "<tr><th scope=\"row\">");
        html_name(b, c->name[i], NAME_SHOWN);
        buf_puts(b, "</th><td>");
        html_number(b, HTML_COUNT, (double)c->support[i], "%sper_label.%d.support",
                    page_path(p, first), i);
        buf_puts(b, "</td>");
        for (int r = first; r < end; r++)
            put_cells(b, p, r, i);
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
    if (c->n > LABELS_SHOWN)
        html_put(
            b, "<p class=\"m\">The %d labels with most records, of %d; score --json has all.</p>\n",
            (int64_t)LABELS_SHOWN, (int64_t)c->n);
    free(shown);
}

/* Whether the runs have the same labels in the same order. */
static bool same_labels(const struct page *p)
{
    const struct confusion *a = &p->all[0]->c, *b = &p->all[p->n - 1]->c;
    bool same = a->n == b->n;

    for (int i = 0; same && i < a->n; i++)
        same = !strcmp(a->name[i], b->name[i]);
    return same;
}

bool page_has_recall(const struct page *p)
{
    return same_labels(p) && p->all[0]->c.n <= LABELS_DRAWN;
}

void page_classes(struct buf *b, const struct page *p)
{
    const bool same = same_labels(p);

    if (page_has_recall(p)) {
        buf_puts(b, "<figure>");
        page_recall(b, p, false);
        buf_puts(
            b,
            "<figcaption>Recall: how many of the records of each label were found. Thin lines are "
            "95\xc2\xa0% intervals; the fewer records, the longer.</figcaption></figure>\n");
    }
    for (int r = 0; r < p->n && !same; r++)
        put_table(b, p, r, r + 1);
    if (same)
        put_table(b, p, 0, p->n);
}
