/* vec_quantize.h - blocks of NF4 from dense weights. Included by isa_*.c only. */
#ifndef VEC_QUANTIZE_H
#define VEC_QUANTIZE_H

#include "nf4_code.h"
#include "simd.h"
#include "vec_pack.h"

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

/* ---- blocks of floats ---- */

/*
 * As nf4_quantize says; CODES NULL: only the scale. bitsandbytes' CPU code divides in a short last
 * block and stores what it divided by. What stands behind an odd n is a 0, scaled like the rest.
 * The difference of a value from itself is 0, or NaN where it is not finite, and so is their sum.
 */
static float nf4_float_block(uint8_t *codes, const float *x, int64_t n, bool short_block,
                             int zero_code)
{
    const bool divide = zero_code == 7 && short_block;
    v16 top = v16_set(0.0f), spoilt = v16_set(0.0f);

    for (int64_t i = 0; i < n; i += 16) {
        const v16 in = n - i < 16 ? v16_load_part(x + i, n - i, 0) : v16_load(x + i);

        top = v16_max(top, v16_abs(in));
        spoilt = v16_add(spoilt, v16_sub(in, in));
    }
    const float most = v16_most(top) + v16_sum(spoilt);
    const float scale = zero_code == 7 && most < NF4_LEAST_SCALE ? NF4_LEAST_SCALE : most;
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

/* The same of weights of any dense type. */
static float nf4_through_floats(uint8_t *codes, const uint8_t *x, enum dtype dtype, int64_t n,
                                bool short_block, int zero_code)
{
    const struct weight flat = { .dtype = dtype, .data = (const struct dev *)(const void *)x };
    float values[4096];

    span_exact(values, &flat, 0, n);
    return nf4_float_block(codes, values, n, short_block, zero_code);
}

/* ---- blocks of halves ---- */

/*
 * Weights in half precision need not become floats. For one block the product with the reciprocal
 * of its scale grows with the weight, so that each threshold has a cut: the largest half whose
 * rounded product is not above it. Codes are then found among 16-bit integers, twice as many to a
 * vector, with two conversions for a block instead of one for every sixteen weights.
 *
 * Halves are compared as keys: their bits, those behind the sign turned over where it is set, as a
 * signed integer. That is its own inverse.
 */
#ifdef __AVX2__
/* Keys worked on at a time, of which a block has a multiple, and blocks. */
enum { NF4_KEYS = 32, NF4_TOGETHER = 32 };

/* Scales that have cuts: their reciprocals are finite and keep all their digits. */
#define NF4_LEAST_CUT 1e-30f
#define NF4_MOST_CUT  1e30f

/* The largest half not above each of eight floats that are not 0, as a key. */
FORCE_INLINE __m128i nf4_key_below(__m256 x, bool brain)
{
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i key = _mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1));
    const __m256i high = _mm256_srai_epi32(key, 16);
    const __m128i h = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);

    return brain ? _mm_packs_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1))
                 : _mm_xor_si128(h, _mm_srli_epi16(_mm_srai_epi16(h, 15), 1));
}

/* All bits set in each of eight words whose key's half, times BY, is above T. */
FORCE_INLINE __m128i nf4_key_is_over(__m128i key, bool brain, __m256 by, __m256 t)
{
    const __m128i h = _mm_xor_si128(key, _mm_srli_epi16(_mm_srai_epi16(key, 15), 1));
    const __m256 x = brain ? _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16))
                           : _mm256_cvtph_ps(h);
    const __m256i over = _mm256_castps_si256(_mm256_cmp_ps(_mm256_mul_ps(x, by), t, _CMP_GT_OQ));

    return _mm_packs_epi32(_mm256_castsi256_si128(over), _mm256_extracti128_si256(over, 1));
}

/*
 * The keys of the cuts for eight thresholds. The threshold times the scale is within 2^-22 of where
 * the product passes the threshold, and halves are at least 2^-11 apart: the cut is the half below,
 * the one before that, or the one after.
 */
FORCE_INLINE __m128i nf4_cuts(const float *threshold, float scale, bool brain)
{
    const __m256 t = _mm256_loadu_ps(threshold), by = _mm256_set1_ps(1.0f / scale);
    const __m128i below = nf4_key_below(_mm256_mul_ps(t, _mm256_set1_ps(scale)), brain);
    const __m128i above = _mm_sub_epi16(below, _mm_set1_epi16(-1));

    return _mm_add_epi16(above, _mm_add_epi16(nf4_key_is_over(below, brain, by, t),
                                              nf4_key_is_over(above, brain, by, t)));
}

