#include "lengths.h"

#include <stdlib.h>
#include <string.h>

static int by_length(const void *a, const void *b)
{
    int64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int64_t *all_lengths(const struct scored_run *const *runs, int n_runs, int64_t *n)
{
    int64_t *v = NULL;

    *n = 0;
    for (int r = 0; r < n_runs; r++) {
        v = xnrealloc(v, (size_t)(*n + runs[r]->n), sizeof *v);
        for (int64_t i = 0; i < runs[r]->n; i++)
            v[(*n)++] = runs[r]->texts[i].length;
    }
    qsort(v, (size_t)*n, sizeof *v, by_length);
    return v;
}

int length_ranges(struct length_range r[LENGTH_RANGES], const struct scored_run *const *runs,
                  int n_runs)
{
    int64_t n, at = 0;
    int64_t *v = all_lengths(runs, n_runs, &n);
    int ranges = 0;

    while (at < n) {
        int64_t end = n * (ranges + 1) / LENGTH_RANGES;

        end = end <= at ? at + 1 : end;
        while (end < n && v[end] == v[end - 1])
            end++;
        r[ranges++] = (struct length_range){ .from = v[at], .to = v[end - 1] };
        at = end;
    }
    free(v);
    return ranges;
}

void length_count(struct length_range *r, int n, const struct scored_run *run)
{
    for (int i = 0; i < n; i++)
        r[i].n = r[i].wrong = 0;
    for (int64_t k = 0; k < run->n; k++) {
        const struct judged *j = &run->kept[k].judged;
        int i = 0;

        while (i < n - 1 && run->texts[k].length > r[i].to)
            i++;
        r[i].n++;
        r[i].wrong += j->pred != j->truth;
    }
}
