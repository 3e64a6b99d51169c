/* Dropout, and the residual sum it stands in. */
#include "ref_impl.h"
#include "mem.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void ref_dropout(float *out, const float *x, int64_t n, int64_t first, const struct dropout *d,
                 const struct packed *rows, int64_t token)
{
    const uint32_t least = (uint32_t)ceil((double)d->p * 0x1p32);
    const float scale = (float)(1 / (1 - (double)d->p));
    uint32_t counter[4] = { 0 }, word[4];

    assert(d->p >= 0 && d->p < 1 && first % 4 == 0);
    if (d->p == 0) {
        memmove(out, x, (size_t)n * sizeof *out);
        return;
    }
    counter[1] = (uint32_t)const_i32(rows->pos)[token];
    counter[2] = (uint32_t)const_i32(rows->sample)[token];
    counter[3] = d->site;
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0) {
            counter[0] = (uint32_t)((first + i) / 4);
            philox4x32(word, counter, d->seed);
        }
        out[i] = word[i % 4] >= least ? x[i] * scale : 0;
    }
}

static int residual_forward(struct dev *out, const struct dev *x, const struct dev *a,
                            const struct dev *m, const struct dropout *da, const struct dropout *dm,
                            const struct packed *rows, int64_t N, int64_t C)
{
#pragma omp parallel
    {
        float *const left = xnmalloc((size_t)C, sizeof *left), *const right = xnmalloc(
                                                                   (size_t)C, sizeof *right);

#pragma omp for schedule(static)
        for (int64_t n = 0; n < N; n++) {
            ref_dropout(left, const_f32(a) + n * C, C, 0, da, rows, n);
            if (m)
                ref_dropout(right, const_f32(m) + n * C, C, 0, dm, rows, n);
            for (int64_t c = 0; c < C; c++)
                f32(out)[n * C + c] =
                    (float)((double)left[c] + (m ? right[c] : 0) + const_f32(x)[n * C + c]);
        }
        free(left);
        free(right);
    }
    return 0;
}

static void drop_all(struct dev *out, const struct dev *dout, const struct dropout *d,
                     const struct packed *rows, int64_t N, int64_t C)
{
    if (d->p == 0 && out == dout)
        return;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++)
        ref_dropout(f32(out) + n * C, const_f32(dout) + n * C, C, 0, d, rows, n);
}

static int residual_backward(struct dev *da, struct dev *dm, const struct dev *dout,
                             const struct dropout *drop_a, const struct dropout *drop_m,
                             const struct packed *rows, int64_t N, int64_t C)
{
    drop_all(da, dout, drop_a, rows, N, C);
    if (dm)
        drop_all(dm, dout, drop_m, rows, N, C);
    return 0;
}

void ref_residual_ops(struct ops *o)
{
    o->residual_forward = residual_forward;
    o->residual_backward = residual_backward;
}
