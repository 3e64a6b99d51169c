#include "interval.h"
#include "page_parts.h"
#include "palette.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- are probabilities what they say ---- */

/* The bins of a run that hold records, as points of a picture. */
struct reliability {
    int n;
    double confidence[ECE_BINS], accuracy[ECE_BINS], low[ECE_BINS], high[ECE_BINS];
};

static void reliability_of(struct reliability *r, const struct tally *t)
{
    r->n = 0;
    for (int i = 0; i < ECE_BINS; i++) {
        const struct calibration bin = calibration_bin(t, i);
        const struct interval in = interval_wilson((double)t->bin[i].right, (double)t->bin[i].n);

        if (!bin.n)
            continue;
        r->confidence[r->n] = bin.confidence;
        r->accuracy[r->n] = bin.accuracy;
        r->low[r->n] = in.low;
        r->high[r->n++] = in.high;
    }
}

static void put_reliability(struct buf *b, const struct page *p, int run)
{
    struct reliability r;
    char id[32];

    reliability_of(&r, &p->all[run]->slice->tally);
    (void)snprintf(id, sizeof id, "reliability-%d", run + 1);
    const struct plot_series series = { .mark = PLOT_LINE_POINTS,
                                        .n = (size_t)r.n,
                                        .x = r.confidence,
                                        .y = r.accuracy,
                                        .low = r.low,
                                        .high = r.high,
                                        .colour = run % PALETTE_SERIES_N + 1 };
    const struct plot plot = {
        .id = id,
        .title = "Share of right records against stated probability",
        .x = { .name = "stated probability", .percent = true, .min = 0, .max = 1 },
        .y = { .name = "right records", .percent = true, .min = 0, .max = 1 },
        .series = &series,
        .n = 1,
        .diagonal = true,
        .height = 340,
    };

    plot_svg(b, &plot, false);
}

/* The bounds of bin I. */
static void put_bounds(struct buf *b, int i)
{
    buf_printf(b, "<span class=\"n\">%.1f to %.1f\xc2\xa0%%</span>", 100.0 * i / ECE_BINS,
               100.0 * (i + 1) / ECE_BINS);
}

static void put_bins(struct buf *b, const struct page *p, int run)
{
    const struct tally *t = &p->all[run]->slice->tally;

    buf_puts(b, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">probability</th>"
                "<th scope=\"col\">records</th><th scope=\"col\">stated</th>"
                "<th scope=\"col\">right</th></tr></thead>\n<tbody>\n");
    for (int i = 0, k = 0; i < ECE_BINS; i++) {
        const struct calibration bin = calibration_bin(t, i);

        if (!bin.n)
            continue;
        buf_puts(b, "<tr><th scope=\"row\">");
        put_bounds(b, i);
        buf_puts(b, "</th><td>");
        html_number(b, HTML_COUNT, (double)bin.n, "%scalibration.%d.n", page_path(p, run), k);
        buf_puts(b, "</td><td>");
        html_number(b, HTML_SHARE, bin.confidence, "%scalibration.%d.confidence", page_path(p, run),
                    k);
        buf_puts(b, "</td><td>");
        html_number(b, HTML_SHARE, bin.accuracy, "%scalibration.%d.accuracy", page_path(p, run),
                    k++);
        buf_puts(b, "</td></tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

void page_calibration(struct buf *b, const struct page *p)
{
    buf_puts(b, "<div class=\"figures\">\n");
    for (int i = 0; i < p->n; i++) {
        if (!p->all[i]->m.scored)
            continue;
        buf_puts(b, "<figure>");
        page_run_heading(b, p, i);
        put_reliability(b, p, i);
        buf_puts(b, "<figcaption>Expected calibration error ");
        html_number(b, HTML_FIGURE, p->all[i]->m.figure[ECE], "%sece", page_path(p, i));
        html_put(b,
                 ": the mean distance to the diagonal, over %d bins and weighted by records; 0 is "
                 "best. Thin lines are 95\xc2\xa0%% intervals.</figcaption>\n",
                 (int64_t)ECE_BINS);
        put_bins(b, p, i);
        buf_puts(b, "</figure>\n");
    }
    buf_puts(b, "</div>\n");
}

/* ---- the least certain are left to a person ---- */

struct risk {
    struct coverage *curve;
    size_t n;
    double *x, *y; /* (n) */
};

static void risk_init(struct risk *r, const struct scored_run *run)
{
    r->curve = coverage_curve(run, &r->n);
    r->x = xnmalloc(r->n, sizeof *r->x);
    r->y = xnmalloc(r->n, sizeof *r->y);
    for (size_t i = 0; i < r->n; i++) {
        r->x[i] = (double)r->curve[i].n / (double)run->n;
        r->y[i] = (double)r->curve[i].right / (double)r->curve[i].n;
    }
}

static void risk_free(struct risk *r)
{
    free(r->curve);
    free(r->x);
    free(r->y);
}

static void put_risk_cell(struct buf *b, const struct page *p, int run, int i)
{
    const struct coverage *c = &p->findings[run].coverage[i];

    buf_puts(b, "<td>");
    html_number(b, HTML_SHARE, (double)c->right / (double)c->n, "%scoverage.%d.accuracy",
                page_path(p, run), i);
    buf_puts(b, "<span class=\"i n\">");
    html_number(b, HTML_COUNT, (double)c->n, "%scoverage.%d.n", page_path(p, run), i);
    buf_puts(b, " records</span><span class=\"i n\">p \xe2\x89\xa5 ");
    html_number(b, HTML_SHARE, c->least, "%scoverage.%d.least", page_path(p, run), i);
    buf_puts(b, "</span></td>");
}

static void put_risk_table(struct buf *b, const struct page *p, const int *run, int n)
{
    buf_puts(b, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">kept<span "
                "class=\"u\">at least</span></th>");
    for (int k = 0; k < n; k++)
        page_run_column(b, p, run[k], "accuracy of the kept");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < COVERAGES; i++) {
        buf_puts(b, "<tr><th scope=\"row\">");
        html_figure(b, HTML_SHARE, coverage_share[i]);
        buf_puts(b, "</th>");
        for (int k = 0; k < n; k++)
            put_risk_cell(b, p, run[k], i);
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

void page_coverage(struct buf *b, const struct page *p)
{
    struct risk r[PAGE_RUNS];
    struct plot_series series[PAGE_RUNS];
    int run[PAGE_RUNS], n = 0;

    for (int i = 0; i < p->n; i++) {
        if (!p->all[i]->m.scored)
            continue;
        risk_init(&r[n], p->all[i]->run);
        series[n] = (struct plot_series){ .name = p->n > 1 ? p->all[i]->run->name : NULL,
                                          .mark = PLOT_LINE,
                                          .n = r[n].n,
                                          .x = r[n].x,
                                          .y = r[n].y };
        run[n++] = i;
    }
    const struct plot plot = {
        .id = "coverage-curve",
        .title = "Accuracy of the records that are kept",
        .x = { .name = "kept records", .percent = true, .min = 0, .max = 1 },
        .y = { .name = "accuracy", .percent = true },
        .series = series,
        .n = (size_t)n,
    };

    buf_puts(b, "<div class=\"figures\">\n<figure>");
    plot_svg(b, &plot, false);
    buf_puts(b,
             "<figcaption>From right to left more and more of the uncertain records are left to a "
             "person; the accuracy is that of the others. At the far left it is of few records and "
             "jumps.</figcaption></figure>\n<div>\n");
    put_risk_table(b, p, run, n);
    buf_puts(b, "</div></div>\n");
    for (int i = 0; i < n; i++)
        risk_free(&r[i]);
}
