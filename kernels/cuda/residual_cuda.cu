/* Dropout, and the residual sum it stands in: four channels a thread, which share a counter. Bound by
 * memory: every array once. */
#include "cuda_impl.h"

struct mask mask_of(const struct dropout *d, const struct packed *rows)
{
    struct mask m = { d->p > 0, (uint32_t)ceil((double)d->p * 0x1p32), d->site, d->seed,
                      (float)(1 / (1 - (double)d->p)), NULL, NULL };

    if (m.on) {
        m.pos = i32(rows->pos);
        m.sample = (const uint32_t *)rows->sample;
    }
    return m;
}

/* v = channels 4 * GROUP.. of a row of C, zero behind its end. */
__device__ static void load4(float v[4], const float *row, int64_t group, int64_t C)
{
    for (int i = 0; i < 4; i++)
        v[i] = 4 * group + i < C ? row[4 * group + i] : 0;
}

static __global__ void drop(float *out, const float *x, struct mask m, int64_t N, int64_t C, bool more)
{
    const int64_t groups = (C + 3) / 4, token = thread_of_all() / groups,
                  group = thread_of_all() % groups;
    float v[4];

    if (token >= N)
        return;
    load4(v, x + token * C, group, C);
    drop4(v, m, token, group);
    for (int i = 0; i < 4 && 4 * group + i < C; i++) {
        float *const to = out + token * C + 4 * group + i;

        *to = more ? *to + v[i] : v[i];
    }
}

static __global__ void residual(float *out, const float *x, const float *a, const float *b, struct mask ma,
                         struct mask mb, int64_t N, int64_t C)
{
    const int64_t groups = (C + 3) / 4, token = thread_of_all() / groups,
                  group = thread_of_all() % groups;
    float left[4], right[4] = { 0, 0, 0, 0 };

    if (token >= N)
        return;
    load4(left, a + token * C, group, C);
    drop4(left, ma, token, group);
    if (b) {
        load4(right, b + token * C, group, C);
        drop4(right, mb, token, group);
    }
    for (int i = 0; i < 4 && 4 * group + i < C; i++)
        out[token * C + 4 * group + i] = left[i] + right[i] + x[token * C + 4 * group + i];
}

int drop_rows(float *out, const float *x, const struct mask *m, int64_t N, int64_t C, bool more)
{
    return LAUNCH(drop, blocks_for(N * ((C + 3) / 4), THREADS), THREADS, 0, out, x, *m, N, C, more);
}

static int residual_forward(struct dev *out, const struct dev *x, const struct dev *a,
                            const struct dev *m, const struct dropout *da, const struct dropout *dm,
                            const struct packed *rows, int64_t N, int64_t C)
{
    const struct mask left = mask_of(da, rows), right = m ? mask_of(dm, rows) : left;

    return LAUNCH(residual, blocks_for(N * ((C + 3) / 4), THREADS), THREADS, 0, f32(out), f32(x), f32(a),
                  f32(m), left, right, N, C);
}

static int drop_all(struct dev *out, const struct dev *dout, const struct dropout *d,
                    const struct packed *rows, int64_t N, int64_t C)
{
    const struct mask m = mask_of(d, rows);

    return !m.on && out == dout ? 0 : drop_rows(f32(out), f32(dout), &m, N, C, false);
}

static int residual_backward(struct dev *da, struct dev *dm, const struct dev *dout,
                             const struct dropout *drop_a, const struct dropout *drop_m,
                             const struct packed *rows, int64_t N, int64_t C)
{
    if (drop_all(da, dout, drop_a, rows, N, C) < 0)
        return -1;
    return dm ? drop_all(dm, dout, drop_m, rows, N, C) : 0;
}

void cuda_residual_ops(struct ops *o)
{
    o->residual_forward = residual_forward;
    o->residual_backward = residual_backward;
}
