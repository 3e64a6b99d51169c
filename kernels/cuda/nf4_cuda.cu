/* Quantising to NF4, bit for bit as ref/nf4_ref.c has it: a warp for each block. */
#include "cuda_impl.h"

/* What bitsandbytes on the CPU takes for a scale at least. */
#define LEAST_SCALE 1e-38f

/* A tie goes to the lower code, and NaN to 0. */
__device__ static int code_of(float x)
{
    const float threshold[15] = NF4_THRESHOLDS;
    int code = 0;

    for (int i = 0; i < 15; i++)
        code += x > threshold[i];
    return code;
}

__device__ static float scaled(float x, float least, float inverse, bool divide)
{
    return divide ? x / least : x * inverse;
}

static __global__ void quantize(uint8_t *codes, float *absmax, struct values w, int64_t n, int block,
                         int zero_code)
{
    const int64_t b = thread_of_all() / WARP, first = b * block;
    const int lane = threadIdx.x % WARP;

    if (first >= n) /* all lanes alike */
        return;
    const int count = n - first < block ? (int)(n - first) : block;
    float most = 0;
    int bad = 0;

    for (int i = lane; i < count; i += WARP) {
        const float x = raw_value(w, first + i);

        bad |= !isfinite(x);
        most = fmaxf(most, fabsf(x));
    }
    most = warp_all(most, larger());
    if (warp_all(bad, larger()))
        most = nanf("");
    const float least = zero_code == 7 && most < LEAST_SCALE ? LEAST_SCALE : most;
    const float inverse = 1.0f / least;
    const bool divide = zero_code == 7 && count < block;

    if (lane == 0)
        absmax[b] = divide ? least : most;
    if (!codes)
        return;
    for (int i = 2 * lane; i < count; i += 2 * WARP) {
        const float x = raw_value(w, first + i), y = i + 1 < count ? raw_value(w, first + i + 1) : 0;

        codes[(first + i) / 2] = (uint8_t)(code_of(scaled(x, least, inverse, divide)) << 4 |
                                           code_of(scaled(y, least, inverse, divide)));
    }
}

static int nf4_quantize(struct dev *codes, struct dev *absmax, const struct dev *w,
                        enum dtype dtype, int64_t n, int block, int zero_code)
{
    const int64_t blocks = (n + block - 1) / block;
    const struct values v = { dtype, DT_F32, w, NULL, 1, 0 };

    return LAUNCH(quantize, blocks_for(blocks, THREADS / WARP), THREADS, 0, (uint8_t *)codes,
                  f32(absmax), v, n, block, zero_code);
}

void cuda_nf4_ops(struct ops *o)
{
    o->nf4_quantize = nf4_quantize;
}
