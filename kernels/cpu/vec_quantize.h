/* vec_quantize.h - one block of NF4 from floats. Included by isa_*.c only. */
#ifndef VEC_QUANTIZE_H
#define VEC_QUANTIZE_H

#include "nf4_code.h"
#include "simd.h"

#include <math.h>

/* What bitsandbytes on the CPU takes for a scale at least, so that zeros get code 7. */
#define NF4_LEAST_SCALE 1e-38f

/*
 * nf4_codes: eight bytes of codes from sixteen values. A code is the number of thresholds below the
 * value (NaN is above none), found by halving: with C counted so far, the next threshold is number
 * C
 * + STEP - 1, for STEP 8, 4, 2, 1.
 */
#if defined(__AVX512F__)
FORCE_INLINE void nf4_codes(uint8_t *to, v16 in)
{
    static const float threshold[15 + 4] = NF4_THRESHOLDS; /* so that each part has sixteen */
    const __m512 x = in.p[0];
    __m512i c =
        _mm512_maskz_set1_epi32(_mm512_cmp_ps_mask(x, _mm512_set1_ps(threshold[7]), _CMP_GT_OQ), 8);

    UNROLL(3)
    for (int step = 4; step > 0; step /= 2) {
        const __m512 next = _mm512_permutexvar_ps(c, _mm512_loadu_ps(threshold + step - 1));

        c = _mm512_mask_add_epi32(c, _mm512_cmp_ps_mask(x, next, _CMP_GT_OQ), c,
                                  _mm512_set1_epi32(step));
    }
    /* the first of two in the high nibble */
    const __m128i pairs = _mm_maddubs_epi16(_mm512_cvtepi32_epi8(c), _mm_set1_epi16(0x0110));

    _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(pairs, pairs));
}
#elif defined(__AVX2__)
/* The thresholds as a heap, whose node I has the children 2 I and 2 I + 1: each row of it is in
 * eight lanes, where the low bits of I choose. */
FORCE_INLINE __m256i nf4_heap_down(__m256i node, __m256 heap, __m256 x)
{
    const __m256 at = _mm256_permutevar8x32_ps(heap, node);
    const __m256i more = _mm256_castps_si256(_mm256_cmp_ps(x, at, _CMP_GT_OQ));

    return _mm256_sub_epi32(_mm256_add_epi32(node, node), more);
}

FORCE_INLINE __m256i nf4_leaf(__m256 x)
{
    static const float t[15] = NF4_THRESHOLDS;
    const __m256 top = _mm256_setr_ps(0, t[7], t[3], t[11], t[1], t[5], t[9], t[13]);
    const __m256 last = _mm256_setr_ps(t[0], t[2], t[4], t[6], t[8], t[10], t[12], t[14]);
    __m256i node = _mm256_set1_epi32(1);

    node = nf4_heap_down(node, top, x);
    node = nf4_heap_down(node, top, x);
    node = nf4_heap_down(node, top, x);
    return _mm256_sub_epi32(nf4_heap_down(node, last, x), _mm256_set1_epi32(16));
}

FORCE_INLINE void nf4_codes(uint8_t *to, v16 in)
{
    const __m256i words = _mm256_packs_epi32(nf4_leaf(in.p[0]), nf4_leaf(in.p[1]));
    /* the first of two in the high nibble; the halves of a vector are packed each for itself */
    const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi32(0x00010010));
    const __m128i bytes =
        _mm_packs_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));

    _mm_storel_epi64((__m128i *)(void *)to,
                     _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 8, 10, 4, 6, 12, 14, -1, -1, -1,
                                                           -1, -1, -1, -1, -1)));
}
#else
/* Without look-ups all are compared, in vectors. */
FORCE_INLINE void nf4_codes(uint8_t *to, v16 in)
{
    static const float threshold[15] = NF4_THRESHOLDS;
    int32_t code[16];

    UNROLL(4)
    for (int i = 0; i < P; i++) {
        vi count = { 0 };

        UNROLL(15)
        for (int t = 0; t < 15; t++)
            count -= in.p[i] > vf_set(threshold[t]);
        memcpy(code + i * W, &count, sizeof count);
    }
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(code[2 * i] << 4 | code[2 * i + 1]);
}
#endif

/* As nf4_quantize says; CODES NULL: only the scale. bitsandbytes' CPU code divides in a short last
 * block and stores what it divided by. What stands behind an odd n is a 0, scaled like the rest. */
static float nf4_block(uint8_t *codes, const float *x, int64_t n, bool short_block, int zero_code)
{
    const bool divide = zero_code == 7 && short_block;
    v16 top = v16_set(0.0f);

    for (int64_t i = 0; i < n; i += 16)
        top = v16_max(top, v16_abs(n - i < 16 ? v16_load_part(x + i, n - i, 0) : v16_load(x + i)));
    const float most = v16_most(top);
    const float scale = zero_code == 7 ? (most > NF4_LEAST_SCALE ? most : NF4_LEAST_SCALE) : most;
    const v16 by = v16_set(divide ? scale : 1.0f / scale);

    for (int64_t i = 0; codes && i < n; i += 16) {
        const v16 in = n - i < 16 ? v16_load_part(x + i, n - i, 0) : v16_load(x + i);
        const v16 scaled = divide ? v16_div(in, by) : v16_mul(in, by);
        uint8_t byte[8];

        nf4_codes(byte, scaled);
        memcpy(codes + i / 2, byte, (size_t)(n - i < 16 ? (n - i + 1) / 2 : 8));
    }
    return divide ? scale : most;
}

#endif
