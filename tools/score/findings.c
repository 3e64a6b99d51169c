#include "findings.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

const double coverage_share[COVERAGES] = { 1, 0.9, 0.8, 0.7, 0.5, 0.25 };

static void find_coverage(struct findings *f, const struct scored_run *run)
{
    size_t n;

    f->scored = run->slices[0].tally.scored > 0;
    if (!f->scored)
        return;
    struct coverage *curve = coverage_curve(run, &n);

    for (int i = 0; i < COVERAGES; i++)
        f->coverage[i] = *coverage_at(curve, n, coverage_share[i], run->n);
    free(curve);
}

void findings_init(struct findings *f, const struct scored_run *const *runs, int n)
{
    struct length_range ranges[LENGTH_RANGES];
    const int n_lengths = length_ranges(ranges, runs, n);

    for (int i = 0; i < n; i++) {
        f[i] = (struct findings){ .n_lengths = n_lengths };
        memcpy(f[i].length, ranges, sizeof ranges);
        length_count(f[i].length, n_lengths, runs[i]);
        find_coverage(&f[i], runs[i]);
        twins_find(&f[i].twins, runs[i]);
    }
}

void findings_free(struct findings *f, int n)
{
    for (int i = 0; i < n; i++)
        twins_free(&f[i].twins);
}

static void put_coverage(struct buf *b, const struct findings *f)
{
    buf_puts(b, ", \"coverage\": [");
    for (int i = 0; i < COVERAGES; i++) {
        const struct coverage *c = &f->coverage[i];

        buf_printf(b, "%s{\"share\": ", i ? ", " : "");
        json_put_double(b, coverage_share[i]);
        buf_printf(b, ", \"n\": %lld, \"accuracy\": ", (long long)c->n);
        json_put_double(b, (double)c->right / (double)c->n);
        buf_puts(b, ", \"least\": ");
        json_put_double(b, c->least);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

void findings_json(struct buf *b, const struct findings *f)
{
    if (f->scored)
        put_coverage(b, f);
    buf_puts(b, ", \"lengths\": [");
    for (int i = 0; i < f->n_lengths; i++)
        buf_printf(b, "%s{\"from\": %lld, \"to\": %lld, \"n\": %lld, \"wrong\": %lld}",
                   i ? ", " : "", (long long)f->length[i].from, (long long)f->length[i].to,
                   (long long)f->length[i].n, (long long)f->length[i].wrong);
    buf_printf(b, "], \"twins\": {\"records\": %lld, \"texts\": %lld, \"conflicts\": %lld}",
               (long long)f->twins.records, (long long)f->twins.n, (long long)f->twins.conflicts);
}
