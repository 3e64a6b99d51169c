/* interval.h - what a share or a number may well be elsewhere: intervals that cover 95 %. */
#ifndef INTERVAL_H
#define INTERVAL_H

#include <stdint.h>

struct interval {
    double low, high; /* both NaN: there is none */
};

/* Wilson's score interval (1927) of K successes in N trials, without correction for continuity: the
 * operations of scipy.stats.binomtest(K, N).proportion_ci(method='wilson'), in their order. K may be a
 * mean. N 0: none. */
struct interval interval_wilson(double k, double n);
/* The 2.5th and 97.5th percentile of V (N), which it sorts: numpy.percentile's, that is linear between two
 * values. N 0, or a NaN among V: none. */
struct interval interval_percentile(double *v, int64_t n);

#endif
