#include "score_options.h"

#include "require.h"
#include "summary.h"

#include <string.h>

static int check_summary(const struct score_options *o, int files)
{
    if (!o->summary && (o->over.n || o->best_given))
        return err_set(EXIT_USAGE, "--over and --best go with --summary");
    if (!o->summary)
        return 0;
    if (o->report || o->by || o->labels.n || o->require.n || o->bootstrap || o->page.metrics)
        return err_set(EXIT_USAGE,
                       "--summary excludes --report, --by, --labels, --require, --metrics and "
                       "--bootstrap");
    if (files == 0)
        return err_set(EXIT_USAGE, "--summary needs the files of the runs");
    return summary_check(o->best);
}

static bool read_twice(const char *const *file)
{
    int times = 0;

    for (; *file; file++)
        times += !strcmp(*file, "-");
    return times > 1;
}

static int check(const struct score_options *o, const char *const *file, int files)
{
    if (!o->summary && files > 2)
        return err_set(EXIT_USAGE, "more than two files; --summary makes a table of many");
    if (o->report && (files > 1 || o->bootstrap))
        return err_set(EXIT_USAGE, "--report is of one file, and has no intervals");
    if (page_check(&o->page, &o->common) < 0)
        return -1;
    if (read_twice(file))
        return err_set(EXIT_USAGE, "only one file can come from standard input");
    if (o->names.n && files < 2 && !o->summary && !page_wanted(&o->page))
        return err_set(EXIT_USAGE, "--name goes with two files, --summary, --html or --plot");
    if (o->names.n && o->names.n != (files ? files : 1))
        return err_set(EXIT_USAGE, "--name is given %d times for %d files", o->names.n,
                       files ? files : 1);
    if (check_summary(o, files) < 0)
        return -1;
    if (o->json + o->tsv + (o->report != NULL) > 1)
        return err_set(EXIT_USAGE, "--json, --tsv and --report exclude each other");
    if (o->digits_given && (!o->report || strcmp(o->report, "sklearn") != 0))
        return err_set(EXIT_USAGE, "--digits goes with --report sklearn");
    if (o->labels.n && o->report && !strcmp(o->report, "seed"))
        return err_set(EXIT_USAGE, "--report seed has its own labels; leave --labels out");
    for (int i = 0; i < o->require.n; i++)
        if (require_check(o->require.v[i]) < 0)
            return -1;
    return 0;
}

const char *const *score_parse(struct score_options *o, int argc, char **argv)
{
    *o = (struct score_options){ .common = CLI_COMMON_INIT, .digits = 2, .best = "accuracy" };
    /* clang-format off */
    const struct cli_opt opts[] = {
        { 0, "json", CLI_FLAG, &o->json, .help = "one JSON object", .group = "Report" },
        { 0, "tsv", CLI_FLAG, &o->tsv, .help = "lines of name, tab, value" },
        { 0, "report", CLI_CHOICE, &o->report, .arg = "sklearn|seed",
          .help = "scikit-learn's report and confusion matrix, or the article's output" },
        { 0, "digits", CLI_INT, &o->digits, .arg = "N", .help = "digits of --report sklearn",
          .min = 0, .max = 50, .given = &o->digits_given },
        { 0, "labels", CLI_LIST, &o->labels, .arg = "NAME|a,b,c",
          .help = "report these labels in this order; scikit-learn's labels=" },
        { 0, "by", CLI_TEXT, &o->by, .arg = "FIELD", .help = "a report for each value of this field" },
        { 0, "require", CLI_LIST, &o->require, .arg = "CONDITION",
          .help = "'accuracy>=0.8': exit 1 where it does not hold; may be repeated" },
        { 0, "bootstrap", CLI_INT, &o->bootstrap, .arg = "N", .min = 1, .max = 1e6,
          .help = "intervals from N resamples of the records; 2000 where two runs are compared" },
        { 0, "html", CLI_FILE, &o->page.html, .arg = "FILE", .group = "Page and picture",
          .help = "a page with all numbers and pictures of one run, of two, or of a summary" },
        { 0, "metrics", CLI_FILE, &o->page.metrics, .arg = "FILE",
          .help = "for the page: what lora-train --metrics wrote" },
        { 0, "note", CLI_LIST, &o->page.notes, .arg = "TEXT",
          .help = "for the page: a line of your own, such as how it was trained; may be repeated" },
        { 0, "plot", CLI_FILE, &o->page.plot, .arg = "FILE",
          .help = "one picture as SVG: the confusion matrix, two runs side by side, or a summary" },
        { 0, "summary", CLI_FLAG, &o->summary, .help = "a table with a row for each of many files",
          .group = "Many runs" },
        { 0, "name", CLI_LIST, &o->names, .arg = "NAME", .help = "what a FILE is called, in their order" },
        { 0, "over", CLI_LIST, &o->over, .arg = "SETTING",
          .help = "runs that differ in this alone are one row: mean and deviation; may be repeated" },
        { 0, "best", CLI_TEXT, &o->best, .arg = "NUMBER", .given = &o->best_given,
          .help = "marks the row that is best by this on records of split eval" },
        { .type = CLI_END },
    };
    /* clang-format on */
    const struct cli cli = {
        .name = "score",
        .synopsis = "[options] [FILE...]",
        .about = "Compares predictions with labels, and two runs with each other.",
        .opts = opts,
        .common = &o->common,
        .max_operands = -1,
    };
    const char *const *file = cli_parse(argc, argv, &cli);
    int files = 0;

    while (file[files])
        files++;
    if (check(o, file, files) < 0)
        die_err();
    return file;
}
