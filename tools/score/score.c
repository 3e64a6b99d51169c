/*
 * score - accuracy and its companions from a stream of predictions.
 *
 * Reads records with label and pred, prints one report, or one for each value of a field. Man page:
 * score.1.
 */
#include "cli.h"
#include "outfile.h"
#include "progress.h"
#include "report.h"
#include "require.h"
#include "stream.h"
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

struct group {   /* the records with one value of the field --by */
    char *value; /* NULL: all records */
    struct tally tally;
};

struct groups {
    struct group *v;
    int n, last;
};

static struct tally *group_of(struct groups *g, const char *value)
{
    if (g->n > 0 && (!value || !strcmp(g->v[g->last].value, value)))
        return &g->v[g->last].tally;
    for (g->last = 0; g->last < g->n; g->last++)
        if (!strcmp(g->v[g->last].value, value))
            return &g->v[g->last].tally;
    g->v = xnrealloc(g->v, (size_t)g->n + 1, sizeof *g->v);
    g->v[g->n++] = (struct group){ value ? xstrdup(value) : NULL, { 0 } };
    return &g->v[g->last].tally;
}

/* The value of the field --by as text in B. */
static int value_of(const struct record *rec, struct buf *b)
{
    const struct field *f = record_find(rec, o.by);

    buf_clear(b);
    if (!f)
        return err_set(EXIT_DATA, "has no field '%s'; give another to --by", o.by);
    if (f->type == FIELD_TEXT && !memchr(f->data, 0, f->n))
        buf_add(b, f->data, f->n);
    else if (f->type == FIELD_UINT)
        buf_printf(b, "%llu", (unsigned long long)f->u);
    else if (f->type == FIELD_BOOL)
        buf_puts(b, f->u ? "true" : "false");
    else
        return err_set(EXIT_DATA, "field '%s' is neither text nor a whole number", o.by);
    return 0;
}

static int read_all(struct groups *g, struct labels *labels, struct reader *in)
{
    const bool grow = labels->n == 0;
    struct progress *progress = progress_open(&o.common, "records", -1);
    struct buf value = BUF_INIT;
    struct record *rec;
    int64_t n = 0;
    int got;

    buf_puts(&value, "");
    while ((got = reader_next(in, &rec)) > 0) {
        if (o.by && value_of(rec, &value) < 0)
            got = -1;
        else
            got = tally_add(group_of(g, o.by ? value.p : NULL), labels, grow, rec);
        if (got < 0) {
            got = err_in("%s:%s", reader_name(in), record_name(rec));
            break;
        }
        progress_to(progress, ++n);
    }
    progress_close(progress);
    if (got == 0 && g->n == 0)
        got =
            err_set(EXIT_DATA,
                    "%s: there are no records to score; choose some where --only or --limit choose",
                    reader_name(in));
    buf_free(&value);
    return got;
}

static void put_heading(struct buf *b, const struct group *g)
{
    if (!o.by || o.json)
        return;
    buf_printf(b, "%s%s%s", b->n && !o.tsv ? "\n" : "", o.by, o.tsv ? "\t" : "=");
    utf8_show_line(b, g->value);
    buf_putc(b, '\n');
}

static void complain(const char *condition, const struct group *g)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "%s: '%s' does not hold", err_tool(), condition);
    if (o.by) {
        buf_printf(&line, " for %s=", o.by);
        utf8_show_line(&line, g->value);
    }
    (void)fprintf(stderr, "%s\n", line.p);
    buf_free(&line);
}

/* All counts and numbers; of the labels that were CHOSEN where some were. */
static void compute(struct confusion *c, struct metrics *m, const struct tally *t,
                    const struct labels *labels, const struct labels *chosen, bool named)
{
    const enum order order = named ? ORDER_GIVEN : ORDER_NAME;

    confusion_init(c, t, labels, order, NULL);
    metrics_compute(m, c, t);
    if (!chosen)
        return;
    confusion_free(c);
    confusion_init(c, t, labels, order, chosen);
    metrics_restrict(m, c);
}

/* Appends the report of one group; 1 when all conditions hold, 0 when one does not. */
static int report(struct buf *b, const struct group *g, const struct labels *labels,
                  const struct labels *chosen, bool named)
{
    struct confusion c;
    struct metrics m;
    int holds = 1, rc = 0;

    put_heading(b, g);
    compute(&c, &m, &g->tally, labels, chosen, named);
    if (o.report && !strcmp(o.report, "seed"))
        rc = report_seed(b, &g->tally, labels);
    else if (o.report)
        report_sklearn(b, &g->tally, labels, chosen, (int)o.digits);
    else if (o.json)
        report_json(b, &c, &m, o.by, g->value);
    else if (o.tsv)
        report_tsv(b, &c, &m);
    else
        report_text(b, &c, &m);
    for (int i = 0; rc >= 0 && i < o.require.n; i++) {
        rc = require_holds(o.require.v[i], &c, &m);
        if (rc == 0)
            complain(o.require.v[i], g);
        holds = holds && rc > 0;
    }
    confusion_free(&c);
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
static int check_chosen(const struct labels *chosen, const struct groups *g,
                        const struct labels *labels)
{
    struct buf names = BUF_INIT, known = BUF_INIT;
    int64_t support = 0;

    for (int i = 0; i < g->n; i++) {
        struct confusion c;

        confusion_init(&c, &g->v[i].tally, labels, ORDER_GIVEN, chosen);
        for (int k = 0; k < c.n; k++)
            support += c.support[k];
        confusion_free(&c);
    }
    if (support)
        return 0;
    labels_list(chosen, &names);
    labels_list(labels, &known);
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
    struct labels labels = { 0 }, chosen = { 0 };
    struct groups groups = { 0 };
    struct buf out = BUF_INIT;
    struct reader *in;
    int holds = 1;

    if (check_options() < 0 || (o.labels.n && labels_load(&chosen, &o.labels) < 0) ||
        outfile_try(o.common.output, o.common.force, false) < 0 ||
        reader_open(&in, files, KIND_PREDICTIONS, &o.common) < 0)
        die_err();
    labels_copy(&labels, reader_labels(in));
    if (read_all(&groups, &labels, in) < 0)
        die_err();
    if (labels_find(&labels, "none", strlen("none")) >= 0)
        die(EXIT_DATA,
            "%s: a label is called 'none', which stands for predictions that are no label; "
            "rename it",
            reader_name(in));
    if (chosen.n && check_chosen(&chosen, &groups, &labels) < 0)
        die_err();
    for (int i = 0; i < groups.n; i++) {
        const int rc = report(&out, &groups.v[i], &labels, chosen.n ? &chosen : NULL,
                              reader_labels(in)->n > 0);

        if (rc < 0)
            die_err();
        holds = holds && rc;
    }
    if (write_out(&out) < 0)
        die_err();
    for (int i = 0; i < groups.n; i++) {
        tally_free(&groups.v[i].tally);
        free(groups.v[i].value);
    }
    free(groups.v);
    labels_free(&labels);
    labels_free(&chosen);
    buf_free(&out);
    reader_close(in);
    return holds ? 0 : err_unmet();
}
