/* The summary as a page of HTML: what comes out, and the tables. */
#include "page_html.h"
#include "page_parts.h"
#include "summary.h"

#include <math.h>

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

static void put_size(struct buf *b, const struct summary *s)
{
    if (!summary_means(s))
        return;
    html_put(b, "<p class=\"say\">%d row%s mean of runs that differ in ", (int64_t)s->n,
             s->n == 1 ? ", the" : "s, each the");
    for (int i = 0; i < s->how->over->n; i++) {
        buf_puts(b, i ? " and " : "");
        html_name(b, s->how->over->v[i], NAME_SHOWN);
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

static void put_best(struct buf *b, const struct summary *s)
{
    const struct row *row = s->best;

    if (!row)
        return;
    const int best = (int)(row - s->row);

    html_put(b, "<p class=\"say\">Chosen by %s on evaluation records: ", s->how->best);
    html_name(b, row->name, 4 * NAME_SHOWN);
    buf_puts(b, ", accuracy ");
    put_accuracy(b, best, ROWS_EVAL, &row->rows[ROWS_EVAL]);
    buf_puts(b, ".");
    if (s->rows[ROWS_TEST]) {
        buf_puts(b, " On test records, which choose nothing: ");
        put_accuracy(b, best, ROWS_TEST, &row->rows[ROWS_TEST]);
        buf_puts(b, ".");
    }
    const int64_t rivals = count_rivals(s, best);

    if (s->n > 1)
        html_put(
            b,
            " Of %d other row%s, %d ha%s an accuracy inside that interval of evaluation records or "
            "above it: among these the choice may be chance.",
            (int64_t)s->n - 1, s->n == 2 ? "" : "s", rivals, rivals == 1 ? "s" : "ve");
    buf_puts(b, "</p>\n");
}

/* A gain is told only where the whole interval is above. */
static void put_baseline(struct buf *b, const struct summary *s)
{
    const enum rows kind = summary_rows(s);
    int64_t above = 0;

    for (int i = 0; i < s->n; i++) {
        const struct summed *sum = &s->row[i].rows[kind];

        if (sum->baseline != s->row[0].rows[kind].baseline)
            return;
        above += sum->accuracy.low > sum->baseline;
    }
    html_put(b, "<p class=\"say\">Who always says the most frequent label has ");
    put_number(b, 0, kind, HTML_SHARE, s->row[0].rows[kind].baseline, "baseline");
    html_put(b, " of the %s; the whole interval of %d of %d row%s is above that.</p>\n",
             kind_name[kind], above, (int64_t)s->n, s->n == 1 ? "" : "s");
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

static void put_accuracies_head(struct buf *b, const struct summary *s)
{
    buf_puts(b, "<thead><tr>");
    put_name_heads(b, s);
    if (summary_means(s))
        buf_puts(b, "<th scope=\"col\">runs</th>");
    for (int kind = 0; kind < ROWS; kind++)
        if (s->rows[kind])
            html_put(b,
                     "<th scope=\"col\">%s</th><th scope=\"col\">accuracy%s</th><th "
                     "scope=\"col\">baseline</th>",
                     kind_name[kind], summary_means(s) ? " \xc2\xb1 deviation" : "");
    buf_puts(b, s->best ? "<th scope=\"col\" class=\"t\">chosen</th>" : "");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
}

static void put_accuracies_of(struct buf *b, const struct summary *s, int i, enum rows kind)
{
    const struct summed *sum = &s->row[i].rows[kind];

    buf_puts(b, "<td>");
    put_number(b, i, kind, HTML_COUNT, (double)sum->n, "n");
    buf_puts(b, "</td><td>");
    put_number(b, i, kind, HTML_SHARE, sum->mean[ACCURACY], "accuracy");
    put_deviation(b, i, kind, HTML_SHARE, summary_means(s) ? sum->sd[ACCURACY] : NAN, "accuracy");
    put_accuracy_interval(b, i, kind, sum);
    buf_puts(b, "</td><td>");
    put_number(b, i, kind, HTML_SHARE, sum->baseline, "baseline");
    buf_puts(b, "</td>");
}

static void put_accuracies(struct buf *b, const struct summary *s)
{
    buf_puts(b, "<div class=\"scroll\"><table class=\"w\">\n<caption>Accuracy with its 95\xc2\xa0% "
                "interval</caption>\n");
    put_accuracies_head(b, s);
    for (int i = 0; i < s->n; i++) {
        buf_puts(b, "<tr>");
        put_names(b, s, &s->row[i]);
        if (summary_means(s))
            html_put(b, "<td>%d</td>", (int64_t)s->row[i].runs);
        for (int kind = 0; kind < ROWS; kind++)
            if (s->rows[kind])
                put_accuracies_of(b, s, i, (enum rows)kind);
        if (s->best)
            buf_puts(b, &s->row[i] == s->best ? "<td class=\"t\"><b>best</b></td>" : "<td></td>");
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
static void put_figures(struct buf *b, const struct summary *s, enum rows kind)
{
    static const char *const title[FIGURES] = {
        [BALANCED] = "balanced accuracy", [MACRO_F1] = "macro F1",
        [WEIGHTED_F1] = "weighted F1",    [MCC] = "Matthews correlation",
        [KAPPA] = "Cohen's kappa",        [LOG_LOSS] = "log loss, nats",
        [BRIER] = "Brier score",          [ECE] = "calibration error",
    };
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
            put_deviation(b, i, kind, form, summary_means(s) ? sum->sd[f] : NAN, figure_name[f]);
            buf_puts(b, "</td>");
        }
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

/* ---- the page ---- */

static void put_numbers(struct buf *b, const struct summary *s)
{
    html_section(b, "numbers", "Numbers",
                 "An interval of 95\xc2\xa0% says what the accuracy of a row may well be on other "
                 "records of the "
                 "same kind; a deviation, how much runs of one row differ.");
    buf_puts(b, "<figure>");
    summary_plot(b, s, false);
    buf_puts(b, "</figure>\n");
    put_accuracies(b, s);
    html_section_end(b);
    html_section(b, "figures", "Other numbers", NULL);
    for (int kind = 0; kind < ROWS; kind++)
        if (s->rows[kind])
            put_figures(b, s, (enum rows)kind);
    html_section_end(b);
}

void summary_page(struct buf *b, const struct summary *s, const struct cli_list *notes)
{
    struct buf title = BUF_INIT;

    buf_printf(&title, "%lld runs side by side", (long long)count_runs(s));
    html_begin(b, title.p);
    html_put(b, "<header>\n<h1>%s</h1>\n", title.p);
    put_size(b, s);
    put_best(b, s);
    put_baseline(b, s);
    buf_puts(b, "</header>\n");
    put_numbers(b, s);
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
