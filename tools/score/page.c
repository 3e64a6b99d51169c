#include "page.h"

#include "page_parts.h"

/* ---- what the sections share ---- */

const char *page_path(const struct page *p, int run)
{
    return p->n < 2 ? "" : run ? "b." : "a.";
}

void page_run_heading(struct buf *b, const struct page *p, int run)
{
    if (p->n < 2)
        return;
    buf_puts(b, "<h3>");
    html_name(b, p->all[run]->run->name, NAME_SHOWN);
    buf_puts(b, "</h3>\n");
}

void page_run_column(struct buf *b, const struct page *p, int run, const char *otherwise)
{
    buf_puts(b, "<th scope=\"col\">");
    if (p->n > 1)
        html_name(b, p->all[run]->run->name, NAME_SHOWN);
    else
        buf_puts(b, otherwise);
    buf_puts(b, "</th>");
}

void page_run_groups(struct buf *b, const struct page *p, int first, int end, int columns)
{
    if (p->n < 2)
        return;
    buf_puts(b, "<tr class=\"g\"><td colspan=\"2\"></td>");
    for (int r = first; r < end; r++) {
        buf_printf(b, "<th scope=\"colgroup\" colspan=\"%d\" class=\"r\">", columns);
        html_name(b, p->all[r]->run->name, NAME_SHOWN);
        buf_puts(b, "</th>");
    }
    buf_puts(b, "</tr>");
}

void page_draw_bars(struct buf *b, const struct page *p, const struct plot *how,
                    const struct page_bars *bars, bool alone)
{
    struct plot_series series[PAGE_RUNS];
    struct plot plot = *how;

    for (int r = 0; r < p->n; r++)
        series[r] = (struct plot_series){ .name = p->n > 1 ? p->all[r]->run->name : NULL,
                                          .mark = PLOT_BARS,
                                          .n = plot.x.n_category,
                                          .y = bars[r].share,
                                          .low = bars[r].low,
                                          .high = bars[r].high };
    plot.series = series;
    plot.n = (size_t)p->n;
    plot_svg(b, &plot, alone);
}

/* ---- the sections ---- */

static bool always(const struct page *p)
{
    (void)p;
    return true;
}

static bool has_two(const struct page *p)
{
    return p->comparison != NULL;
}

static bool has_scores(const struct page *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->all[i]->m.scored)
            return true;
    return false;
}

static bool has_slices(const struct page *p)
{
    return p->by != NULL;
}

static bool has_log(const struct page *p)
{
    return p->log != NULL;
}

static bool has_texts(const struct page *p)
{
    const struct scored_run *run = p->all[p->n - 1]->run;

    for (int64_t i = 0; i < run->n; i++)
        if (run->texts[i].n)
            return true;
    return false;
}

/* Lengths that differ, all in one unit. */
static bool has_lengths(const struct page *p)
{
    const struct scored_run *first = p->all[0]->run;
    bool differ = false;

    for (int r = 0; r < p->n; r++) {
        const struct scored_run *run = p->all[r]->run;

        if (run->tokens != first->tokens)
            return false;
        for (int64_t i = 0; i < run->n; i++)
            differ = differ || run->texts[i].length != first->texts[0].length;
    }
    return differ;
}

static const struct section {
    const char *id, *heading, *lead;
    bool (*has)(const struct page *p);
    void (*put)(struct buf *b, const struct page *p);
} sections[] = {
    { "numbers", "Numbers",
      "All numbers are about the records that were scored. An interval of 95\xc2\xa0% says what "
      "the "
      "number may well be on other records of the same kind.",
      always, page_summary },
    { "comparison", "Is it a difference?",
      "Both runs have judged the same records, so they are compared record by record; what both "
      "have "
      "right or both have wrong says nothing about a difference.",
      has_two, page_compare },
    { "confusions", "What is taken for what",
      "Each row holds the records of one true label, each column those of one prediction. On the "
      "diagonal they agree: a run without mistakes has nothing elsewhere.",
      always, page_confusion },
    { "labels", "Each label",
      "Precision: how many of the predictions of a label are right. Recall: how many of its "
      "records "
      "were found. F1 is their harmonic mean; 1 is best.",
      always, page_classes },
    { "calibration", "Can the probabilities be believed?",
      "If the model says 80\xc2\xa0%, it should be right 80 times in 100. Points under the "
      "diagonal "
      "say that it is too sure of itself, points above it that it is better than it says.",
      has_scores, page_calibration },
    { "coverage", "If the least certain are left to a person",
      "Predictions with a large probability are kept, the others go to somebody who reads them. "
      "The "
      "fewer are kept, the more of them should be right.",
      has_scores, page_coverage },
    { "training", "Training", NULL, has_log, page_training },
    { "lengths", "Length and errors",
      "Records in order of their length, in groups of about the same number.", has_lengths,
      page_lengths },
    { "slices", "Slices", "The same numbers for each part of the records.", has_slices,
      page_slices },
    { "mistakes", "Most confident mistakes",
      "Read these first: wrong labels in the data and what the model has not understood are found "
      "here.",
      always, page_mistakes },
    { "twins", "The same text more than once",
      "Records with one text are counted several times, and if their labels disagree, no model can "
      "have all of them right.",
      has_texts, page_twins },
    { "origin", "Where this comes from",
      "What went in, and which programs made it, each in its version and with the options that "
      "change the result.",
      always, page_origin },
};

enum { SECTIONS = sizeof sections / sizeof *sections };

static void put_contents(struct buf *b, const struct page *p)
{
    buf_puts(b, "<nav aria-label=\"Contents\"><ul>\n");
    for (int i = 0; i < SECTIONS; i++)
        if (sections[i].has(p))
            html_put(b, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id, sections[i].heading);
    buf_puts(b, "</ul></nav>\n");
}

static void put_title(struct buf *b, const struct page *p)
{
    for (int i = 0; i < p->n; i++)
        buf_printf(b, "%s%s", i == 0 ? "" : i < p->n - 1 ? ", " : " and ", p->all[i]->run->name);
    buf_puts(b, ": predictions scored");
}

void page_put(struct buf *b, const struct page *p)
{
    struct buf title = BUF_INIT;

    put_title(&title, p);
    html_begin(b, title.p);
    html_put(b, "<header>\n<h1>%s</h1>\n", title.p);
    page_words(b, p);
    put_contents(b, p);
    buf_puts(b, "</header>\n");
    for (int i = 0; i < SECTIONS; i++)
        if (sections[i].has(p)) {
            html_section(b, sections[i].id, sections[i].heading, sections[i].lead);
            sections[i].put(b, p);
            html_section_end(b);
        }
    html_end(b);
    buf_free(&title);
}

void page_plot(struct buf *b, const struct page *p)
{
    if (p->n == 1)
        page_heat(b, p->all[0], "confusion", "Confusion matrix", true);
    else if (page_has_recall(p))
        page_recall(b, p, true);
    else
        page_accuracies(b, p, true);
}
