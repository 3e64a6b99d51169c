/* The summary as a page of HTML: what comes out, and the tables. */
#include "page_html.h"
#include "page_parts.h"
#include "summary.h"

#include <math.h>

struct summary_page {
    const struct summary *s;
    const struct summary_options *o;
    bool sd; /* rows are means of several runs */
};

static const char *const kind_name[ROWS] = { "test records", "evaluation records" };

/* ---- numbers, each with its place in the lines of score --json ---- */

/* Behind the number of the row. */
static const char *path_of(enum rows kind)
{
    return kind == ROWS_EVAL ? "eval." : "";
}

static void put_number(struct buf *b, int row, enum rows kind, enum html_form form, double v,
                       const char *name)
{
    html_number(b, form, v, "%d.%s%s", row, path_of(kind), name);
}

/* " &#177; 1.2 %" where the row has several runs. */
static void put_deviation(struct buf *b, int row, enum rows kind, enum html_form form, double sd,
                          const char *name)
{
    if (isnan(sd))
        return;
    buf_puts(b, "<span class=\"i\">\xc2\xb1\xc2\xa0");
    html_number(b, form, sd, "%d.%s%s_sd", row, path_of(kind), name);
    buf_puts(b, "</span>");
}

static void put_accuracy_interval(struct buf *b, int row, enum rows kind, const struct summed *sum)
{
    html_interval(b, HTML_SHARE, sum->accuracy, "%d.%saccuracy_interval", row, path_of(kind));
}

/* "88.3 % (95 % interval 85.0 to 91.0 %)". */
static void put_accuracy(struct buf *b, int row, enum rows kind, const struct summed *sum)
{
    put_number(b, row, kind, HTML_SHARE, sum->mean[ACCURACY], "accuracy");
    buf_puts(b, " (95\xc2\xa0% interval ");
    put_accuracy_interval(b, row, kind, sum);
    buf_puts(b, ")");
}

/* ---- the first sentences ---- */

static int64_t count_runs(const struct summary *s)
{
    int64_t runs = 0;

    for (int i = 0; i < s->n; i++)
        runs += s->row[i].runs;
    return runs;
}

static enum rows main_kind(const struct summary *s)
{
    return s->rows[ROWS_TEST] ? ROWS_TEST : ROWS_EVAL;
}

static void put_size(struct buf *b, const struct summary_page *p)
{
    if (!p->sd)
        return;
    html_put(b, "<p class=\"say\">%d row%s mean of runs that differ in ", (int64_t)p->s->n,
             p->s->n == 1 ? ", the" : "s, each the");
    for (int i = 0; i < p->o->over->n; i++) {
        buf_puts(b, i ? " and " : "");
        html_name(b, p->o->over->v[i], NAME_SHOWN);
    }
    buf_puts(b, " alone.</p>\n");
}

/* Other rows whose accuracy lies within the interval of row BEST. */
static int64_t count_rivals(const struct summary *s, int best)
{
    const double low = s->row[best].rows[ROWS_EVAL].accuracy.low;
    int64_t rivals = 0;

    for (int i = 0; i < s->n; i++)
        rivals += i != best && s->row[i].rows[ROWS_EVAL].mean[ACCURACY] >= low;
    return rivals;
}

static void put_best(struct buf *b, const struct summary_page *p)
{
    const int best = summary_best(p->s);
    const struct row *row = best < 0 ? NULL : &p->s->row[best];

    if (!row)
        return;
    html_put(b, "<p class=\"say\">Chosen by %s on evaluation records: ", p->o->best);
    html_name(b, row->name, 4 * NAME_SHOWN);
    buf_puts(b, ", accuracy ");
    put_accuracy(b, best, ROWS_EVAL, &row->rows[ROWS_EVAL]);
    buf_puts(b, ".");
    if (p->s->rows[ROWS_TEST]) {
        buf_puts(b, " On test records, which choose nothing: ");
        put_accuracy(b, best, ROWS_TEST, &row->rows[ROWS_TEST]);
        buf_puts(b, ".");
    }
    const int64_t rivals = count_rivals(p->s, best);

    if (p->s->n > 1)
        html_put(
            b,
            " Of %d other row%s, %d ha%s an accuracy inside that interval of evaluation records or "
            "above it: among these the choice may be chance.",
            (int64_t)p->s->n - 1, p->s->n == 2 ? "" : "s", rivals, rivals == 1 ? "s" : "ve");
    buf_puts(b, "</p>\n");
}

