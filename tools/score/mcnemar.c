#include "mcnemar.h"

#include <math.h>

double mcnemar_exact(int64_t only_a, int64_t only_b)
{
    const int64_t n = only_a + only_b, least = only_a < only_b ? only_a : only_b;
    double term = 1, sum = 1;
    int power = 0, exponent;

    /* the largest term, n over least, as TERM * 2^POWER */
    for (int64_t i = 1; i <= least; i++) {
        term = frexp(term * (double)(n - least + i) / (double)i, &exponent);
        power += exponent;
    }
    /* the others as parts of it, from the smallest: 1 + a(1 + b(1 + ...)) */
    for (int64_t k = 1; k <= least; k++)
        sum = 1 + sum * (double)k / (double)(n - k + 1);
    return n == 0 ? 1 : fmin(1, ldexp(term * sum, power - (int)n + 1));
}