FORCE_INLINE uint16_t nf4_most_of_eight(__m128i x)
{
    const __m128i least = _mm_minpos_epu16(_mm_xor_si128(x, _mm_set1_epi16(-1)));

    return (uint16_t)~_mm_extract_epi16(least, 0);
}

#ifdef __AVX512F__
/* The largest of the halves without their signs, as bits. */
FORCE_INLINE uint16_t nf4_most_half(const uint8_t *x, int64_t n)
{
    __m512i top = _mm512_setzero_si512();

    for (int64_t i = 0; i < n; i += NF4_KEYS)
        top = _mm512_max_epu16(
            top, _mm512_and_si512(_mm512_loadu_si512(x + 2 * i), _mm512_set1_epi16(0x7fff)));
    const __m256i two =
        _mm256_max_epu16(_mm512_castsi512_si256(top), _mm512_extracti64x4_epi64(top, 1));

    return nf4_most_of_eight(
        _mm_max_epu16(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1)));
}

/* CUT: the fifteen keys in rows for steps 8, 4, 2 and 1, so that C itself is the index. */
struct nf4_search {
    __m512i eight, four, two, one;
};

FORCE_INLINE struct nf4_search nf4_search(__m128i low, __m128i high)
{
    const __m512i cut = _mm512_castsi256_si512(_mm256_setr_m128i(low, high));
    const __m512i at = _mm512_cvtepi8_epi16(_mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                                                             12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7,
                                                             8, 9, 10, 11, 12, 13, 14, 15));

    return (struct nf4_search){
        _mm512_permutexvar_epi16(_mm512_set1_epi16(7), cut),
        _mm512_permutexvar_epi16(_mm512_add_epi16(at, _mm512_set1_epi16(3)), cut),
        _mm512_permutexvar_epi16(_mm512_add_epi16(at, _mm512_set1_epi16(1)), cut),
        cut,
    };
}

FORCE_INLINE __m512i nf4_step(__m512i c, __m512i key, __m512i row, int step)
{
    const __mmask32 more = _mm512_cmpgt_epi16_mask(key, _mm512_permutexvar_epi16(c, row));

    return _mm512_mask_add_epi16(c, more, c, _mm512_set1_epi16((short)step));
}

FORCE_INLINE void nf4_key_codes(uint8_t *to, const uint8_t *x, const struct nf4_search *s)
{
    const __m512i h = _mm512_loadu_si512(x);
    const __m512i key = _mm512_xor_si512(h, _mm512_srli_epi16(_mm512_srai_epi16(h, 15), 1));
    __m512i c =
        _mm512_maskz_mov_epi16(_mm512_cmpgt_epi16_mask(key, s->eight), _mm512_set1_epi16(8));

    c = nf4_step(c, key, s->four, 4);
    c = nf4_step(c, key, s->two, 2);
    c = nf4_step(c, key, s->one, 1);
    /* the first of two in the high nibble */
    const __m512i pairs = _mm512_madd_epi16(c, _mm512_set1_epi32(0x00010010));

    _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtepi32_epi8(pairs));
}
#else
FORCE_INLINE __m256i nf4_load_halves(const uint8_t *x)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)x);
}

FORCE_INLINE uint16_t nf4_most_half(const uint8_t *x, int64_t n)
{
    __m256i top = _mm256_setzero_si256();

    for (int64_t i = 0; i < n; i += NF4_KEYS / 2)
        top = _mm256_max_epu16(
            top, _mm256_and_si256(nf4_load_halves(x + 2 * i), _mm256_set1_epi16(0x7fff)));
    return nf4_most_of_eight(
        _mm_max_epu16(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1)));
}

/* The cuts as a table of low and one of high bytes, in each half of a vector. */
struct nf4_search {
    __m256i middle, low, high;
};

FORCE_INLINE struct nf4_search nf4_search(__m128i first, __m128i second)
{
    const __m128i byte = _mm_set1_epi16(0xff);

    return (struct nf4_search){
        _mm256_broadcastw_epi16(_mm_srli_si128(first, 14)),
        _mm256_broadcastsi128_si256(
            _mm_packus_epi16(_mm_and_si128(first, byte), _mm_and_si128(second, byte))),
        _mm256_broadcastsi128_si256(
            _mm_packus_epi16(_mm_srli_epi16(first, 8), _mm_srli_epi16(second, 8))),
    };
}

