/* vec_dropout.h - dropout with eight Philox counters at a time. Included by isa_*.c only. */
#ifndef VEC_DROPOUT_H
#define VEC_DROPOUT_H

#include "isa.h"
#include "rng.h"
#include "simd.h"

#include <math.h>

/* word (32) = philox4x32({first, c1, c2, c3}, key), then of first + 1, .. first + 7. */
#if defined(__AVX2__)
/* The high and low halves of x * m, lane by lane: the products of even and odd lanes, put together.
 */
FORCE_INLINE void mul_wide(__m256i *high, __m256i *low, __m256i x, __m256i m)
{
    const __m256i even = _mm256_mul_epu32(x, m),
                  odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);

    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

static void philox8(uint32_t word[32], uint32_t first, uint32_t c1, uint32_t c2, uint32_t c3,
                    uint64_t key)
{
    const __m256i m0 = _mm256_set1_epi32((int)0xD2511F53u),
                  m1 = _mm256_set1_epi32((int)0xCD9E8D57u);
    __m256i x0 =
        _mm256_add_epi32(_mm256_set1_epi32((int)first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i x1 = _mm256_set1_epi32((int)c1), x2 = _mm256_set1_epi32((int)c2),
            x3 = _mm256_set1_epi32((int)c3);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m256i high0, low0, high1, low1;

        mul_wide(&high0, &low0, x0, m0);
        mul_wide(&high1, &low1, x2, m1);
        x0 = _mm256_xor_si256(_mm256_xor_si256(high1, x1), _mm256_set1_epi32((int)k0));
        x2 = _mm256_xor_si256(_mm256_xor_si256(high0, x3), _mm256_set1_epi32((int)k1));
        x1 = low1;
        x3 = low0;
    }
    /* From words of a kind side by side to the four words of a counter side by side. */
    const __m256i a = _mm256_unpacklo_epi32(x0, x1), b = _mm256_unpackhi_epi32(x0, x1);
    const __m256i c = _mm256_unpacklo_epi32(x2, x3), d = _mm256_unpackhi_epi32(x2, x3);
    const __m256i c04 = _mm256_unpacklo_epi64(a, c), c15 = _mm256_unpackhi_epi64(a, c);
    const __m256i c26 = _mm256_unpacklo_epi64(b, d), c37 = _mm256_unpackhi_epi64(b, d);
    __m256i *const out = (__m256i *)(void *)word;

    _mm256_storeu_si256(out, _mm256_permute2x128_si256(c04, c15, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(c26, c37, 0x20));
    _mm256_storeu_si256(out + 2, _mm256_permute2x128_si256(c04, c15, 0x31));
    _mm256_storeu_si256(out + 3, _mm256_permute2x128_si256(c26, c37, 0x31));
}
#else
static void philox8(uint32_t word[32], uint32_t first, uint32_t c1, uint32_t c2, uint32_t c3,
                    uint64_t key)
{
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t counter[4] = { first + i, c1, c2, c3 };

        philox4x32(word + 4 * i, counter, key);
    }
}
#endif

/* out[i] = x[i] / (1 - p) where channel FIRST + i of TOKEN is kept, else 0, for i < n:
 * ref_dropout's bytes. FIRST is a multiple of 4; p is not 0; out may be x. */
static void dropout(float *out, const float *x, int64_t n, int64_t first, const struct mask *m,
                    int64_t token)
{
    const uint32_t bar = (uint32_t)ceil((double)m->drop->p * 0x1p32);
    const float scale = (float)(1 / (1 - (double)m->drop->p));
    uint32_t word[32];

    for (int64_t i = 0; i < n; i += 32) {
        philox8(word, (uint32_t)((first + i) / 4), (uint32_t)m->pos[token], m->sample[token],
                m->drop->site, m->drop->seed);
        if (n - i >= 32)
            for (int j = 0; j < 32; j++)
                out[i + j] = word[j] >= bar ? x[i + j] * scale : 0;
        else
            for (int j = 0; j < n - i; j++)
                out[i + j] = word[j] >= bar ? x[i + j] * scale : 0;
    }
}

#endif
