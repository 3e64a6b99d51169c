/*
 * score - accuracy and its companions from a stream of predictions.
 *
 * Reads records with label and pred, prints one report, or one for each value of a field. Man page:
 * score.1.
 */
#include "cli.h"
#include "comparison.h"
#include "outfile.h"
#include "page_file.h"
#include "pairing.h"
#include "report.h"
#include "report_terminal.h"
#include "require.h"
#include "summary.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_RESAMPLES = 2000 };

static struct options {
    struct cli_common common;
    bool json, tsv, summary;
    const char *report, *by, *best;
    int64_t digits;
    int64_t bootstrap; /* 0: none for one run, DEFAULT_RESAMPLES for two */
    bool digits_given;
    bool best_given;
    struct cli_list require, labels, names, over;
    struct page_files page;
} o = { .common = CLI_COMMON_INIT, .digits = 2, .best = "accuracy" };

/* clang-format off */
static const struct cli_opt opts[] = {
    { 0, "json", CLI_FLAG, &o.json, .help = "one JSON object", .group = "Report" },
    { 0, "tsv", CLI_FLAG, &o.tsv, .help = "lines of name, tab, value" },
    { 0, "report", CLI_CHOICE, &o.report, .arg = "sklearn|seed",
      .help = "scikit-learn's report and confusion matrix, or the article's output" },
    { 0, "digits", CLI_INT, &o.digits, .arg = "N", .help = "digits of --report sklearn",
      .min = 0, .max = 50, .given = &o.digits_given },
    { 0, "labels", CLI_LIST, &o.labels, .arg = "NAME|a,b,c",
      .help = "report these labels in this order; scikit-learn's labels=" },
    { 0, "by", CLI_TEXT, &o.by, .arg = "FIELD", .help = "a report for each value of this field" },
    { 0, "require", CLI_LIST, &o.require, .arg = "CONDITION",
      .help = "'accuracy>=0.8': exit 1 where it does not hold; may be repeated" },
    { 0, "bootstrap", CLI_INT, &o.bootstrap, .arg = "N", .min = 1, .max = 1e6,
      .help = "intervals from N resamples of the records; 2000 where two runs are compared" },
    { 0, "html", CLI_FILE, &o.page.html, .arg = "FILE", .group = "Page and picture",
      .help = "a page with all numbers and pictures of one run or of two" },
    { 0, "metrics", CLI_FILE, &o.page.metrics, .arg = "FILE",
      .help = "for the page: what lora-train --metrics wrote" },
    { 0, "note", CLI_LIST, &o.page.notes, .arg = "TEXT",
      .help = "for the page: a line of your own, such as how it was trained; may be repeated" },
    { 0, "plot", CLI_FILE, &o.page.plot, .arg = "FILE",
      .help = "one picture as SVG: the confusion matrix, two runs side by side, or a summary" },
    { 0, "summary", CLI_FLAG, &o.summary, .help = "a table with a row for each of many files",
      .group = "Many runs" },
    { 0, "name", CLI_LIST, &o.names, .arg = "NAME", .help = "what a FILE is called, in their order" },
    { 0, "over", CLI_LIST, &o.over, .arg = "SETTING",
      .help = "runs that differ in this alone are one row: mean and deviation; may be repeated" },
    { 0, "best", CLI_TEXT, &o.best, .arg = "NUMBER", .given = &o.best_given,
      .help = "marks the row that is best by this on records of split eval" },
    { .type = CLI_END },
};
/* clang-format on */

static const struct cli cli = {
    "score",
    "[options] [FILE...]",
    "Compares predictions with labels, and two runs with each other.",
    opts,
    &o.common,
    0,
    -1,
};

static struct page_out pages;
static struct term terminal; /* that the report goes to */

static void put_heading(struct buf *b, const struct slice *s)
{
    if (!o.by || o.json)
        return;
    buf_printf(b, "%s%s%s", b->n && !o.tsv ? "\n" : "", o.by, o.tsv ? "\t" : "=");
    utf8_show_line(b, s->value);
    buf_putc(b, '\n');
}

static struct resampling resampling(void)
{
    return (struct resampling){ o.bootstrap ? o.bootstrap : DEFAULT_RESAMPLES,
                                (uint32_t)o.common.seed };
}