/* A gain is told only where the whole interval is above. */
static void put_baseline(struct buf *b, const struct summary_page *p)
{
    const enum rows kind = main_kind(p->s);
    int64_t above = 0;

    for (int i = 0; i < p->s->n; i++) {
        const struct summed *sum = &p->s->row[i].rows[kind];

        if (sum->baseline != p->s->row[0].rows[kind].baseline)
            return;
        above += sum->accuracy.low > sum->baseline;
    }
    html_put(b, "<p class=\"say\">Who always says the most frequent label has ");
    put_number(b, 0, kind, HTML_SHARE, p->s->row[0].rows[kind].baseline, "baseline");
    html_put(b, " of the %s; the whole interval of %d of %d row%s is above that.</p>\n",
             kind_name[kind], above, (int64_t)p->s->n, p->s->n == 1 ? "" : "s");
}

/* ---- the tables ---- */

/* Heads of what tells the rows apart. */
static void put_name_heads(struct buf *b, const struct summary *s)
{
    if (s->named)
        buf_puts(b, "<th scope=\"col\">run</th>");
    for (int k = 0; k < s->keys; k++) {
        buf_puts(b, "<th scope=\"col\" class=\"t\">");
        html_name(b, s->key[k], NAME_SHOWN);
        buf_puts(b, "</th>");
    }
}

static void put_names(struct buf *b, const struct summary *s, const struct row *row)
{
    bool first = true;

    if (s->named) {
        buf_puts(b, "<th scope=\"row\">");
        html_name(b, row->settings.n ? "" : row->name, NAME_SHOWN);
        buf_puts(b, "</th>");
        first = false;
    }
    for (int k = 0; k < s->keys; k++) {
        const char *value = settings_find(&row->settings, s->key[k]);

        buf_puts(b, first ? "<th scope=\"row\">" : "<td class=\"t\">");
        html_name(b, value ? value : "", NAME_SHOWN);
        buf_puts(b, first ? "</th>" : "</td>");
        first = false;
    }
}

static void put_accuracies_head(struct buf *b, const struct summary_page *p)
{
    buf_puts(b, "<thead><tr>");
    put_name_heads(b, p->s);
    if (p->sd)
        buf_puts(b, "<th scope=\"col\">runs</th>");
    for (int kind = 0; kind < ROWS; kind++)
        if (p->s->rows[kind])
            html_put(b,
                     "<th scope=\"col\">%s</th><th scope=\"col\">accuracy%s</th><th "
                     "scope=\"col\">baseline</th>",
                     kind_name[kind], p->sd ? " \xc2\xb1 deviation" : "");
    buf_puts(b, summary_best(p->s) < 0 ? "" : "<th scope=\"col\" class=\"t\">chosen</th>");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
}

static void put_accuracies_of(struct buf *b, const struct summary_page *p, int i, enum rows kind)
{
    const struct summed *sum = &p->s->row[i].rows[kind];

    buf_puts(b, "<td>");
    put_number(b, i, kind, HTML_COUNT, (double)sum->n, "n");
    buf_puts(b, "</td><td>");
    put_number(b, i, kind, HTML_SHARE, sum->mean[ACCURACY], "accuracy");
    put_deviation(b, i, kind, HTML_SHARE, p->sd ? sum->sd[ACCURACY] : NAN, "accuracy");
    put_accuracy_interval(b, i, kind, sum);
    buf_puts(b, "</td><td>");
    put_number(b, i, kind, HTML_SHARE, sum->baseline, "baseline");
    buf_puts(b, "</td>");
}

