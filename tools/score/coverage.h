/*
 * coverage.h - what accuracy is when the least certain predictions are left to a person.
 *
 * Coverage is the share of records that the model keeps, the most certain ones: those whose prediction
 * has the largest probability. (Selective classification: El-Yaniv and Wiener 2010.)
 */
#ifndef COVERAGE_H
#define COVERAGE_H

#include "scored_run.h"

struct coverage {
    int64_t n, right; /* records that are kept; right ones among them */
    double least;     /* the smallest probability among them; 0 where one is kept that has none */
};

/* One for each probability that occurs, from the most certain on, *N of them; records with the same
 * probability are kept together. A prediction that is none has 0. Free it. RUN has kept records with
 * scores. */
struct coverage *coverage_curve(const struct scored_run *run, size_t *n);
/* The first of the N that keeps at least SHARE of TOTAL records. */
const struct coverage *coverage_at(const struct coverage *c, size_t n, double share, int64_t total);

#endif
