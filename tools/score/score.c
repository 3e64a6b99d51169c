/*
 * score - accuracy and its companions from a stream of predictions.
 *
 * Reads records with label and pred, prints one report, or one for each value of a field. Man page:
 * score.1.
 */
#include "cli.h"
#include "outfile.h"
#include "report.h"
#include "require.h"
#include "summary.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct options {
    struct cli_common common;
    bool json, tsv, summary;
    const char *report, *by, *best;
    int64_t digits;
    bool digits_given;
    bool best_given;
    struct cli_list require, labels, names, over;
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
    "score", "[options] [FILE...]", "Compares predictions with labels.", opts, &o.common, 0, -1,
};

static void put_heading(struct buf *b, const struct slice *s)
{
    if (!o.by || o.json)
        return;
    buf_printf(b, "%s%s%s", b->n && !o.tsv ? "\n" : "", o.by, o.tsv ? "\t" : "=");
    utf8_show_line(b, s->value);
    buf_putc(b, '\n');
}

static void complain(const char *condition, const struct slice *s)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "%s: '%s' does not hold", err_tool(), condition);
    if (o.by) {
        buf_printf(&line, " for %s=", o.by);
        utf8_show_line(&line, s->value);
    }
    (void)fprintf(stderr, "%s\n", line.p);
    buf_free(&line);
}

/* Appends the report of one slice; 1 when all conditions hold, 0 when one does not. */
static int report(struct buf *b, const struct scored_run *run, int slice,
                  const struct labels *chosen)
{
    const struct slice *s = &run->slices[slice];
    struct assessment a;
    int holds = 1, rc = 0;

    put_heading(b, s);
    assess(&a, run, slice, chosen);
    if (o.report && !strcmp(o.report, "seed"))
        rc = report_seed(b, &s->tally, &run->labels);
    else if (o.report)
        report_sklearn(b, &s->tally, &run->labels, chosen, (int)o.digits);
    else if (o.json)
        report_json(b, &a, o.by);
    else if (o.tsv)
        report_tsv(b, &a);
    else
        report_text(b, &a);
    for (int i = 0; rc >= 0 && i < o.require.n; i++) {
        rc = require_holds(o.require.v[i], &a);
        if (rc == 0)
            complain(o.require.v[i], s);
        holds = holds && rc > 0;
    }
    assessment_free(&a);
    return rc < 0 ? -1 : holds;
}

static int check_summary(int files)
{
    if (!o.summary && (o.over.n || o.best_given))
        return err_set(EXIT_USAGE, "--over and --best go with --summary");
    if (!o.summary)
        return 0;
    if (o.report || o.by || o.labels.n || o.require.n)
        return err_set(EXIT_USAGE, "--summary excludes --report, --by, --labels and --require");
    if (files == 0)
        return err_set(EXIT_USAGE, "--summary needs the files of the runs");
    return summary_check(&(struct summary_options){ .best = o.best });
}

static int check_options(int files)
{
    if (!o.summary && files > 1)
        return err_set(EXIT_USAGE, "more than one file; --summary makes a table of many");
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

/* As scikit-learn: at least one of the labels that were chosen is a true one. */
static int check_chosen(const struct labels *chosen, const struct scored_run *run)
{
    struct buf names = BUF_INIT, known = BUF_INIT;
    int64_t support = 0;

    for (int i = 0; i < run->n_slices; i++) {
        struct confusion c;

        confusion_init(&c, &run->slices[i].tally, &run->labels, ORDER_GIVEN, chosen);
        for (int k = 0; k < c.n; k++)
            support += c.support[k];
        confusion_free(&c);
    }
    if (support)
        return 0;
    labels_list(chosen, &names);
    labels_list(&run->labels, &known);
    (void)err_set(EXIT_DATA, "no record's label is one of --labels %s; there are: %s", names.p,
                  known.p);
    buf_free(&names);
    buf_free(&known);
    return -1;
}

static int write_out(const struct buf *b)
{
    struct outfile *f;

    if (outfile_open(&f, o.common.output, o.common.force, false) < 0)
        return -1;
    if (outfile_write(f, b->p, b->n) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f);
}

static int summarise(struct buf *b, const char *const *files)
{
    struct summary s;
    const bool sd = o.over.n > 0;

    if (summary_read(&s, files, &(struct summary_options){ &o.common, &o.names, &o.over, o.best }) <
        0)
        return -1;
    (o.json ? summary_json : o.tsv ? summary_tsv : summary_text)(b, &s, sd);
    summary_free(&s);
    return 1;
}

/* 1 when all conditions hold, 0 when one does not. */
static int score_one(struct buf *b, const char *file, const struct labels *chosen)
{
    const struct reading how = { &o.common, o.by, false, KEEP_COUNTS };
    struct scored_run run;
    int holds = 1, rc = 0;

    if (scored_run_read(&run, file, o.names.n ? o.names.v[0] : NULL, &how) < 0 ||
        (chosen && check_chosen(chosen, &run) < 0))
        return -1;
    for (int i = 0; rc >= 0 && i < run.n_slices; i++) {
        rc = report(b, &run, i, chosen);
        holds = holds && rc;
    }
    scored_run_free(&run);
    return rc < 0 ? -1 : holds;
}

int main(int argc, char **argv)
{
    const char *const *files = cli_parse(argc, argv, &cli);
    struct labels chosen = { 0 };
    struct buf out = BUF_INIT;
    int n = 0;

    while (files[n])
        n++;
    if (check_options(n) < 0 || (o.labels.n && labels_load(&chosen, &o.labels) < 0) ||
        outfile_try(o.common.output, o.common.force, false) < 0)
        die_err();
    const int holds =
        o.summary ? summarise(&out, files) : score_one(&out, files[0], chosen.n ? &chosen : NULL);

    if (holds < 0 || write_out(&out) < 0)
        die_err();
    labels_free(&chosen);
    buf_free(&out);
    return holds ? 0 : err_unmet();
}
