/* assess.h - all numbers about one slice of one run, computed once for every form of the report. */
#ifndef ASSESS_H
#define ASSESS_H

#include "interval.h"
#include "score_metrics.h"
#include "scored_run.h"

struct assessment {
    const struct scored_run *run;
    const struct slice *slice;
    struct confusion c; /* of the labels that were chosen, else of all */
    struct metrics m;
    struct interval accuracy; /* Wilson's */
    const char *majority;     /* the label that is true most often, the first of equals */
    double baseline;          /* the accuracy of who always predicts that */
};

/* CHOSEN (NULL: all): the labels of C, in that order; macro_f1 and weighted_f1 are theirs alone. RUN must
 * outlive A. */
void assess(struct assessment *a, const struct scored_run *run, int slice,
            const struct labels *chosen);
void assessment_free(struct assessment *a);

#endif
