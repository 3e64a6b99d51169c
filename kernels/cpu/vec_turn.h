/* vec_turn.h - a few elements of a few rows, turned in registers. Included by kernels of one
 * instruction set only. */
#ifndef VEC_TURN_H
#define VEC_TURN_H

#include "simd.h"

#if defined(__AVX2__)
/* t[j] = elements K + j of the eight rows. */
FORCE_INLINE void transposed8(__m256 t[8], const float *const row[8], int64_t k)
{
    __m256 r[8], s[8];

    UNROLL(8)
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_loadu_ps(row[i] + k);
    UNROLL(4)
    for (int i = 0; i < 4; i++) {
        s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    UNROLL(2)
    for (int i = 0; i < 2; i++) {
        r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xee);
        r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xee);
    }
    UNROLL(4)
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
}
#endif

/* ---- 32 (turn_rows), 16 or 4 bytes of W rows, row i at p + at[i]: out[j] = dword j of each ----
 */

#if defined(__AVX2__)
/* Dwords that are loaded one by one into the register: stored side by side and loaded as a vector
 * they would have to reach the cache first. */
FORCE_INLINE __m128i dwords_of_four(const uint8_t *p, const int32_t *at)
{
    int32_t d[4];

    for (int i = 0; i < 4; i++)
        memcpy(&d[i], p + at[i], sizeof d[i]);
    return _mm_insert_epi32(
        _mm_insert_epi32(_mm_insert_epi32(_mm_cvtsi32_si128(d[0]), d[1], 1), d[2], 2), d[3], 3);
}
#endif

#if defined(__AVX512F__)
/* Rows I and I + 4 of the 32 bytes, as lanes of one vector. */
FORCE_INLINE __m512i two_rows(const uint8_t *p, const int32_t *at, int i)
{
    const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)(p + at[i]));
    const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + at[i + 4]));

    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

FORCE_INLINE void turn_rows(vi out[8], const uint8_t *p, const int32_t *at)
{
    __m512i a[2][4]; /* [h][j]: dwords j and j + 4 of four rows each, 8 h.. and 8 h + 4.. */

    UNROLL(2)
    for (int h = 0; h < 2; h++) {
        const __m512i r0 = two_rows(p, at, 8 * h), r1 = two_rows(p, at, 8 * h + 1),
                      r2 = two_rows(p, at, 8 * h + 2), r3 = two_rows(p, at, 8 * h + 3);
        const __m512i lo01 = _mm512_unpacklo_epi32(r0, r1), hi01 = _mm512_unpackhi_epi32(r0, r1),
                      lo23 = _mm512_unpacklo_epi32(r2, r3), hi23 = _mm512_unpackhi_epi32(r2, r3);

        a[h][0] = _mm512_unpacklo_epi64(lo01, lo23);
        a[h][1] = _mm512_unpackhi_epi64(lo01, lo23);
        a[h][2] = _mm512_unpacklo_epi64(hi01, hi23);
        a[h][3] = _mm512_unpackhi_epi64(hi01, hi23);
    }
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        out[j] = _mm512_shuffle_i32x4(a[0][j], a[1][j], 0x88);
        out[j + 4] = _mm512_shuffle_i32x4(a[0][j], a[1][j], 0xdd);
    }
}

/* Rows I, I + 4, I + 8, I + 12 of the 16 bytes, as lanes of one vector. */
FORCE_INLINE __m512i four_rows(const uint8_t *p, const int32_t *at, int i)
{
    __m512i r = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)(p + at[i])));

    r = _mm512_inserti32x4(r, _mm_loadu_si128((const __m128i *)(const void *)(p + at[i + 4])), 1);
    r = _mm512_inserti32x4(r, _mm_loadu_si128((const __m128i *)(const void *)(p + at[i + 8])), 2);
    return _mm512_inserti32x4(r, _mm_loadu_si128((const __m128i *)(const void *)(p + at[i + 12])),
                              3);
}

