/* vec_half.h - half floats of several rows of a weight, two of each at a time. Included by
 * kernels of one instruction set only. */
#ifndef VEC_HALF_H
#define VEC_HALF_H

#include "isa.h"
#include "simd.h"
#include "vec_turn.h"

/* at (n) = where the rows n0.. begin, in bytes from the first; the weight's last row stands in for
 * those behind it. For turn_rows. */
static inline void half_rows(int32_t *at, int n, const struct weight *w, int64_t ld, int64_t n0)
{
    for (int i = 0; i < n; i++)
        at[i] = (int32_t)(min_i64(i, w->rows - 1 - n0) * ld * 2);
}

/* As nf4_ask_ahead, at each chunk of 16 columns. */
FORCE_INLINE void half_ask_ahead(const struct weight *w, int64_t later, int64_t k, const int rows)
{
    for (int i = 0; i < rows * 32; i += 64)
        __builtin_prefetch(weight_bytes(w) + 2 * (later + k * rows) + i, 0, 2);
}

/* The halves in the low, and in the high, bits of W dwords. */
#if defined(__AVX512F__)
FORCE_INLINE vf low_f16(vi d)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(d));
}
#elif defined(__AVX2__)
FORCE_INLINE vf low_f16(vi d)
{
    const __m256i x = _mm256_and_si256(d, _mm256_set1_epi32(0xffff));

    return _mm256_cvtph_ps(
        _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
}
#else
FORCE_INLINE vf low_f16(vi d)
{
    vf a;

    for (int i = 0; i < W; i++)
        a[i] = f32_of_f16((uint16_t)d[i]);
    return a;
}
#endif

FORCE_INLINE vf low_half(vi d, const bool brain)
{
    return brain ? vf_of_bits(vi_shift_left(d, 16)) : low_f16(d);
}

FORCE_INLINE vf high_half(vi d, const bool brain)
{
    const vi high = vi_shift_right(d, 16);

    return brain ? vf_of_bits(vi_shift_left(high, 16)) : low_f16(high);
}

#endif
