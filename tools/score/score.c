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
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct options {
    struct cli_common common;
    bool json, tsv;
    const char *report, *by;
    int64_t digits;
    bool digits_given;
    struct cli_list require, labels;
} o = { .common = CLI_COMMON_INIT, .digits = 2 };

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
    { .type = CLI_END },
};
/* clang-format on */

static const struct cli cli = {
    "score", "[options] [FILE]", "Compares predictions with labels.", opts, &o.common, 0, 1,
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

static int check_options(void)
{
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

int main(int argc, char **argv)
{
    const char *const *files = cli_parse(argc, argv, &cli);
    struct labels chosen = { 0 };
    struct scored_run run;
    struct buf out = BUF_INIT;
    int holds = 1;

    if (check_options() < 0 || (o.labels.n && labels_load(&chosen, &o.labels) < 0) ||
        outfile_try(o.common.output, o.common.force, false) < 0 ||
        scored_run_read(&run, files[0], NULL,
                        &(struct reading){ &o.common, o.by, false, KEEP_COUNTS }) < 0 ||
        (chosen.n && check_chosen(&chosen, &run) < 0))
        die_err();
    for (int i = 0; i < run.n_slices; i++) {
        const int rc = report(&out, &run, i, chosen.n ? &chosen : NULL);

        if (rc < 0)
            die_err();
        holds = holds && rc;
    }
    if (write_out(&out) < 0)
        die_err();
    scored_run_free(&run);
    labels_free(&chosen);
    buf_free(&out);
    return holds ? 0 : err_unmet();
}
