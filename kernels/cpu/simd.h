/*
 * simd.h - the vectors the kernels are written in, for the instruction set of the file that
 * includes it: AVX-512, AVX2 with FMA, or 4 lanes of the compiler's own vectors.
 *
 * vf is the machine's vector, W floats. v16 is always 16 floats, P of the machine's: whatever adds
 * across lanes is written in v16, so that every instruction set adds in the same order and, where
 * it has fused multiply-add, gives the same bytes.
 */
#ifndef SIMD_H
#define SIMD_H

#include <stdint.h>
#include <string.h>

#define FORCE_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL(n) _Pragma("unroll")
#else
#define UNROLL_TEXT(x) _Pragma(#x)
#define UNROLL(n)      UNROLL_TEXT(GCC unroll n)
#endif

#if defined(__AVX512F__)
#include <immintrin.h>
enum { W = 16 };
typedef __m512 vf;
typedef __m512i vi;
#define vf_load(p)              _mm512_loadu_ps(p)
#define vf_store(p, a)          _mm512_storeu_ps(p, a)
#define vf_set(x)               _mm512_set1_ps(x)
#define vf_add(a, b)            _mm512_add_ps(a, b)
#define vf_sub(a, b)            _mm512_sub_ps(a, b)
#define vf_mul(a, b)            _mm512_mul_ps(a, b)
#define vf_div(a, b)            _mm512_div_ps(a, b)
#define vf_fma(a, b, c)         _mm512_fmadd_ps(a, b, c)
#define vf_max(a, b)            _mm512_max_ps(a, b)
#define vf_min(a, b)            _mm512_min_ps(a, b)
#define vf_sqrt(a)              _mm512_sqrt_ps(a)
#define vf_unless_less(x, y, a) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, y, _CMP_NLT_UQ), a)
#define vf_scale2(a, t)                                                                            \
    _mm512_castsi512_ps(                                                                           \
        _mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(_mm512_castps_si512(t), 23)))
#define vf_abs(a)            _mm512_abs_ps(a)
#define vi_shift_right(a, n) _mm512_srli_epi32(a, n)
#define vi_shift_left(a, n)  _mm512_slli_epi32(a, n)
#define vf_of_bits(a)        _mm512_castsi512_ps(a)
#define vf_of_f16(p)         _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define vf_round_f16(a)                                                                            \
    _mm512_cvtph_ps(_mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define vf_of_bf16(p)                                                                              \
    _mm512_castsi512_ps(_mm512_slli_epi32(                                                         \
        _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(p))), 16))
#elif defined(__AVX2__)
#include <immintrin.h>
enum { W = 8 };
typedef __m256 vf;
typedef __m256i vi;
#define vf_load(p)              _mm256_loadu_ps(p)
#define vf_store(p, a)          _mm256_storeu_ps(p, a)
#define vf_set(x)               _mm256_set1_ps(x)
#define vf_add(a, b)            _mm256_add_ps(a, b)
#define vf_sub(a, b)            _mm256_sub_ps(a, b)
#define vf_mul(a, b)            _mm256_mul_ps(a, b)
#define vf_div(a, b)            _mm256_div_ps(a, b)
#define vf_fma(a, b, c)         _mm256_fmadd_ps(a, b, c)
#define vf_max(a, b)            _mm256_max_ps(a, b)
#define vf_min(a, b)            _mm256_min_ps(a, b)
#define vf_sqrt(a)              _mm256_sqrt_ps(a)
#define vf_unless_less(x, y, a) _mm256_and_ps(_mm256_cmp_ps(x, y, _CMP_NLT_UQ), a)
#define vf_scale2(a, t)                                                                            \
    _mm256_castsi256_ps(                                                                           \
        _mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_castps_si256(t), 23)))
#define vf_abs(a)            _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define vi_shift_right(a, n) _mm256_srli_epi32(a, n)
#define vi_shift_left(a, n)  _mm256_slli_epi32(a, n)
#define vf_of_bits(a)        _mm256_castsi256_ps(a)
#define vf_of_f16(p)         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define vf_round_f16(a)      _mm256_cvtph_ps(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT))
#define vf_of_bf16(p)                                                                              \
    _mm256_castsi256_ps(_mm256_slli_epi32(                                                         \
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p))), 16))
#else
#include "dtype.h"
#include <math.h>
enum { W = 4 };
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

