/*
 * summary.h - many runs in one table: a row for each, or for those that differ in a setting alone.
 *
 * A run is called by the folder that holds its file where that has a '=' in its name
 * ("r=16,seed=1/after.zst"), else by its file. A name of KEY=VALUE parts with commas between them is
 * settings, which are columns. Files of one name are one run: its records with split eval are in one, the
 * others in another.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "cli.h"
#include "interval.h"
#include "score_metrics.h"
#include "scored_run.h"

enum rows { ROWS_TEST, ROWS_EVAL, ROWS }; /* EVAL: those with split eval; TEST: all others */

struct outcome { /* of one run on one kind of rows */
    int64_t n;   /* 0: it has none */
    double right, baseline, figure[FIGURES];
};

struct setting {
    char *key, *value;
};

struct settings {
    struct setting *v;
    int n;
};

struct summed { /* over the runs of a row */
    int64_t n;  /* records of a run: the fewest; 0: a run has none */
    double baseline, mean[FIGURES];
    double sd[FIGURES];       /* of a sample (divisor: runs - 1); NaN for one run */
    struct interval accuracy; /* Wilson's, of the mean and the N records of one run: those of several
                               * are the same rows, seen again */
};

struct run_file {
    const char *path;
    struct buf lines; /* where it comes from: provenance.h */
    bool eval;        /* it has none but eval records */
};

struct one_run {
    char *name;
    struct run_file file[ROWS]; /* (files) each has rows of a kind that the other has not */
    int files;
    struct outcome rows[ROWS];
};

struct row {
    char *name;
    struct settings settings;
    struct one_run *run; /* (runs) */
    int runs;
    struct summed rows[ROWS];
};

struct summary_options {
    const struct cli_common *common;
    const struct cli_list *names; /* of the files, in their order; none: as above */
    const struct cli_list *over;  /* keys of settings: runs that differ in these alone are one row */
    const char *best;             /* the figure by which the best row on eval records is marked */
};

struct summary {
    const struct summary_options *how;
    struct row *row;
    int n;
    const struct row *best; /* NULL: none is marked */
    char **key; /* of all settings, in the order in which they came */
    int keys;
    bool rows[ROWS]; /* which kinds of rows the runs have; all of them, or none */
    bool scored;     /* some have probabilities */
    bool named;      /* some run has no settings */
};

/* EXIT_USAGE unless BEST names a figure. */
MUST_USE int summary_check(const char *best);
/* Reads FILES, one after another, and sorts the rows by their settings. HOW must outlive S, which is to be freed
 * either way. */
MUST_USE int summary_read(struct summary *s, const char *const *files,
                          const struct summary_options *how);
void summary_free(struct summary *s);
/* Whether deviations are wanted: rows may be means of several runs. */
static inline bool summary_means(const struct summary *s)
{
    return s->how->over->n > 0;
}
/* The rows that most is said of: those of split eval where there are no others. */
static inline enum rows summary_rows(const struct summary *s)
{
    return s->rows[ROWS_TEST] ? ROWS_TEST : ROWS_EVAL;
}
/* The value of KEY; NULL: there is none. */
const char *settings_find(const struct settings *s, const char *key);
/* Orders two values, NULL: none: what is not there first, numbers by value, texts by their bytes. */
int settings_compare(const char *a, const char *b);

/* The accuracies as a picture, ALONE or for a page, in summary_plot.c: against the setting with most values, with a line
 * for each combination of the others, of at most five; else row by row. */
void summary_plot(struct buf *b, const struct summary *s, bool alone);
/* The page of HTML, in summary_page.c. NOTES as struct page has them. */
void summary_page(struct buf *b, const struct summary *s, const struct cli_list *notes);
/* Its last section, in summary_origin.c: programs and digests of the runs, and commands. */
void summary_origin(struct buf *b, const struct summary *s);
/* The table. TERM: what it is printed on, in summary_text.c; the others in summary_report.c. */
struct term;
void summary_text(struct buf *b, const struct summary *s, const struct term *term);
void summary_json(struct buf *b, const struct summary *s);
void summary_tsv(struct buf *b, const struct summary *s);

#endif
