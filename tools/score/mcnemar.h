/* mcnemar.h - whether two runs that judge the same records differ. */
#ifndef MCNEMAR_H
#define MCNEMAR_H

#include <stdint.h>

/* McNemar's exact two-sided test (1947): ONLY_A records only the first run has right, ONLY_B only the
 * second. Twice the probability of at most the smaller number among as many throws of a coin, at most 1:
 * statsmodels.stats.contingency_tables.mcnemar(..., exact=True). 1 where both are 0. */
double mcnemar_exact(int64_t only_a, int64_t only_b);

#endif