/* Appends the report; 1 when all conditions hold, 0 when one does not. */
static int report(struct buf *b, const struct assessment *a)
{
    const struct labels *labels = &a->run->labels;
    int rc = 0;

    put_heading(b, a->slice);
    if (o.report && !strcmp(o.report, "seed"))
        rc = report_seed(b, &a->slice->tally, labels);
    else if (o.report)
        report_sklearn(b, &a->slice->tally, labels, a->chosen, (int)o.digits);
    else if (o.json)
        report_json(b, a, o.by);
    else if (o.tsv)
        report_tsv(b, a);
    else if (terminal.shown)
        terminal_report(b, a, &terminal);
    else
        report_text(b, a);
    return rc < 0 ? -1 : require_all(&o.require, a, NULL, o.by);
}

static int report_slice(struct buf *b, const struct scored_run *run, int slice,
                        const struct labels *chosen)
{
    const struct resampling how = resampling();
    struct assessment a;
    int rc = 0;

    assess(&a, run, slice, chosen);
    if (o.bootstrap)
        rc = assess_bootstrap(&a, &how);
    if (rc == 0)
        rc = report(b, &a);
    assessment_free(&a);
    return rc;
}

/* The same of two runs. */
static int report_two(struct buf *b, const struct comparison *c)
{
    put_heading(b, c->a.slice);
    if (o.json)
        comparison_json(b, c, o.by);
    else if (o.tsv)
        comparison_tsv(b, c);
    else if (terminal.shown)
        terminal_comparison(b, c, &terminal);
    else
        comparison_text(b, c);
    return require_all(&o.require, NULL, c, o.by);
}

/* OTHER: pair_runs. */
static int report_slice_of_two(struct buf *b, const struct scored_run run[2], const int64_t *other,
                               int slice, const struct labels *chosen)
{
    const struct resampling how = resampling();
    struct comparison c;
    int rc = compare_runs(&c, &run[0], &run[1], other, slice, chosen, &how);

    if (rc == 0)
        rc = report_two(b, &c);
    comparison_free(&c);
    return rc;
}

static int check_summary(int files)
{
    if (!o.summary && (o.over.n || o.best_given))
        return err_set(EXIT_USAGE, "--over and --best go with --summary");
    if (!o.summary)
        return 0;
    if (o.report || o.by || o.labels.n || o.require.n || o.bootstrap || o.page.html)
        return err_set(EXIT_USAGE,
                       "--summary excludes --report, --by, --labels, --require, --html and "
                       "--bootstrap");
    if (files == 0)
        return err_set(EXIT_USAGE, "--summary needs the files of the runs");
    return summary_check(&(struct summary_options){ .best = o.best });
}

static int check_options(int files)
{
    if (!o.summary && files > 2)
        return err_set(EXIT_USAGE, "more than two files; --summary makes a table of many");
    if (o.report && (files > 1 || o.bootstrap))
        return err_set(EXIT_USAGE, "--report is of one file, and has no intervals");
    if (page_check(&o.page, &o.common) < 0)
        return -1;
    if (o.names.n && o.names.n != (files ? files : 1))
        return err_set(EXIT_USAGE, "--name is given %d times for %d files", o.names.n,
                       files ? files : 1);
    if (check_summary(files) < 0)
        return -1;
    if (o.json + o.tsv + (o.report != NULL) > 1)
        return err_set(EXIT_USAGE, "--json, --tsv and --report exclude each other");
    if (o.digits_given && (!o.report || strcmp(o.report, "sklearn") != 0))
        return err_set(EXIT_USAGE, "--digits goes with --report sklearn");
    if (o.labels.n && o.report && !strcmp(o.report, "seed"))
        return err_set(EXIT_USAGE, "--report seed has its own labels; leave --labels out");
    for (int i = 0; i < o.require.n; i++)
        if (require_check(o.require.v[i]) < 0)
            return -1;
    return 0;
}

/* No file of several has its name before all are on the disk. */
static int write_out(const struct buf *b)
{
    struct outfile *f;

    if (!strcmp(o.common.output, "-") && page_on_stdout(&o.page))
        return page_commit(&pages);
    if (outfile_open(&f, o.common.output, o.common.force, false) < 0)
        return -1;
    if (outfile_write(f, b->p, b->n) < 0 || outfile_sync(f) < 0 || page_commit(&pages) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f);
}

static int summarise(struct buf *b, const char *const *files)
{
    const bool sd = o.over.n > 0;
    struct buf svg = BUF_INIT;
    struct summary s;

    if (summary_read(&s, files, &(struct summary_options){ &o.common, &o.names, &o.over, o.best }) <
        0)
        return -1;
    if (o.json)
        summary_json(b, &s, sd);
    else if (o.tsv)
        summary_tsv(b, &s, sd);
    else
        summary_text(b, &s, sd, &terminal);
    if (o.page.plot)
        summary_plot(&svg, &s);
    const int rc = page_write_plot(&pages, &o.page, &svg, &o.common);

    buf_free(&svg);
    summary_free(&s);
    return rc < 0 ? -1 : 1;
}

