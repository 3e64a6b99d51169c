/* Quantising to NF4: NUMERICS B.2, all in IEEE float32, bit-equal to bitsandbytes on the CPU. */
#include "ref_impl.h"
#include "nf4_code.h"

#include <math.h>
#include <string.h>

/* What bitsandbytes on the CPU takes for a scale at least, so that zeros get code 7. */
static const float LEAST_SCALE = 1e-38f;

/* A tie goes to the lower code, and NaN (0 times the reciprocal of 0) to 0. */
static int code_of(float x)
{
    static const float threshold[15] = NF4_THRESHOLDS;
    int code = 0;

    for (int i = 0; i < 15; i++)
        code += x > threshold[i];
    return code;
}

static void load(float *out, const struct dev *w, enum dtype dtype, int64_t first, int64_t n)
{
    const struct weight flat = { .dtype = dtype, .data = w };

    ref_weight_span(out, &flat, first, n);
}

/* Codes of x (n), already scaled; the half byte behind an odd n is the code of x[n]. */
static void pack(uint8_t *codes, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 2)
        codes[i / 2] = (uint8_t)(code_of(x[i]) << 4 | code_of(x[i + 1]));
}

/* The largest without its sign; NaN when one is not finite. */
static float largest(const float *x, int64_t n)
{
    float most = 0;

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return NAN;
        most = fmaxf(most, fabsf(x[i]));
    }
    return most;
}

/*
 * Scales x (n) of one block in place and returns the scale to store. bitsandbytes multiplies by the
 * reciprocal; its CPU code divides in a short last block instead, and stores the scale it took.
 */
static float scale_block(float *x, int64_t n, bool short_block, int zero_code)
{
    const float most = largest(x, n);
    const float least = zero_code == 7 && most < LEAST_SCALE ? LEAST_SCALE : most;
    const float inverse = 1.0f / least;
    const bool divide = zero_code == 7 && short_block;

    for (int64_t i = 0; i < n + n % 2; i++)
        x[i] = divide ? x[i] / least : x[i] * inverse;
    return divide ? least : most;
}

static int nf4_quantize(struct dev *codes, struct dev *absmax, const struct dev *w,
                        enum dtype dtype, int64_t n, int block, int zero_code)
{
    enum { BLOCK_MAX = 4096 };
    const int64_t blocks = (n + block - 1) / block;
    uint8_t *const bytes = (uint8_t *)(void *)codes;

    assert(block > 0 && block <= BLOCK_MAX && block % 2 == 0);
    assert(zero_code == 0 || zero_code == 7);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t first = b * block, count = min_i64(block, n - first);
        float x[BLOCK_MAX];

        load(x, w, dtype, first, count);
        if (count % 2)
            x[count] = 0;
        f32(absmax)[b] = scale_block(x, count, count < block, zero_code);
        if (codes)
            pack(bytes + first / 2, x, count);
    }
    return 0;
}

void ref_nf4_ops(struct ops *o)
{
    o->nf4_quantize = nf4_quantize;
}
