/* LayerNorm and RMSNorm: a block for each row. Bound by memory: x once from DRAM (again from cache), y
 * once to it. */
#include "elements_cuda.h"

enum { MOST_THREADS = 512 };

/* Whole warps, about a group a thread. */
static unsigned threads_for(int64_t C)
{
    const int64_t warps = (groups_of(C) + WARP - 1) / WARP, most = MOST_THREADS / WARP;

    return (unsigned)(warps < 1 ? 1 : least(warps, most)) * WARP;
}

template <class T>
static __global__ void __launch_bounds__(MOST_THREADS)
    forward(T *y, float *mean, float *rstd, const T *x, const float *gain, const float *bias, bool rms, int64_t C,
            float eps)
{
    SHARED(float, warps);
    const int64_t row = blockIdx.x;
    const T *const in = x + row * C;
    float v[GROUP], g[GROUP], b[GROUP] = { 0 }, sum = 0, m = 0;

    for (int64_t c = GROUP * threadIdx.x; !rms && c < C; c += GROUP * blockDim.x) {
        load_group(v, in + c, C - c);
        for (int i = 0; i < GROUP; i++)
            sum += v[i];
    }
    if (!rms)
        m = block_all(sum, add(), warps) / (float)C;
    sum = 0;
    for (int64_t c = GROUP * threadIdx.x; c < C; c += GROUP * blockDim.x) {
        load_group(v, in + c, C - c);
        for (int i = 0; i < GROUP && i < C - c; i++)
            sum += (v[i] - m) * (v[i] - m);
    }
    const float r = 1 / sqrtf(block_all(sum, add(), warps) / (float)C + eps);

    for (int64_t c = GROUP * threadIdx.x; c < C; c += GROUP * blockDim.x) {
        load_group(v, in + c, C - c);
        load_group(g, gain + c, C - c);
        if (!rms)
            load_group(b, bias + c, C - c);
        for (int i = 0; i < GROUP; i++)
            v[i] = (v[i] - m) * r * g[i] + b[i];
        store_group(y + row * C + c, v, C - c);
    }
    if (threadIdx.x == 0 && mean && !rms)
        mean[row] = m;
    if (threadIdx.x == 0 && rstd)
        rstd[row] = r;
}

/* With h = (x - mean) rstd and e = dy gain:  dx = rstd (e - mean(e) - h mean(e h)). What is left of e
 * may be small beside it, hence double. dx may be dy. */
template <class T>
static __global__ void __launch_bounds__(MOST_THREADS)
    backward(T *dx, const T *dy, const T *x, const float *mean, const float *rstd, const float *gain, bool rms,
             int64_t C, bool more)
{
    SHARED(double, warps);
    const int64_t row = blockIdx.x;
    const T *const in = x + row * C, *const up = dy + row * C;
    const double m = rms ? 0 : mean[row], r = rstd[row];
    float v[GROUP], d[GROUP], g[GROUP], old[GROUP] = { 0 };
    double sum = 0, along = 0;

    for (int64_t c = GROUP * threadIdx.x; c < C; c += GROUP * blockDim.x) {
        load_group(v, in + c, C - c);
        load_group(d, up + c, C - c);
        load_group(g, gain + c, C - c);
        for (int i = 0; i < GROUP; i++) { /* behind the row's end e is 0 */
            const double e = (double)d[i] * g[i];

            sum += e;
            along += e * ((v[i] - m) * r);
        }
    }
    sum = rms ? 0 : block_all(sum, add(), warps) / (double)C;
    along = block_all(along, add(), warps) / (double)C;
    for (int64_t c = GROUP * threadIdx.x; c < C; c += GROUP * blockDim.x) {
        load_group(v, in + c, C - c);
        load_group(d, up + c, C - c);
        load_group(g, gain + c, C - c);
        if (more)
            load_group(old, dx + row * C + c, C - c);
        for (int i = 0; i < GROUP; i++)
            d[i] = (float)(old[i] + r * ((double)d[i] * g[i] - sum - (v[i] - m) * r * along));
        store_group(dx + row * C + c, d, C - c);
    }
}

static int check(enum norm kind)
{
    if (kind == NORM_LAYER || kind == NORM_RMS)
        return 0;
    return cuda_fail(EX_UNAVAILABLE, "norm %d is not one that this build has", (int)kind);
}

template <class T>
static int norm_forward(struct dev *y, struct dev *mean, struct dev *rstd, const struct dev *x,
                        const struct dev *gain, const struct dev *bias, enum norm kind, int64_t N,
                        int64_t C, float eps)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(forward<T>, (unsigned)N, threads_for(C), WARP * sizeof(float), act<T>(y), f32(mean),
                  f32(rstd), act<T>(x), f32(gain), f32(bias), kind == NORM_RMS, C, eps);
}

template <class T>
static int norm_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                         const struct dev *mean, const struct dev *rstd, const struct dev *gain,
                         enum norm kind, int64_t N, int64_t C, bool more)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(backward<T>, (unsigned)N, threads_for(C), WARP * sizeof(double), act<T>(dx), act<T>(dy),
                  act<T>(x), f32(mean), f32(rstd), f32(gain), kind == NORM_RMS, C, more);
}

template <class T> static void fill(struct ops *o)
{
    o->norm_forward = norm_forward<T>;
    o->norm_backward = norm_backward<T>;
}

void cuda_norm_ops(struct ops *o)
{
    FILL_FOR_ACT(fill, o);
}
