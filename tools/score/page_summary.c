#include "page_parts.h"

#include <math.h>

/* ---- the first sentences ---- */

static void put_words_of(struct buf *b, const struct page *p, int i)
{
    const struct assessment *a = p->all[i];

    buf_puts(b, "<p class=\"say\">");
    if (p->n > 1) {
        html_name(b, a->run->name, NAME_SHOWN);
        buf_puts(b, ": ");
    }
    html_put(b, "%d of %d records are right, ", a->m.right, a->m.n);
    html_number(b, HTML_SHARE, a->m.figure[ACCURACY], "%saccuracy", page_path(p, i));
    buf_puts(b, " (95\xc2\xa0% interval ");
    html_interval(b, HTML_SHARE, a->accuracy, "%saccuracy_interval", page_path(p, i));
    buf_puts(b, ").");
    if (i == p->n - 1) {
        buf_puts(b, " Who always says ");
        html_name(b, a->majority, NAME_SHOWN);
        buf_puts(b, " has ");
        html_number(b, HTML_SHARE, a->baseline, "%sbaseline", page_path(p, i));
        buf_puts(b, above_baseline(a) ? "."
                    : a->baseline <= a->accuracy.high
                        ? ", inside that interval: the run may be no better."
                        : ", above that interval: the run is worse.");
    }
    buf_puts(b, "</p>\n");
}

void page_words(struct buf *b, const struct page *p)
{
    for (int i = 0; i < p->n; i++)
        put_words_of(b, p, i);
    if (p->comparison)
        page_conclusion(b, p->comparison);
}

/* ---- the table of numbers ---- */

enum { RECORDS = -2, NO_LABEL = -1 }; /* beside the figures */

static const struct measure {
    int figure;
    const char *title, *words;
    enum html_form form;
} measures[] = {
    { RECORDS, "records", "that were scored", HTML_COUNT },
    { ACCURACY, "accuracy",
      "share of records with the right label; its intervals are Wilson\xe2\x80\x99s and the "
      "bootstrap\xe2\x80\x99s",
      HTML_SHARE },
    { BALANCED, "balanced accuracy", "mean recall: each label counts the same", HTML_SHARE },
    { MACRO_F1, "macro F1", "mean F1 of the labels, 0 to 1", HTML_FIGURE },
    { WEIGHTED_F1, "weighted F1", "the same, weighted by records", HTML_FIGURE },
    { MCC, "Matthews correlation",
      "\xe2\x88\x92"
      "1 to 1; 0 is chance",
      HTML_FIGURE },
    { KAPPA, "Cohen's kappa", "agreement beyond chance, at most 1", HTML_FIGURE },
    { NO_LABEL, "no label", "predictions that are no label; they count as wrong", HTML_COUNT },
    { LOG_LOSS, "log loss", "nats; 0 is best", HTML_FIGURE },
    { BRIER, "Brier score", "squared error of the probabilities, 0 to 2; 0 is best", HTML_FIGURE },
    { ECE, "expected calibration error", "0 to 1; 0 is best", HTML_FIGURE },
};

enum { MEASURES = sizeof measures / sizeof *measures };

static bool some_have(const struct page *p, int figure)
{
    for (int i = 0; i < p->n; i++)
        if (metrics_has(&p->all[i]->m, figure))
            return true;
    return false;
}

static void put_cell(struct buf *b, const struct page *p, int i, const struct measure *m)
{
    const struct assessment *a = p->all[i];
    const char *path = page_path(p, i);

    buf_puts(b, "<td>");
    if (m->figure == RECORDS)
        html_number(b, m->form, (double)a->m.n, "%sn", path);
    else if (m->figure == NO_LABEL)
        html_number(b, m->form, (double)a->m.none, "%snone", path);
    else if (metrics_has(&a->m, m->figure))
        html_number(b, m->form, a->m.figure[m->figure], "%s%s", path, figure_name[m->figure]);
    else
        buf_puts(b, "\xe2\x80\x93");
    if (m->figure == ACCURACY)
        html_interval(b, m->form, a->accuracy, "%saccuracy_interval", path);
    if (m->figure >= 0 && m->figure < ECE && a->boot)
        html_interval(b, m->form, a->boot->figure[m->figure], "%sbootstrap.%s", path,
                      figure_name[m->figure]);
    buf_puts(b, "</td>");
}

static void put_head(struct buf *b, const char *title, const char *words)
{
    html_put(b, "<tr><th scope=\"row\">%s<span class=\"u\">%s</span></th>", title, words);
}

static void put_row(struct buf *b, const struct page *p, const struct measure *m)
{
    put_head(b, m->title, m->words);
    for (int i = 0; i < p->n; i++)
        put_cell(b, p, i, m);
    buf_puts(b, "</tr>\n");
}

static void put_baseline(struct buf *b, const struct page *p)
{
    put_head(b, "baseline", "accuracy of who always says the most frequent label");
    for (int i = 0; i < p->n; i++) {
        buf_puts(b, "<td>");
        html_number(b, HTML_SHARE, p->all[i]->baseline, "%sbaseline", page_path(p, i));
        buf_puts(b, "<span class=\"i\">");
        html_name(b, p->all[i]->majority, NAME_SHOWN);
        buf_puts(b, "</span></td>");
    }
    buf_puts(b, "</tr>\n");
}

static void put_table(struct buf *b, const struct page *p)
{
    buf_puts(b, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">number</th>");
    for (int i = 0; i < p->n; i++)
        page_run_column(b, p, i, "value");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int k = 0; k < MEASURES; k++)
        if (some_have(p, measures[k].figure)) {
            put_row(b, p, &measures[k]);
            if (measures[k].figure == ACCURACY)
                put_baseline(b, p);
        }
    buf_puts(b, "</tbody></table></div>\n");
}

void page_accuracies(struct buf *b, const struct page *p, bool alone)
{
    double v[PAGE_RUNS + 1], low[PAGE_RUNS + 1], high[PAGE_RUNS + 1];
    const char *name[PAGE_RUNS + 1];
    const int n = p->n;

    for (int i = 0; i < n; i++) {
        const struct assessment *a = p->all[i];

        v[i] = a->m.figure[ACCURACY];
        low[i] = a->accuracy.low;
        high[i] = a->accuracy.high;
        name[i] = a->run->name;
    }
    v[n] = p->all[n - 1]->baseline;
    low[n] = high[n] = NAN;
    name[n] = "baseline";
    const struct plot_series series = {
        .mark = PLOT_POINTS, .n = (size_t)n + 1, .y = v, .low = low, .high = high
    };
    const struct plot plot = {
        .id = "accuracy",
        .title = "Accuracy with its 95\xc2\xa0% interval",
        .x = { .category = name, .n_category = (size_t)n + 1 },
        .y = { .name = "accuracy", .percent = true, .min = 0, .max = 1 },
        .series = &series,
        .n = 1,
    };

    plot_svg(b, &plot, alone);
}

void page_summary(struct buf *b, const struct page *p)
{
    buf_puts(b, "<div class=\"figures\">\n<figure>");
    page_accuracies(b, p, false);
    buf_puts(b, "<figcaption>Points are accuracy, thin lines the 95\xc2\xa0% intervals. The "
                "baseline is who "
                "always says the most frequent label.</figcaption></figure>\n<div>\n");
    put_table(b, p);
    buf_puts(b, "</div></div>\n");
}
