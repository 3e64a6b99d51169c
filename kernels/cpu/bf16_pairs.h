/* bf16_pairs.h - pairs of bfloat16. Included by *_avx512bf16.c only. */
#ifndef BF16_PAIRS_H
#define BF16_PAIRS_H

#include <immintrin.h>

/* 32 floats in their order. */
static inline __m512i bf16_of(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Pairs along k as the instruction wants them, from the even and the odd columns of W rows. */
static inline __m512i pairs_of(__m512 even, __m512 odd)
{
    const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

    return _mm512_permutexvar_epi16(zip, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

#endif
