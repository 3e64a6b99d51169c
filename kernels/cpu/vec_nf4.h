/* vec_nf4.h - NF4 codes to floats, by register look-up. Included by isa_*.c only. */
#ifndef VEC_NF4_H
#define VEC_NF4_H

#include "nf4_code.h"
#include "simd.h"

static const float nf4_value[16] = NF4_VALUES;

/*
 * nf4_gather: dword i at p + at[i], eight codes of W different rows.
 * nf4_pick: the values of code number J (0..7 in the order of the weight) of each dword. A byte
 * holds its first element in the high nibble, so code j stands at bit 8 * (j / 2) + 4 * (1 - j %
 * 2). nf4_run: values of the W codes in the W/2 bytes at p.
 */
#define NF4_SHIFT(j) (8 * ((j) / 2) + 4 * (1 - (j) % 2))

#if defined(__AVX512F__)
FORCE_INLINE vi nf4_gather(const uint8_t *p, const int32_t *at)
{
    return _mm512_i32gather_epi32(_mm512_loadu_si512(at), p, 1);
}

FORCE_INLINE vf nf4_look_up(vi codes)
{
    return _mm512_permutexvar_ps(codes, _mm512_loadu_ps(nf4_value));
}

#define nf4_pick(rows, j) nf4_look_up(_mm512_srli_epi32(rows, NF4_SHIFT(j)))

FORCE_INLINE vf nf4_run(const uint8_t *p)
{
    const __m512i shift =
        _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 4, 0, 12, 8, 20, 16, 28, 24);
    int32_t d[2];

    memcpy(d, p, sizeof d);
    return nf4_look_up(
        _mm512_srlv_epi32(_mm512_mask_set1_epi32(_mm512_set1_epi32(d[0]), 0xff00, d[1]), shift));
}
#elif defined(__AVX2__)
FORCE_INLINE vi nf4_gather(const uint8_t *p, const int32_t *at)
{
    return _mm256_i32gather_epi32((const int *)(const void *)p,
                                  _mm256_loadu_si256((const __m256i *)(const void *)at), 1);
}

/* Bits 0-2 pick out of eight; bit 3, moved to the sign, says which eight. */
FORCE_INLINE vf nf4_look_up(vi codes)
{
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(nf4_value), codes);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(nf4_value + 8), codes);

    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
}

#define nf4_pick(rows, j) nf4_look_up(_mm256_srli_epi32(rows, NF4_SHIFT(j)))

FORCE_INLINE vf nf4_run(const uint8_t *p)
{
    const __m256i shift = _mm256_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24);
    int32_t d;

    memcpy(&d, p, sizeof d);
    return nf4_look_up(_mm256_srlv_epi32(_mm256_set1_epi32(d), shift));
}
#else
FORCE_INLINE vi nf4_gather(const uint8_t *p, const int32_t *at)
{
    vi rows;

    for (int i = 0; i < W; i++) {
        const uint8_t *const b = p + at[i];

        rows[i] = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                            (uint32_t)b[3] << 24);
    }
    return rows;
}

FORCE_INLINE vf nf4_pick(vi rows, int j)
{
    vf a;

    for (int i = 0; i < W; i++)
        a[i] = nf4_value[(uint32_t)rows[i] >> NF4_SHIFT(j) & 15];
    return a;
}

FORCE_INLINE vf nf4_run(const uint8_t *p)
{
    vf a;

    for (int i = 0; i < W; i++)
        a[i] = nf4_value[i % 2 ? p[i / 2] & 15 : p[i / 2] >> 4];
    return a;
}
#endif

#endif