FORCE_INLINE vf vf_load(const float *p)
{
    vf a;

    memcpy(&a, p, sizeof a);
    return a;
}

FORCE_INLINE void vf_store(float *p, vf a)
{
    memcpy(p, &a, sizeof a);
}

/* Fused only where one instruction does it: a fused step in software would be 50 times slower. */
FORCE_INLINE vf vf_fma(vf a, vf b, vf c)
{
#ifdef __FP_FAST_FMAF
    for (int i = 0; i < W; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

FORCE_INLINE vf vf_sqrt(vf a)
{
    for (int i = 0; i < W; i++)
        a[i] = sqrtf(a[i]);
    return a;
}

FORCE_INLINE vf vf_of_f16(const void *p)
{
    uint16_t h[W];
    vf a;

    memcpy(h, p, sizeof h);
    for (int i = 0; i < W; i++)
        a[i] = f32_of_f16(h[i]);
    return a;
}

FORCE_INLINE vf vf_round_f16(vf a)
{
    for (int i = 0; i < W; i++)
        a[i] = f32_of_f16(f16_of_f32(a[i]));
    return a;
}

FORCE_INLINE vf vf_of_bf16(const void *p)
{
    uint16_t h[W];
    vf a;

    memcpy(h, p, sizeof h);
    for (int i = 0; i < W; i++)
        a[i] = f32_of_bf16(h[i]);
    return a;
}

#define vf_set(x)               ((vf){ (x), (x), (x), (x) })
#define vf_add(a, b)            ((a) + (b))
#define vf_sub(a, b)            ((a) - (b))
#define vf_mul(a, b)            ((a) * (b))
#define vf_div(a, b)            ((a) / (b))
/* As the x86 instructions: the second operand where either is NaN. */
#define vf_select(m, a, b)      ((vf)(((vi)(a) & (m)) | ((vi)(b) & ~(m))))
#define vf_max(a, b)            vf_select((a) > (b), a, b)
#define vf_min(a, b)            vf_select((a) < (b), a, b)
#define vf_unless_less(x, y, a) ((vf)((vi)(a) & ~((x) < (y))))
#define vf_scale2(a, t)         ((vf)((vu)(a) + ((vu)(t) << 23)))
#define vf_abs(a)               ((vf)((vi)(a)&0x7fffffff))
#define vi_shift_right(a, n)    ((vi)((vu)(a) >> (n)))
#define vi_shift_left(a, n)     ((vi)((vu)(a) << (n)))
#define vf_of_bits(a)           ((vf)(a))
typedef uint32_t vu __attribute__((vector_size(16)));
#endif

/* vf_unless_less(x, y, a): 0 where x < y, else a (so a NaN in x lets a through). vf_scale2(a, t):
 * the integer in t's low bits added to a's exponent. vf_of_f16, vf_of_bf16: W halves at p as
 * floats. vf_round_f16(a): f32_rounded of each, NaNs too.
 */

/* One lane of vf_fma. */
FORCE_INLINE float fma_one(float a, float b, float c)
{
#if defined(__FMA__) || defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* W floats at p, which need not be aligned as floats: weights are mapped files. */
FORCE_INLINE vf vf_of_f32(const void *p)
{
    float x[W];

    memcpy(x, p, sizeof x);
    return vf_load(x);
}

enum { P = 16 / W };

typedef struct {
    vf p[P];
} v16;

#define V16_EACH UNROLL(4) for (int i = 0; i < P; i++)
#define V16_OP2(name)                                                                              \
    FORCE_INLINE v16 v16_##name(v16 a, v16 b)                                                      \
    {                                                                                              \
        V16_EACH a.p[i] = vf_##name(a.p[i], b.p[i]);                                               \
        return a;                                                                                  \
    }
V16_OP2(add)
V16_OP2(sub)
V16_OP2(mul)
V16_OP2(div)
V16_OP2(max)
V16_OP2(min)
V16_OP2(scale2)

FORCE_INLINE v16 v16_load(const float *p)
{
    v16 a;

    V16_EACH a.p[i] = vf_load(p + i * W);
    return a;
}

FORCE_INLINE void v16_store(float *p, v16 a)
{
    V16_EACH vf_store(p + i * W, a.p[i]);
}

FORCE_INLINE v16 v16_set(float x)
{
    v16 a;

    V16_EACH a.p[i] = vf_set(x);
    return a;
}

FORCE_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    V16_EACH c.p[i] = vf_fma(a.p[i], b.p[i], c.p[i]);
    return c;
}

FORCE_INLINE v16 v16_sqrt(v16 a)
{
    V16_EACH a.p[i] = vf_sqrt(a.p[i]);
    return a;
}

FORCE_INLINE v16 v16_abs(v16 a)
{
    V16_EACH a.p[i] = vf_abs(a.p[i]);
    return a;
}

FORCE_INLINE v16 v16_unless_less(v16 x, v16 y, v16 a)
{
    V16_EACH a.p[i] = vf_unless_less(x.p[i], y.p[i], a.p[i]);
    return a;
}

/* The first N < 16 of p, FILL in the other lanes. Where there are masks, not by way of memory: a
 * copy of so few is a call, and a vector read of what was just written in pieces waits. */
#if defined(__AVX512F__)
FORCE_INLINE v16 v16_load_part(const float *p, int64_t n, float fill)
{
    return (v16){ { _mm512_mask_loadu_ps(vf_set(fill), (__mmask16)((1u << n) - 1), p) } };
}

FORCE_INLINE void v16_store_part(float *p, v16 a, int64_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a.p[0]);
}
#elif defined(__AVX2__)
/* Of the eight from I on, those below N. */
FORCE_INLINE vi below(int i, int64_t n)
{
    const vi lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n - i), lane);
}

