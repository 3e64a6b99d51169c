#include "interval.h"

#include <math.h>
#include <stdlib.h>

struct interval interval_wilson(double k, double n)
{
    const double z = 1.959963984540054; /* ndtri(0.5 + 0.5 * 0.95) */
    const double p = k / n, q = 1 - p, denom = 2 * (n + z * z);
    const double center = (2 * n * p + z * z) / denom;
    const double delta = z / denom * sqrt(4 * n * p * q + z * z);

    if (!(n > 0))
        return (struct interval){ NAN, NAN };
    return (struct interval){ k > 0 ? center - delta : 0, k < n ? center + delta : 1 };
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* PERCENT of the sorted V; the branch is numpy's, which is exact at both ends. */
static double percentile(const double *v, int64_t n, double percent)
{
    const double at = (double)(n - 1) * (percent / 100), below = floor(at), t = at - below;
    const double a = v[(int64_t)below], b = v[(int64_t)below + (below < (double)(n - 1))];

    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

struct interval interval_percentile(double *v, int64_t n)
{
    const double tail = (1 - 0.95) / 2; /* as scipy computes it: a little more than 0.025 */

    for (int64_t i = 0; i < n; i++)
        if (isnan(v[i]))
            return (struct interval){ NAN, NAN };
    if (n == 0)
        return (struct interval){ NAN, NAN };
    qsort(v, (size_t)n, sizeof *v, ascending);
    return (struct interval){ percentile(v, n, tail * 100), percentile(v, n, (1 - tail) * 100) };
}