FORCE_INLINE void turn_rows_16(vi out[4], const uint8_t *p, const int32_t *at)
{
    const __m512i r0 = four_rows(p, at, 0), r1 = four_rows(p, at, 1), r2 = four_rows(p, at, 2),
                  r3 = four_rows(p, at, 3);
    const __m512i lo01 = _mm512_unpacklo_epi32(r0, r1), hi01 = _mm512_unpackhi_epi32(r0, r1),
                  lo23 = _mm512_unpacklo_epi32(r2, r3), hi23 = _mm512_unpackhi_epi32(r2, r3);

    out[0] = _mm512_unpacklo_epi64(lo01, lo23);
    out[1] = _mm512_unpackhi_epi64(lo01, lo23);
    out[2] = _mm512_unpacklo_epi64(hi01, hi23);
    out[3] = _mm512_unpackhi_epi64(hi01, hi23);
}

FORCE_INLINE vi turn_rows_4(const uint8_t *p, const int32_t *at)
{
    __m512i r = _mm512_castsi128_si512(dwords_of_four(p, at));

    r = _mm512_inserti32x4(r, dwords_of_four(p, at + 4), 1);
    r = _mm512_inserti32x4(r, dwords_of_four(p, at + 8), 2);
    return _mm512_inserti32x4(r, dwords_of_four(p, at + 12), 3);
}
#elif defined(__AVX2__)
FORCE_INLINE void turn_rows(vi out[8], const uint8_t *p, const int32_t *at)
{
    const float *row[8];
    __m256 t[8];

    for (int i = 0; i < 8; i++)
        row[i] = (const float *)(const void *)(p + at[i]);
    transposed8(t, row, 0);
    UNROLL(8)
    for (int j = 0; j < 8; j++)
        out[j] = _mm256_castps_si256(t[j]);
}

/* Rows I and I + 4 of the 16 bytes, as lanes of one vector. */
FORCE_INLINE __m256i two_rows(const uint8_t *p, const int32_t *at, int i)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(p + at[i]));
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + at[i + 4]));

    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

FORCE_INLINE void turn_rows_16(vi out[4], const uint8_t *p, const int32_t *at)
{
    const __m256i r0 = two_rows(p, at, 0), r1 = two_rows(p, at, 1), r2 = two_rows(p, at, 2),
                  r3 = two_rows(p, at, 3);
    const __m256i lo01 = _mm256_unpacklo_epi32(r0, r1), hi01 = _mm256_unpackhi_epi32(r0, r1),
                  lo23 = _mm256_unpacklo_epi32(r2, r3), hi23 = _mm256_unpackhi_epi32(r2, r3);

    out[0] = _mm256_unpacklo_epi64(lo01, lo23);
    out[1] = _mm256_unpackhi_epi64(lo01, lo23);
    out[2] = _mm256_unpacklo_epi64(hi01, hi23);
    out[3] = _mm256_unpackhi_epi64(hi01, hi23);
}

FORCE_INLINE vi turn_rows_4(const uint8_t *p, const int32_t *at)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(dwords_of_four(p, at)),
                                   dwords_of_four(p, at + 4), 1);
}
#else
FORCE_INLINE void turn_dwords(vi *out, const uint8_t *p, const int32_t *at, int n)
{
    for (int j = 0; j < n; j++)
        for (int i = 0; i < W; i++) {
            const uint8_t *const b = p + at[i] + 4 * j;

            out[j][i] = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                                  (uint32_t)b[3] << 24);
        }
}

FORCE_INLINE void turn_rows(vi out[8], const uint8_t *p, const int32_t *at)
{
    turn_dwords(out, p, at, 8);
}

FORCE_INLINE void turn_rows_16(vi out[4], const uint8_t *p, const int32_t *at)
{
    turn_dwords(out, p, at, 4);
}

FORCE_INLINE vi turn_rows_4(const uint8_t *p, const int32_t *at)
{
    vi out;

    turn_dwords(&out, p, at, 1);
    return out;
}
#endif

#endif