static void put_accuracies(struct buf *b, const struct summary_page *p)
{
    const struct summary *s = p->s;

    buf_puts(b, "<div class=\"scroll\"><table class=\"w\">\n<caption>Accuracy with its 95\xc2\xa0% "
                "interval</caption>\n");
    put_accuracies_head(b, p);
    for (int i = 0; i < s->n; i++) {
        buf_puts(b, "<tr>");
        put_names(b, s, &s->row[i]);
        if (p->sd)
            html_put(b, "<td>%d</td>", (int64_t)s->row[i].runs);
        for (int kind = 0; kind < ROWS; kind++)
            if (s->rows[kind])
                put_accuracies_of(b, p, i, (enum rows)kind);
        if (summary_best(s) >= 0)
            buf_puts(b, s->row[i].best ? "<td class=\"t\"><b>best</b></td>" : "<td></td>");
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

static bool has_figure(const struct summary *s, enum rows kind, int f)
{
    for (int i = 0; i < s->n; i++)
        if (!isnan(s->row[i].rows[kind].mean[f]))
            return true;
    return false;
}

/* All figures but accuracy. */
static void put_figures(struct buf *b, const struct summary_page *p, enum rows kind)
{
    static const char *const title[FIGURES] = {
        [BALANCED] = "balanced accuracy", [MACRO_F1] = "macro F1",
        [WEIGHTED_F1] = "weighted F1",    [MCC] = "Matthews correlation",
        [KAPPA] = "Cohen's kappa",        [LOG_LOSS] = "log loss, nats",
        [BRIER] = "Brier score",          [ECE] = "calibration error",
    };
    const struct summary *s = p->s;

    html_put(b,
             "<div class=\"scroll\"><table class=\"w\">\n<caption>Other numbers, "
             "%s</caption>\n<thead><tr>",
             kind_name[kind]);
    put_name_heads(b, s);
    for (int f = ACCURACY + 1; f < FIGURES; f++)
        if (has_figure(s, kind, f))
            html_put(b, "<th scope=\"col\">%s</th>", title[f]);
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < s->n; i++) {
        const struct summed *sum = &s->row[i].rows[kind];

        buf_puts(b, "<tr>");
        put_names(b, s, &s->row[i]);
        for (int f = ACCURACY + 1; f < FIGURES; f++) {
            const enum html_form form = f == BALANCED ? HTML_SHARE : HTML_FIGURE;

            if (!has_figure(s, kind, f))
                continue;
            buf_puts(b, "<td>");
            put_number(b, i, kind, form, sum->mean[f], figure_name[f]);
            put_deviation(b, i, kind, form, p->sd ? sum->sd[f] : NAN, figure_name[f]);
            buf_puts(b, "</td>");
        }
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

/* ---- the page ---- */

static void put_numbers(struct buf *b, const struct summary_page *p)
{
    html_section(b, "numbers", "Numbers",
                 "An interval of 95\xc2\xa0% says what the accuracy of a row may well be on other "
                 "records of the "
                 "same kind; a deviation, how much runs of one row differ.");
    buf_puts(b, "<figure>");
    summary_plot(b, p->s, false);
    buf_puts(b, "</figure>\n");
    put_accuracies(b, p);
    html_section_end(b);
    html_section(b, "figures", "Other numbers", NULL);
    for (int kind = 0; kind < ROWS; kind++)
        if (p->s->rows[kind])
            put_figures(b, p, (enum rows)kind);
    html_section_end(b);
}

void summary_page(struct buf *b, const struct summary *s, const struct summary_options *o,
                  const struct cli_list *notes)
{
    const struct summary_page p = { s, o, o->over->n > 0 };
    struct buf title = BUF_INIT;

    buf_printf(&title, "%lld runs side by side", (long long)count_runs(s));
    html_begin(b, title.p);
    html_put(b, "<header>\n<h1>%s</h1>\n", title.p);
    put_size(b, &p);
    put_best(b, &p);
    put_baseline(b, &p);
    buf_puts(b, "</header>\n");
    put_numbers(b, &p);
    html_section(
        b, "origin", "Where this comes from",
        "What went in, and which programs made it, each in its version and with the options that "
        "change the result.");
    page_notes(b, notes);
    summary_origin(b, s);
    html_section_end(b);
    html_end(b);
    buf_free(&title);
}
