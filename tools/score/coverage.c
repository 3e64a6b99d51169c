#include "coverage.h"

#include <stdlib.h>

struct certain {
    double p;
    bool right;
};

static int by_certainty(const void *a, const void *b)
{
    const double p = ((const struct certain *)a)->p, q = ((const struct certain *)b)->p;

    return (p < q) - (p > q);
}

struct coverage *coverage_curve(const struct scored_run *run, size_t *n)
{
    const size_t records = (size_t)run->n;
    struct certain *v = xnmalloc(records, sizeof *v);
    struct coverage *c = xnmalloc(records, sizeof *c), now = { 0, 0, 0 };

    for (size_t i = 0; i < records; i++) {
        const struct judged *j = &run->kept[i].judged;

        v[i] = (struct certain){ j->pred < 0 ? 0 : j->p, j->pred == j->truth };
    }
    qsort(v, records, sizeof *v, by_certainty);
    *n = 0;
    for (size_t i = 0; i < records; i++) {
        now = (struct coverage){ now.n + 1, now.right + v[i].right, v[i].p };
        if (i + 1 == records || v[i + 1].p < v[i].p)
            c[(*n)++] = now;
    }
    free(v);
    return c;
}

const struct coverage *coverage_at(const struct coverage *c, size_t n, double share, int64_t total)
{
    size_t i = 0;

    while (i + 1 < n && (double)c[i].n < share * (double)total)
        i++;
    return &c[i];
}
