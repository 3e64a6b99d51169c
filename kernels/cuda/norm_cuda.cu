/* LayerNorm and RMSNorm: a block for each row. Bound by memory: x once from DRAM (again from cache), y
 * once to it. */
#include "cuda_impl.h"

/* Whole warps, about four elements a thread. */
static unsigned threads_for(int64_t C)
{
    const int64_t warps = (C / 4 + WARP - 1) / WARP;

    return (unsigned)(warps < 1 ? 1 : warps > THREADS / WARP ? THREADS / WARP : warps) * WARP;
}

static __global__ void forward(float *y, float *mean, float *rstd, const float *x, const float *gain,
                        const float *bias, bool rms, int64_t C, float eps)
{
    SHARED(float, warps);
    const int64_t row = blockIdx.x;
    const float *const in = x + row * C;
    float sum = 0, m = 0;

    if (!rms) {
        for (int64_t c = threadIdx.x; c < C; c += blockDim.x)
            sum += in[c];
        m = block_all(sum, add(), warps) / (float)C;
    }
    sum = 0;
    for (int64_t c = threadIdx.x; c < C; c += blockDim.x)
        sum += (in[c] - m) * (in[c] - m);
    const float r = 1 / sqrtf(block_all(sum, add(), warps) / (float)C + eps);

    for (int64_t c = threadIdx.x; c < C; c += blockDim.x)
        y[row * C + c] = (in[c] - m) * r * gain[c] + (rms ? 0 : bias[c]);
    if (threadIdx.x == 0 && mean && !rms)
        mean[row] = m;
    if (threadIdx.x == 0 && rstd)
        rstd[row] = r;
}

/* With h = (x - mean) rstd and e = dy gain:  dx = rstd (e - mean(e) - h mean(e h)). What is left of e
 * may be small beside it, hence double. dx may be dy. */
static __global__ void backward(float *dx, const float *dy, const float *x, const float *mean,
                                const float *rstd, const float *gain, bool rms, int64_t C, bool more)
{
    SHARED(double, warps);
    const int64_t row = blockIdx.x;
    const float *const in = x + row * C, *const up = dy + row * C;
    const double m = rms ? 0 : mean[row], r = rstd[row];
    double sum = 0, along = 0;

    for (int64_t c = threadIdx.x; c < C; c += blockDim.x) {
        const double e = (double)up[c] * gain[c];

        sum += e;
        along += e * ((in[c] - m) * r);
    }
    sum = rms ? 0 : block_all(sum, add(), warps) / (double)C;
    along = block_all(along, add(), warps) / (double)C;
    for (int64_t c = threadIdx.x; c < C; c += blockDim.x) {
        const double d = r * ((double)up[c] * gain[c] - sum - (in[c] - m) * r * along);
        float *const out = dx + row * C + c;

        *out = (float)(more ? *out + d : d);
    }
}

static int check(enum norm kind)
{
    if (kind == NORM_LAYER || kind == NORM_RMS)
        return 0;
    return cuda_fail(EX_UNAVAILABLE, "norm %d is not one that this build has", (int)kind);
}

static int norm_forward(struct dev *y, struct dev *mean, struct dev *rstd, const struct dev *x,
                        const struct dev *gain, const struct dev *bias, enum norm kind, int64_t N,
                        int64_t C, float eps)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(forward, (unsigned)N, threads_for(C), WARP * sizeof(float), f32(y), f32(mean),
                  f32(rstd), f32(x), f32(gain), f32(bias), kind == NORM_RMS, C, eps);
}

static int norm_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                         const struct dev *mean, const struct dev *rstd, const struct dev *gain,
                         enum norm kind, int64_t N, int64_t C, bool more)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(backward, (unsigned)N, threads_for(C), WARP * sizeof(double), f32(dx), f32(dy), f32(x),
                  f32(mean), f32(rstd), f32(gain), kind == NORM_RMS, C, more);
}

void cuda_norm_ops(struct ops *o)
{
    o->norm_forward = norm_forward;
    o->norm_backward = norm_backward;
}
