/* Dropout, and the residual sum it stands in. Bound by memory: every array once. */
#include "elements_cuda.h"

struct mask mask_of(const struct dropout *d, const struct packed *rows)
{
    struct mask m = { d->p > 0, (uint32_t)ceil((double)d->p * 0x1p32), d->site, d->seed,
                      (float)(1 / (1 - (double)d->p)), NULL, NULL, NULL, 0 };

    if (m.on) {
        m.pos = i32(rows->pos);
        m.sample = (const uint32_t *)rows->sample;
    }
    return m;
}

template <class T>
static __global__ void drop(T *out, const T *x, struct mask m, int64_t N, int64_t C)
{
    const struct place p = place_in_rows(C);
    const int64_t at = p.row * C + p.at;
    float v[GROUP];

    if (p.row >= N)
        return;
    load_group(v, x + at, p.left);
    drop_group(v, m, p.row, p.at);
    store_group(out + at, v, p.left);
}

/* B NULL: left out. */
template <class T>
static __global__ void residual(T *out, const T *x, const T *a, const T *b, struct mask ma, struct mask mb,
                                int64_t N, int64_t C)
{
    const struct place p = place_in_rows(C);
    const int64_t at = p.row * C + p.at;
    float sum[GROUP], v[GROUP];

    if (p.row >= N)
        return;
    load_group(sum, a + at, p.left);
    drop_group(sum, ma, p.row, p.at);
    if (b) {
        load_group(v, b + at, p.left);
        drop_group(v, mb, p.row, p.at);
        for (int i = 0; i < GROUP; i++)
            sum[i] += v[i];
    }
    load_group(v, x + at, p.left);
    for (int i = 0; i < GROUP; i++)
        sum[i] += v[i];
    store_group(out + at, sum, p.left);
}

int drop_rows(struct dev *out, const struct dev *x, const struct mask *m, int64_t N, int64_t C)
{
    const unsigned grid = blocks_for_rows(N, C);

    if (cuda_act == DT_BF16)
        return LAUNCH(drop<bf16>, grid, THREADS, 0, act<bf16>(out), act<bf16>(x), *m, N, C);
    return LAUNCH(drop<float>, grid, THREADS, 0, act<float>(out), act<float>(x), *m, N, C);
}

template <class T>
static int residual_forward(struct dev *out, const struct dev *x, const struct dev *a,
                            const struct dev *m, const struct dropout *da, const struct dropout *dm,
                            const struct packed *rows, int64_t N, int64_t C)
{
    const struct mask left = mask_of(da, rows), right = m ? mask_of(dm, rows) : left;

    return LAUNCH(residual<T>, blocks_for_rows(N, C), THREADS, 0, act<T>(out), act<T>(x), act<T>(a), act<T>(m),
                  left, right, N, C);
}

static int drop_all(struct dev *out, const struct dev *dout, const struct dropout *d,
                    const struct packed *rows, int64_t N, int64_t C)
{
    const struct mask m = mask_of(d, rows);

    return !m.on && out == dout ? 0 : drop_rows(out, dout, &m, N, C);
}

static int residual_backward(struct dev *da, struct dev *dm, const struct dev *dout,
                             const struct dropout *drop_a, const struct dropout *drop_m,
                             const struct packed *rows, int64_t N, int64_t C)
{
    if (drop_all(da, dout, drop_a, rows, N, C) < 0)
        return -1;
    return dm ? drop_all(dm, dout, drop_m, rows, N, C) : 0;
}

template <class T> static void fill(struct ops *o)
{
    o->residual_forward = residual_forward<T>;
}

void cuda_residual_ops(struct ops *o)
{
    FILL_FOR_ACT(fill, o);
    o->residual_backward = residual_backward;
}