/* STEP in each byte of a key that is above its threshold. */
FORCE_INLINE __m256i nf4_above(const __m256i *key, __m256i t0, __m256i t1, int step)
{
    const __m256i more =
        _mm256_packs_epi16(_mm256_cmpgt_epi16(key[0], t0), _mm256_cmpgt_epi16(key[1], t1));

    return _mm256_and_si256(more, _mm256_set1_epi8((char)step));
}

FORCE_INLINE __m256i nf4_step(__m256i c, const __m256i *key, const struct nf4_search *s, int step)
{
    const __m256i at = _mm256_add_epi8(c, _mm256_set1_epi8((char)(step - 1)));
    const __m256i low = _mm256_shuffle_epi8(s->low, at), high = _mm256_shuffle_epi8(s->high, at);

    return _mm256_add_epi8(
        c, nf4_above(key, _mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high), step));
}

FORCE_INLINE void nf4_key_codes(uint8_t *to, const uint8_t *x, const struct nf4_search *s)
{
    __m256i key[2];

    for (int i = 0; i < 2; i++) {
        const __m256i h = nf4_load_halves(x + NF4_KEYS * i);

        key[i] = _mm256_xor_si256(h, _mm256_srli_epi16(_mm256_srai_epi16(h, 15), 1));
    }
    __m256i c = nf4_above(key, s->middle, s->middle, 8);

    c = nf4_step(c, key, s, 4);
    c = nf4_step(c, key, s, 2);
    c = nf4_step(c, key, s, 1);
    /* the first of two in the high nibble; eights of both keys alternate */
    const __m256i pairs = _mm256_maddubs_epi16(c, _mm256_set1_epi16(0x0110));
    const __m256i bytes = _mm256_packus_epi16(pairs, pairs);

    _mm_storeu_si128((__m128i *)(void *)to, _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes),
                                                               _mm256_extracti128_si256(bytes, 1)));
}
#endif

FORCE_INLINE float nf4_of_half(uint16_t bits, bool brain)
{
    return brain ? f32_of_bf16(bits) : _cvtsh_ss(bits);
}

/*
 * As nf4_blocks for B <= NF4_TOGETHER whole blocks of halves, X being the first. A block alone is
 * one chain of steps that wait for each other: each step is taken for all blocks before the next.
 */
FORCE_INLINE void nf4_half_blocks(uint8_t *codes, float *scale, const uint8_t *x, bool brain,
                                  int64_t b, int64_t block, int zero_code)
{
    static const float threshold[16] = NF4_THRESHOLDS;
    __m128i cut[NF4_TOGETHER][2];

    for (int64_t i = 0; i < b; i++)
        scale[i] = nf4_of_half(nf4_most_half(x + 2 * block * i, block), brain);
    if (!codes)
        return;
    for (int64_t i = 0; i < b; i++) {
        cut[i][0] = nf4_cuts(threshold, scale[i], brain);
        cut[i][1] = nf4_cuts(threshold + 8, scale[i], brain);
    }
    for (int64_t i = 0; i < b; i++) {
        const struct nf4_search s = nf4_search(cut[i][0], cut[i][1]);

        if (scale[i] > NF4_LEAST_CUT && scale[i] < NF4_MOST_CUT)
            for (int64_t k = block * i; k < block * (i + 1); k += NF4_KEYS)
                nf4_key_codes(codes + k / 2, x + 2 * k, &s);
        else
            scale[i] = nf4_through_floats(codes + block * i / 2, x + 2 * block * i,
                                          brain ? DT_BF16 : DT_F16, block, false, zero_code);
    }
}
#endif

/* ---- all ---- */

static void nf4_blocks(uint8_t *codes, float *absmax, const struct weight *w, int64_t first,
                       int64_t n, int zero_code)
{
    const size_t element = dtype_size(w->dtype);
    const int64_t block = w->block;
    int64_t i = 0;

    codes = codes ? codes + first / 2 : NULL;
    absmax += first / block;
#ifdef __AVX2__
    if (w->dtype != DT_F32 && block % NF4_KEYS == 0)
        for (int64_t some; (some = min_i64((n - i) / block, NF4_TOGETHER)) > 0; i += some * block)
            nf4_half_blocks(codes ? codes + i / 2 : NULL, absmax + i / block,
                            weight_bytes(w) + 2 * (first + i), w->dtype == DT_BF16, some, block,
                            zero_code);
#endif
    for (; i < n; i += block)
        absmax[i / block] = nf4_through_floats(
            codes ? codes + i / 2 : NULL, weight_bytes(w) + element * (size_t)(first + i), w->dtype,
            min_i64(block, n - i), n - i < block, zero_code);
}

#endif
