/*
 * bootstrap.h - how much the numbers of a report vary when the records are drawn anew (Efron 1979): N
 * times as many records as there are, with replacement, and each number from each such resample.
 *
 * Resample i takes records randint(0, n, (N, n))[i] of numpy's RandomState(seed): the intervals are
 * scipy.stats.bootstrap(..., n_resamples=N, method='percentile', random_state=RandomState(seed)). Two runs
 * are drawn alike, record by record, as with paired=True.
 */
#ifndef BOOTSTRAP_H
#define BOOTSTRAP_H

#include "interval.h"
#include "score_metrics.h"

struct resampling {
    int64_t resamples;
    uint32_t seed;
};

struct boot_run {
    struct interval figure[ECE]; /* all figures but ece, which resampling makes larger */
    struct interval *f1;         /* of each label that is reported */
};

struct boot {
    struct resampling how;
    struct boot_run run[2];             /* the second only where there are two */
    struct interval difference[ECE];    /* of the figures, second minus first */
    double p[ECE]; /* two-sided: 2 min(1 + #{d <= 0}, 1 + #{d >= 0}) / (N + 1), at most 1, of the
                    * differences d (Davison and Hinkley 1997, section 4.4) */
};

struct boot_input {
    const struct judged *const *record; /* (n) of this run */
    const struct labels *labels;        /* that truth and pred are indices of */
    enum order order;                   /* the labels of F1, as in confusion_init */
    const struct labels *chosen;
};

/* RUN: one or two, whose records belong together. EXIT_DATA when N is more than can be drawn from. */
MUST_USE int bootstrap(struct boot *b, const struct boot_input *run, int runs, int64_t n,
                       const struct resampling *how);
void boot_free(struct boot *b);

#endif
