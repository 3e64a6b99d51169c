/* vec_dropout.h - dropout with as many Philox counters at a time as lanes. Included by isa_*.c
 * only. */
#ifndef VEC_DROPOUT_H
#define VEC_DROPOUT_H

#include "isa.h"
#include "rng.h"
#include "simd.h"

#include <math.h>

/*
 * philox: word (4 * COUNTERS) = philox4x32({first, c1, c2, c3}, key), then of first + 1, first + 2,
 * .. A word is the low half of a lane of 64 bits, whose high half is anything: the product of two
 * is then one instruction, and what is wanted of it one shift away or nothing.
 */
#if defined(__AVX512F__)
enum { PER_VECTOR = 8 };
typedef __m512i vw;
#define vw_set(x)    _mm512_set1_epi32((int)(x))
#define vw_count     _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)
#define vw_add(a, b) _mm512_add_epi32(a, b)
#define vw_mul(a, b) _mm512_mul_epu32(a, b)
/* on the port that does not multiply */
#define vw_down(a)       _mm512_shuffle_epi32(a, _MM_PERM_DDBB)
#define vw_xor3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define vw_both(a, b)    _mm512_mask_mov_epi32(a, 0xaaaa, _mm512_slli_epi64(b, 32))
#elif defined(__AVX2__)
enum { PER_VECTOR = 4 };
typedef __m256i vw;
#define vw_set(x)        _mm256_set1_epi32((int)(x))
#define vw_count         _mm256_setr_epi64x(0, 1, 2, 3)
#define vw_add(a, b)     _mm256_add_epi32(a, b)
#define vw_mul(a, b)     _mm256_mul_epu32(a, b)
#define vw_down(a)       _mm256_srli_epi64(a, 32)
#define vw_xor3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define vw_both(a, b)    _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa)
#endif

#if defined(__AVX2__)
enum { VECTORS = 4 }; /* as many at a time as keep the multiplier busy */

/* word (4 * PER_VECTOR) = the words of a kind, X0..X3, as the four words of each counter. */
FORCE_INLINE void store_words(uint32_t *word, vw x0, vw x1, vw x2, vw x3)
{
    const vw head = vw_both(x0, x1), tail = vw_both(x2, x3);

#if defined(__AVX512F__)
    const vw low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const vw high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);

    _mm512_storeu_si512(word, _mm512_permutex2var_epi64(head, low, tail));
    _mm512_storeu_si512(word + 16, _mm512_permutex2var_epi64(head, high, tail));
#else
    const vw even = _mm256_unpacklo_epi64(head, tail), odd = _mm256_unpackhi_epi64(head, tail);

    _mm256_storeu_si256((vw *)(void *)word, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((vw *)(void *)(word + 8), _mm256_permute2x128_si256(even, odd, 0x31));
#endif
}

/* COUNT, a constant where this is inlined, is at most VECTORS. */
FORCE_INLINE void philox(uint32_t *word, const int count, uint32_t first, uint32_t c1, uint32_t c2,
                         uint32_t c3, uint64_t key)
{
    const vw m0 = vw_set(0xD2511F53u), m1 = vw_set(0xCD9E8D57u);
    vw k0 = vw_set(key), k1 = vw_set(key >> 32), x0[VECTORS], x1[VECTORS], x2[VECTORS], x3[VECTORS];

    for (int v = 0; v < count; v++) {
        x0[v] = vw_add(vw_set(first + (uint32_t)(v * PER_VECTOR)), vw_count);
        x1[v] = vw_set(c1);
        x2[v] = vw_set(c2);
        x3[v] = vw_set(c3);
    }
    UNROLL(10)
    for (int round = 0; round < 10; round++) {
        UNROLL(4)
        for (int v = 0; v < count; v++) {
            const vw left = vw_mul(x0[v], m0), right = vw_mul(x2[v], m1);

            x0[v] = vw_xor3(vw_down(right), x1[v], k0);
            x2[v] = vw_xor3(vw_down(left), x3[v], k1);
            x1[v] = right;
            x3[v] = left;
        }
        k0 = vw_add(k0, vw_set(0x9E3779B9u));
        k1 = vw_add(k1, vw_set(0xBB67AE85u));
    }
    for (int v = 0; v < count; v++)
        store_words(word + v * 4 * PER_VECTOR, x0[v], x1[v], x2[v], x3[v]);
}
#else
enum { PER_VECTOR = 4, VECTORS = 2 };

FORCE_INLINE void philox(uint32_t *word, const int count, uint32_t first, uint32_t c1, uint32_t c2,
                         uint32_t c3, uint64_t key)
{
    for (uint32_t i = 0; i < (uint32_t)(count * PER_VECTOR); i++) {
        const uint32_t counter[4] = { first + i, c1, c2, c3 };

        philox4x32(word + 4 * i, counter, key);
    }
}
#endif

/* Channels FIRST + i, i < n, for which COUNT vectors of counters are drawn. */
FORCE_INLINE void drop_some(float *out, const float *x, int64_t n, int64_t first, const int count,
                            const struct mask *m, int64_t token, uint32_t bar, float scale)
{
    uint32_t word[VECTORS * 4 * PER_VECTOR];

    philox(word, count, (uint32_t)(first / 4), (uint32_t)m->pos[token], m->sample[token],
           m->drop->site, m->drop->seed);
    if (n > count * 4 * PER_VECTOR) /* so much is drawn: for the vectoriser */
        __builtin_unreachable();
    for (int64_t j = 0; j < n; j++)
        out[j] = word[j] >= bar ? x[j] * scale : 0;
}

/* out[i] = x[i] / (1 - p) where channel FIRST + i of TOKEN is kept, else 0, for i < n:
 * ref_dropout's bytes. FIRST is a multiple of 4; p is not 0; out may be x. Zen 4, one core: 2.7
 * Gelem/s, and 1.1 with AVX2. */
static void dropout(float *out, const float *x, int64_t n, int64_t first, const struct mask *m,
                    int64_t token)
{
    enum { PART = 4 * PER_VECTOR, STEP = VECTORS * PART };
    const uint32_t bar = (uint32_t)ceil((double)m->drop->p * 0x1p32);
    const float scale = (float)(1 / (1 - (double)m->drop->p));
    int64_t i = 0;

    for (; i + STEP <= n; i += STEP)
        drop_some(out + i, x + i, STEP, first + i, VECTORS, m, token, bar, scale);
    if (n - i > PART) {
        drop_some(out + i, x + i, n - i, first + i, VECTORS, m, token, bar, scale);
        return;
    }
    for (; i + PART <= n; i += PART) /* a tile's columns */
        drop_some(out + i, x + i, PART, first + i, 1, m, token, bar, scale);
    if (i < n)
        drop_some(out + i, x + i, n - i, first + i, 1, m, token, bar, scale);
}

#endif
