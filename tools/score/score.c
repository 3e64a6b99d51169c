/*
 * score - accuracy and its companions from a stream of predictions.
 *
 * Reads records with label and pred, prints one report, or one for each value of a field. Man page:
 * score.1.
 */
#include "comparison.h"
#include "outfile.h"
#include "page_file.h"
#include "pairing.h"
#include "report.h"
#include "report_terminal.h"
#include "require.h"
#include "score_options.h"
#include "summary.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_RESAMPLES = 2000 };

static struct score_options o;
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

/* OTHER: pair_runs of two runs; NULL: there is one. */
static int report_slice(struct buf *b, const struct scored_run *run, const int64_t *other,
                        int slice, const struct labels *chosen)
{
    const struct resampling how = resampling();
    struct comparison c = { 0 };
    int rc = 0;

    if (other) {
        rc = compare_runs(&c, &run[0], &run[1], other, slice, chosen, &how);
    } else {
        assess(&c.a, run, slice, chosen);
        if (o.bootstrap)
            rc = assess_bootstrap(&c.a, &how);
    }
    if (rc == 0)
        rc = other ? report_two(b, &c) : report(b, &c.a);
    comparison_free(&c);
    return rc;
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

static void put_summary(struct buf *b, const struct summary *s)
{
    if (o.json)
        summary_json(b, s);
    else if (o.tsv)
        summary_tsv(b, s);
    else
        summary_text(b, s, &terminal);
}

static int summarise(struct buf *b, const char *const *files)
{
    const struct summary_options how = { &o.common, &o.names, &o.over, o.best };
    struct buf html = BUF_INIT, svg = BUF_INIT;
    struct summary s;
    int rc = summary_read(&s, files, &how);

    if (rc >= 0)
        put_summary(b, &s);
    if (rc >= 0 && o.page.html)
        summary_page(&html, &s, &o.page.notes);
    if (rc >= 0 && o.page.plot)
        summary_plot(&svg, &s, true);
    if (rc >= 0)
        rc = page_write_out(&pages, &o.page, &html, &svg, &o.common);
    buf_free(&html);
    buf_free(&svg);
    summary_free(&s);
    return rc < 0 ? -1 : 1;
}

/* The run of the file number I, of one or two, to be freed either way; KNOWN as in struct
 * read_options. */
static int read_run(struct scored_run *run, const char *const *files, int i, enum keep keep,
                    const struct labels *known)
{
    const struct read_options how = { &o.common, o.by, false, keep, known };

    char *name = i < o.names.n          ? xstrdup(o.names.v[i])
                 : files[0] && files[1] ? scored_run_name(files[i], files[1 - i])
                                        : NULL;
    const int rc = scored_run_read(run, files[i], name, &how);

    free(name);
    return rc;
}

/* Reads one run or two; of two that no header names the labels of, these are the same. */
static int read_runs(struct scored_run run[2], const char *const *files, int n)
{
    const enum keep keep = page_wanted(&o.page)   ? KEEP_TEXTS
                           : n > 1 || o.bootstrap ? KEEP_RECORDS
                                                  : KEEP_COUNTS;

    if (read_run(&run[0], files, 0, keep, NULL) < 0)
        return -1;
    if (n < 2)
        return 0;
    if (read_run(&run[1], files, 1, keep, run[0].labels_given ? NULL : &run[0].labels) < 0)
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

/* 1 when all conditions hold, 0 when one does not. */
static int score(struct buf *b, const char *const *files, const struct labels *chosen)
{
    const bool paged = page_wanted(&o.page);
    const int n = files[0] && files[1] ? 2 : 1;
    const struct resampling how = resampling();
    struct page_content page = { 0 };
    struct scored_run run[2] = { { 0 } };
    int64_t *other = NULL;
    int holds = 1, rc = read_runs(run, files, n);

    if (rc >= 0 && chosen)
        rc = assess_check_chosen(chosen, &run[0]);
    if (rc >= 0 && n > 1) {
        other = pair_runs(&run[0], &run[1], o.by);
        rc = other ? 0 : -1;
    }
    if (rc >= 0 && paged)
        rc = page_content_init(&page, run, n, other, chosen, &how);
    for (int i = 0; rc >= 0 && i < run[0].n_slices; i++) {
        if (!paged || o.by)
            rc = report_slice(b, run, other, i, chosen);
        else
            rc = other ? report_two(b, &page.all) : report(b, &page.all.a);
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
    const char *const *files = score_parse(&o, argc, argv);
    struct labels given = { 0 };
    const struct labels *chosen = o.labels.n ? &given : NULL;
    struct buf out = BUF_INIT;

    if ((chosen && labels_load(&given, &o.labels) < 0) ||
        outfile_try(o.common.output, o.common.force, false) < 0)
        die_err();
    if (!strcmp(o.common.output, "-"))
        term_of(&terminal, STDOUT_FILENO);
    const int holds = o.summary ? summarise(&out, files) : score(&out, files, chosen);

    if (holds < 0 || write_out(&out) < 0)
        die_err();
    labels_free(&given);
    buf_free(&out);
    return holds ? 0 : err_unmet();
}