FORCE_INLINE v16 v16_load_part(const float *p, int64_t n, float fill)
{
    v16 a;

    V16_EACH a.p[i] = _mm256_blendv_ps(vf_set(fill), _mm256_maskload_ps(p + i * W, below(i * W, n)),
                                       vf_of_bits(below(i * W, n)));
    return a;
}

FORCE_INLINE void v16_store_part(float *p, v16 a, int64_t n)
{
    V16_EACH _mm256_maskstore_ps(p + i * W, below(i * W, n), a.p[i]);
}
#else
FORCE_INLINE v16 v16_load_part(const float *p, int64_t n, float fill)
{
    float t[16];

    v16_store(t, v16_set(fill));
    memcpy(t, p, (size_t)n * sizeof *t);
    return v16_load(t);
}

FORCE_INLINE void v16_store_part(float *p, v16 a, int64_t n)
{
    float t[16];

    v16_store(t, a);
    memcpy(p, t, (size_t)n * sizeof *t);
}
#endif

/* ---- across lanes: i with i + 8, then 4, 2, 1 ---- */

#ifdef __AVX2__
#define V16_ACROSS(op, op1, a)                                                                     \
    do {                                                                                           \
        const __m256 eight = _mm256_##op(v16_low(a), v16_high(a));                                 \
        const __m128 four =                                                                        \
            _mm_##op(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));              \
        const __m128 two = _mm_##op(four, _mm_movehl_ps(four, four));                              \
                                                                                                   \
        return _mm_cvtss_f32(_mm_##op1(two, _mm_movehdup_ps(two)));                                \
    } while (0)

#ifdef __AVX512F__
#define v16_low(a)  _mm512_castps512_ps256((a).p[0])
#define v16_high(a) _mm512_extractf32x8_ps((a).p[0], 1)
#else
#define v16_low(a)  (a).p[0]
#define v16_high(a) (a).p[1]
#endif

FORCE_INLINE float v16_sum(v16 a)
{
    V16_ACROSS(add_ps, add_ss, a);
}

FORCE_INLINE float v16_most(v16 a)
{
    V16_ACROSS(max_ps, max_ss, a);
}
#else
FORCE_INLINE float v16_sum(v16 a)
{
    float t[16];

    v16_store(t, a);
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            t[i] += t[i + half];
    return t[0];
}

FORCE_INLINE float v16_most(v16 a)
{
    float t[16];

    v16_store(t, a);
    for (int i = 1; i < 16; i++)
        t[0] = t[i] > t[0] ? t[i] : t[0];
    return t[0];
}
#endif

#endif
