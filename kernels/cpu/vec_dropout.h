/* vec_dropout.h - dropout with as many Philox counters at a time as lanes. Included by isa_*.c
 * only. */
#ifndef VEC_DROPOUT_H
#define VEC_DROPOUT_H

#include "isa.h"
#include "rng.h"
#include "simd.h"

#include <math.h>

/* word (4 * COUNTERS) = philox4x32({first, c1, c2, c3}, key), then of first + 1, first + 2, .. */
#if defined(__AVX512F__)
enum { COUNTERS = 16 };
typedef __m512i vw;
#define vw_set(x) _mm512_set1_epi32((int)(x))
#define vw_from(x)                                                                                 \
    _mm512_add_epi32(vw_set(x),                                                                    \
                     _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define vw_xor(a, b)     _mm512_xor_si512(a, b)
#define vw_mul(a, b)     _mm512_mul_epu32(a, b)
#define vw_down(a)       _mm512_srli_epi64(a, 32)
#define vw_up(a)         _mm512_slli_epi64(a, 32)
#define vw_odd(a, b)     _mm512_mask_mov_epi32(a, 0xaaaa, b)
#define vw_low32(a, b)   _mm512_unpacklo_epi32(a, b)
#define vw_hi32(a, b)    _mm512_unpackhi_epi32(a, b)
#define vw_low64(a, b)   _mm512_unpacklo_epi64(a, b)
#define vw_hi64(a, b)    _mm512_unpackhi_epi64(a, b)
#define vw_quarter(a, i) _mm512_extracti32x4_epi32(a, i)
#elif defined(__AVX2__)
enum { COUNTERS = 8 };
typedef __m256i vw;
#define vw_set(x)        _mm256_set1_epi32((int)(x))
#define vw_from(x)       _mm256_add_epi32(vw_set(x), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define vw_xor(a, b)     _mm256_xor_si256(a, b)
#define vw_mul(a, b)     _mm256_mul_epu32(a, b)
#define vw_down(a)       _mm256_srli_epi64(a, 32)
#define vw_up(a)         _mm256_slli_epi64(a, 32)
#define vw_odd(a, b)     _mm256_blend_epi32(a, b, 0xaa)
#define vw_low32(a, b)   _mm256_unpacklo_epi32(a, b)
#define vw_hi32(a, b)    _mm256_unpackhi_epi32(a, b)
#define vw_low64(a, b)   _mm256_unpacklo_epi64(a, b)
#define vw_hi64(a, b)    _mm256_unpackhi_epi64(a, b)
#define vw_quarter(a, i) _mm256_extracti128_si256(a, i)
#endif

#if defined(__AVX2__)
/* The high and low halves of x * m, lane by lane: the products of even and odd lanes, put together.
 */
FORCE_INLINE void mul_wide(vw *high, vw *low, vw x, vw m)
{
    const vw even = vw_mul(x, m), odd = vw_mul(vw_down(x), m);

    *high = vw_odd(vw_down(even), odd);
    *low = vw_odd(even, vw_up(odd));
}

/* The four counters of quarter I: vectors A..D hold counters 0, 1, 2, 3 of each quarter. */
#define STORE_QUARTER(word, i, a, b, c, d)                                                         \
    do {                                                                                           \
        __m128i *const to = (__m128i *)(void *)((word) + 16 * (i));                                \
                                                                                                   \
        _mm_storeu_si128(to, vw_quarter(a, i));                                                    \
        _mm_storeu_si128(to + 1, vw_quarter(b, i));                                                \
        _mm_storeu_si128(to + 2, vw_quarter(c, i));                                                \
        _mm_storeu_si128(to + 3, vw_quarter(d, i));                                                \
    } while (0)

static void philox(uint32_t word[4 * COUNTERS], uint32_t first, uint32_t c1, uint32_t c2,
                   uint32_t c3, uint64_t key)
{
    const vw m0 = vw_set(0xD2511F53u), m1 = vw_set(0xCD9E8D57u);
    vw x0 = vw_from(first), x1 = vw_set(c1), x2 = vw_set(c2), x3 = vw_set(c3);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        vw high0, low0, high1, low1;

        mul_wide(&high0, &low0, x0, m0);
        mul_wide(&high1, &low1, x2, m1);
        x0 = vw_xor(vw_xor(high1, x1), vw_set(k0));
        x2 = vw_xor(vw_xor(high0, x3), vw_set(k1));
        x1 = low1;
        x3 = low0;
    }
    /* From words of a kind side by side to the four words of a counter side by side. */
    const vw a = vw_low32(x0, x1), b = vw_hi32(x0, x1), c = vw_low32(x2, x3), d = vw_hi32(x2, x3);
    const vw w0 = vw_low64(a, c), w1 = vw_hi64(a, c), w2 = vw_low64(b, d), w3 = vw_hi64(b, d);

    STORE_QUARTER(word, 0, w0, w1, w2, w3);
    STORE_QUARTER(word, 1, w0, w1, w2, w3);
#if defined(__AVX512F__)
    STORE_QUARTER(word, 2, w0, w1, w2, w3);
    STORE_QUARTER(word, 3, w0, w1, w2, w3);
#endif
}
#else
enum { COUNTERS = 8 };

static void philox(uint32_t word[4 * COUNTERS], uint32_t first, uint32_t c1, uint32_t c2,
                   uint32_t c3, uint64_t key)
{
    for (uint32_t i = 0; i < COUNTERS; i++) {
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
    enum { STEP = 4 * COUNTERS };
    const uint32_t bar = (uint32_t)ceil((double)m->drop->p * 0x1p32);
    const float scale = (float)(1 / (1 - (double)m->drop->p));
    uint32_t word[STEP];

    for (int64_t i = 0; i < n; i += STEP) {
        philox(word, (uint32_t)((first + i) / 4), (uint32_t)m->pos[token], m->sample[token],
               m->drop->site, m->drop->seed);
        if (n - i >= STEP)
            for (int j = 0; j < STEP; j++)
                out[i + j] = word[j] >= bar ? x[i + j] * scale : 0;
        else
            for (int j = 0; j < n - i; j++)
                out[i + j] = word[j] >= bar ? x[i + j] * scale : 0;
    }
}

#endif
