/* vec_math.h - exp and softmax in vectors of sixteen. Included by isa_*.c only. */
#ifndef VEC_MATH_H
#define VEC_MATH_H

#include "isa.h"
#include "simd.h"

#include <math.h>

/*
 * exp(x): x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r (Cephes' coefficients), the
 * exponent moved by n. Within 1.01 ulp over [-87, 88] (one in 257 floats tried);
 * 0 below, exp(88) above, NaN for NaN.
 */
FORCE_INLINE v16 v16_exp(v16 x)
{
    const v16 magic = v16_set(0x1.8p23f); /* adding it rounds to an integer, in the low bits */
    const v16 in = v16_min(v16_set(88.0f), x);
    const v16 t = v16_fma(in, v16_set(1.44269504088896341f), magic);
    const v16 n = v16_sub(t, magic);
    const v16 r = v16_fma(n, v16_set(2.12194440e-4f), v16_fma(n, v16_set(-0.693359375f), in));
    v16 p = v16_set(1.9875691500e-4f);

    p = v16_fma(p, r, v16_set(1.3981999507e-3f));
    p = v16_fma(p, r, v16_set(8.3334519073e-3f));
    p = v16_fma(p, r, v16_set(4.1665795894e-2f));
    p = v16_fma(p, r, v16_set(1.6666665459e-1f));
    p = v16_fma(p, r, v16_set(5.0000001201e-1f));
    p = v16_add(v16_fma(p, v16_mul(r, r), r), v16_set(1.0f));
    return v16_unless_less(x, v16_set(-87.0f), v16_scale2(p, t));
}

/* Runs BODY(i, n) over 0..count-1 in steps of sixteen: n is 16, and less for the last step. */
#define V16_STEPS(count, i, n)                                                                     \
    for (int64_t i = 0, n; n = (count)-i < 16 ? (count)-i : 16, i < (count); i += 16)

FORCE_INLINE v16 load_n(const float *p, int64_t n, float fill)
{
    return n == 16 ? v16_load(p) : v16_load_part(p, n, fill);
}

FORCE_INLINE void store_n(float *p, v16 a, int64_t n)
{
    if (n == 16)
        v16_store(p, a);
    else
        v16_store_part(p, a, n);
}

/* ---- softmax ---- */

static float softmax_tile(float *s, int64_t n, int64_t valid, float *most, float *sum)
{
    const float before = *most;
    v16 top = v16_set(before), total = v16_set(0.0f);

    if (valid > n)
        valid = n;
    if (valid <= 0) {
        memset(s, 0, (size_t)n * sizeof *s);
        return 1;
    }
    V16_STEPS(valid, i, m)
    top = v16_max(top, load_n(s + i, m, before));
    *most = v16_most(top);
    V16_STEPS(valid, i, m)
    {
        const v16 e = v16_exp(v16_sub(load_n(s + i, m, -INFINITY), v16_set(*most)));

        total = v16_add(total, e);
        store_n(s + i, e, m);
    }
    memset(s + valid, 0, (size_t)(n - valid) * sizeof *s);

    float change[16] = { 0 };

    if (before > -INFINITY)
        v16_store(change, v16_exp(v16_set(before - *most)));
    *sum = *sum * change[0] + v16_sum(total);
    return change[0];
}

static void softmax_slope(float *s, float *g, int64_t n, int64_t valid, float lse, float along,
                          float scale)
{
    if (valid > n)
        valid = n;
    if (valid < 0)
        valid = 0;
    V16_STEPS(valid, i, m)
    {
        const v16 p = v16_exp(v16_sub(load_n(s + i, m, 0), v16_set(lse)));
        const v16 d = v16_mul(p, v16_sub(load_n(g + i, m, 0), v16_set(along)));

        store_n(s + i, p, m);
        store_n(g + i, v16_mul(d, v16_set(scale)), m);
    }
    memset(s + valid, 0, (size_t)(n - valid) * sizeof *s);
    memset(g + valid, 0, (size_t)(n - valid) * sizeof *g);
}

static int64_t first_largest(const float *x, int64_t n)
{
    v16 top = v16_set(-INFINITY);
    float most;

    V16_STEPS(n, i, m)
    top = v16_max(top, load_n(x + i, m, -INFINITY));
    most = v16_most(top);
    for (int64_t i = 0; i < n; i++)
        if (x[i] == most)
            return i;
    return 0;
}

/* Eight rows' chains side by side, each of which waits for its last step. */
FORCE_INLINE void dots8(float *out, int64_t step, const float *a, const float *b, int64_t ld,
                        const int rows, int64_t n)
{
    float total[8] = { 0 };

    for (int64_t k0 = 0; k0 < n; k0 += KC) {
        const int64_t end = n - k0 < KC ? n : k0 + KC;
        float sum[8] = { 0 };

        for (int64_t k = k0; k < end; k++)
            UNROLL(8)
        for (int i = 0; i < rows; i++)
            sum[i] = fma_one(a[i * ld + k], b[i * ld + k], sum[i]);
        for (int i = 0; i < rows; i++)
            total[i] += sum[i];
    }
    for (int i = 0; i < rows; i++)
        out[i * step] = total[i];
}

static void row_dots(float *out, int64_t step, const float *a, const float *b, int64_t ld,
                     int64_t rows, int64_t n)
{
    int64_t i = 0;

    for (; i + 8 <= rows; i += 8)
        dots8(out + i * step, step, a + i * ld, b + i * ld, ld, 8, n);
    for (; i < rows; i++)
        dots8(out + i * step, step, a + i * ld, b + i * ld, ld, 1, n);
}

static void scale(float *x, float by, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= by;
}

#endif
