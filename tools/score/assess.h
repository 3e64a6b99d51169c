/* assess.h - all numbers about one slice of one run, computed once for every form of the report. */
#ifndef ASSESS_H
#define ASSESS_H

#include "bootstrap.h"
#include "findings.h"
#include "interval.h"
#include "score_metrics.h"
#include "scored_run.h"

struct label_intervals {
    struct interval precision, recall; /* Wilson's */
};

struct assessment {
    const struct scored_run *run;
    const struct slice *slice;
    const struct labels *chosen; /* NULL: all */
    struct confusion c;          /* of the labels that were chosen, else of all */
    struct metrics m;
    struct interval accuracy;      /* Wilson's */
    const char *majority;          /* the label that is true most often, the first of equals */
    double baseline;               /* the accuracy of who always predicts that */
    struct label_intervals *label; /* (c.n) */
    const struct boot_run *boot;   /* NULL: not asked for */
    struct resampling how;         /* of BOOT */
    const struct findings *findings; /* NULL: not looked for */
    struct boot own;               /* what BOOT is of, unless two runs were drawn together */
};

/* CHOSEN (NULL: all): the labels of C, in that order; macro_f1 and weighted_f1 are theirs alone. RUN and
 * CHOSEN must outlive A. */
void assess(struct assessment *a, const struct scored_run *run, int slice,
            const struct labels *chosen);
/* Adds BOOT. The run has kept its records. */
MUST_USE int assess_bootstrap(struct assessment *a, const struct resampling *how);
void assessment_free(struct assessment *a);

/* -1 (EXIT_DATA) unless one of CHOSEN at least is a true label, as scikit-learn wants it. */
MUST_USE int assess_check_chosen(const struct labels *chosen, const struct scored_run *run);

/* In which order labels are reported where none are chosen. */
enum order assess_order(const struct scored_run *run);
/* Whether the interval of accuracy lies above the baseline. */
bool above_baseline(const struct assessment *a);

#endif
