/* vec_act.h - activations, alone and as gates, in vectors of sixteen. Included by isa_*.c only. */
#ifndef VEC_ACT_H
#define VEC_ACT_H

#include "vec_math.h"

/* x from -FAR to FAR; NaN stays. */
FORCE_INLINE v16 v16_near(v16 x, float far)
{
    return v16_max(v16_set(-far), v16_min(v16_set(far), x));
}

/* ---- gelu_new ---- */

/*
 * x (1 + tanh(z)) / 2 = x / (1 + exp(-2 z)), 2 z = x (a + b x^2). The error of exp(-2 z) is that of
 * its argument: within 2.5 ulp of the result for x >= -1, 5e-8 absolute below; the slope within
 * 2.2e-7 absolute (80 million values in [-30, 30] tried).
 */
enum { GELU_FAR = 30 }; /* from here on 0 and x; squares stay finite */
#define GELU_A 1.5957691216057308f
#define GELU_B 0.0713548162726f

/* exp(-2 z), at most exp(88). */
FORCE_INLINE v16 gelu_exp(v16 x, v16 square)
{
    return v16_exp(v16_mul(x, v16_fma(square, v16_set(-GELU_B), v16_set(-GELU_A))));
}

FORCE_INLINE v16 gelu(v16 x)
{
    const v16 near = v16_near(x, GELU_FAR), e = gelu_exp(near, v16_mul(near, near));

    return v16_div(v16_max(v16_set(-(float)GELU_FAR), x), v16_add(v16_set(1.0f), e));
}

/* With s = 1 / (1 + e):  s + x s (e s) (a + 3 b x^2). */
FORCE_INLINE v16 gelu_slope(v16 x)
{
    const v16 near = v16_near(x, GELU_FAR), square = v16_mul(near, near);
    const v16 e = gelu_exp(near, square), s = v16_div(v16_set(1.0f), v16_add(v16_set(1.0f), e));
    const v16 steep = v16_fma(square, v16_set(3 * GELU_B), v16_set(GELU_A));

    return v16_fma(v16_mul(near, s), v16_mul(v16_mul(e, s), steep), s);
}

/* ---- SiLU ---- */

enum { SILU_FAR = 80 }; /* from here on 0 and x; exp(80) has a normal reciprocal */

FORCE_INLINE v16 silu_exp(v16 near)
{
    return v16_exp(v16_sub(v16_set(0.0f), near));
}

FORCE_INLINE v16 silu(v16 x)
{
    const v16 e = silu_exp(v16_near(x, SILU_FAR));

    return v16_div(v16_max(v16_set(-(float)SILU_FAR), x), v16_add(v16_set(1.0f), e));
}

/* With s = 1 / (1 + e):  s + x s (e s). */
FORCE_INLINE v16 silu_slope(v16 x)
{
    const v16 near = v16_near(x, SILU_FAR), e = silu_exp(near);
    const v16 s = v16_div(v16_set(1.0f), v16_add(v16_set(1.0f), e));

    return v16_fma(v16_mul(near, s), v16_mul(e, s), s);
}

/* ---- rows ---- */

/* KIND is a constant where these are inlined. */
FORCE_INLINE v16 act_of(v16 x, const enum activation kind)
{
    return kind == ACT_SILU ? silu(x) : gelu(x);
}

FORCE_INLINE v16 slope_of(v16 x, const enum activation kind)
{
    return kind == ACT_SILU ? silu_slope(x) : gelu_slope(x);
}

FORCE_INLINE void act_run(float *y, const float *x, int64_t n, const enum activation kind)
{
    V16_STEPS(n, i, m)
    store_n(y + i, act_of(load_n(x + i, m, 0), kind), m);
}

FORCE_INLINE void act_slope_run(float *dx, const float *dy, const float *x, int64_t n,
                                const enum activation kind)
{
    V16_STEPS(n, i, m)
    store_n(dx + i, v16_mul(load_n(dy + i, m, 0), slope_of(load_n(x + i, m, 0), kind)), m);
}

FORCE_INLINE void gate_run(float *y, const float *gate, const float *up, int64_t n,
                           const enum activation kind)
{
    V16_STEPS(n, i, m)
    store_n(y + i, v16_mul(act_of(load_n(gate + i, m, 0), kind), load_n(up + i, m, 0)), m);
}

FORCE_INLINE void gate_slope_run(float *dgate, float *dup, const float *dy, const float *gate,
                                 const float *up, int64_t n, const enum activation kind)
{
    V16_STEPS(n, i, m)
    {
        const v16 d = load_n(dy + i, m, 0), g = load_n(gate + i, m, 0), u = load_n(up + i, m, 0);

        store_n(dgate + i, v16_mul(v16_mul(d, u), slope_of(g, kind)), m);
        store_n(dup + i, v16_mul(d, act_of(g, kind)), m);
    }
}

static void act(float *y, const float *x, int64_t n, enum activation kind)
{
    if (kind == ACT_SILU)
        act_run(y, x, n, ACT_SILU);
    else
        act_run(y, x, n, ACT_GELU_NEW);
}

static void act_slope(float *dx, const float *dy, const float *x, int64_t n, enum activation kind)
{
    if (kind == ACT_SILU)
        act_slope_run(dx, dy, x, n, ACT_SILU);
    else
        act_slope_run(dx, dy, x, n, ACT_GELU_NEW);
}

static void gate(float *y, const float *g, const float *up, int64_t n, enum activation kind)
{
    if (kind == ACT_SILU)
        gate_run(y, g, up, n, ACT_SILU);
    else
        gate_run(y, g, up, n, ACT_GELU_NEW);
}

static void gate_slope(float *dgate, float *dup, const float *dy, const float *g, const float *up,
                       int64_t n, enum activation kind)
{
    if (kind == ACT_SILU)
        gate_slope_run(dgate, dup, dy, g, up, n, ACT_SILU);
    else
        gate_slope_run(dgate, dup, dy, g, up, n, ACT_GELU_NEW);
}

#endif