/* The run of the file number I; KNOWN as in struct reading. */
static int read_run(struct scored_run *run, const char *const *files, int i, enum keep keep,
                    const struct labels *known)
{
    const struct reading how = { &o.common, o.by, false, keep, known };

    return scored_run_read(run, files[i], i < o.names.n ? o.names.v[i] : NULL, &how);
}

/* 1 when all conditions hold, 0 when one does not. */
static int score_one(struct buf *b, const char *const *files, const struct labels *chosen)
{
    const bool paged = page_wanted(&o.page);
    const struct resampling how = resampling();
    struct page_content page = { 0 };
    struct scored_run run;
    int holds = 1, rc = 0;

    if (read_run(&run, files, 0,
                 paged         ? KEEP_TEXTS
                 : o.bootstrap ? KEEP_RECORDS
                               : KEEP_COUNTS,
                 NULL) < 0 ||
        (chosen && assess_check_chosen(chosen, &run) < 0))
        return -1;
    if (paged)
        rc = page_content_init(&page, &run, 1, NULL, chosen, &how);
    for (int i = 0; rc >= 0 && i < run.n_slices; i++) {
        rc = paged && !o.by ? report(b, &page.one) : report_slice(b, &run, i, chosen);
        holds = holds && rc;
    }
    if (rc >= 0 && paged)
        rc = page_write(&pages, &o.page, &page, o.by, &o.common);
    page_content_free(&page);
    scored_run_free(&run);
    return rc < 0 ? -1 : holds;
}

/* Reads both runs, so that labels that no header names are the same. */
static int read_two(struct scored_run run[2], const char *const *files)
{
    const enum keep keep = page_wanted(&o.page) ? KEEP_TEXTS : KEEP_RECORDS;

    if (read_run(&run[0], files, 0, keep, NULL) < 0 ||
        read_run(&run[1], files, 1, keep, run[0].labels_given ? NULL : &run[0].labels) < 0)
        return -1;
    if (!strcmp(run[0].name, run[1].name))
        return err_set(EXIT_USAGE, "both runs are called '%s'; give them names with --name",
                       run[0].name);
    if (!run[0].labels_given && !run[1].labels_given) {
        labels_free(&run[0].labels);
        labels_copy(&run[0].labels, &run[1].labels);
    }
    return 0;
}

static int score_two(struct buf *b, const char *const *files, const struct labels *chosen)
{
    const bool paged = page_wanted(&o.page);
    const struct resampling how = resampling();
    struct page_content page = { 0 };
    struct scored_run run[2];
    int holds = 1, rc = 0;

    if (read_two(run, files) < 0 || (chosen && assess_check_chosen(chosen, &run[0]) < 0))
        return -1;
    int64_t *other = pair_runs(&run[0], &run[1], o.by);

    if (!other)
        return -1;
    if (paged)
        rc = page_content_init(&page, run, 2, other, chosen, &how);
    for (int i = 0; rc >= 0 && i < run[0].n_slices; i++) {
        rc = paged && !o.by ? report_two(b, &page.two)
                            : report_slice_of_two(b, run, other, i, chosen);
        holds = holds && rc;
    }
    if (rc >= 0 && paged)
        rc = page_write(&pages, &o.page, &page, o.by, &o.common);
    page_content_free(&page);
    free(other);
    scored_run_free(&run[0]);
    scored_run_free(&run[1]);
    return rc < 0 ? -1 : holds;
}

int main(int argc, char **argv)
{
    const char *const *files = cli_parse(argc, argv, &cli);
    struct labels given = { 0 };
    const struct labels *chosen = o.labels.n ? &given : NULL;
    struct buf out = BUF_INIT;
    int n = 0, holds;

    while (files[n])
        n++;
    if (check_options(n) < 0 || (chosen && labels_load(&given, &o.labels) < 0) ||
        outfile_try(o.common.output, o.common.force, false) < 0)
        die_err();
    if (!strcmp(o.common.output, "-"))
        term_of(&terminal, STDOUT_FILENO);
    if (o.summary)
        holds = summarise(&out, files);
    else
        holds = n == 2 ? score_two(&out, files, chosen) : score_one(&out, files, chosen);
    if (holds < 0 || write_out(&out) < 0)
        die_err();
    labels_free(&given);
    buf_free(&out);
    return holds ? 0 : err_unmet();
}
