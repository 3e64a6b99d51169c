/*
 * vec_blocks.h - weights in the block formats of GGUF files, 32 elements of a row at a time. What a
 * format is stands in vec_block_strip.h, once for this and for vec_block_rows.h. Included by
 * kernels of one instruction set only.
 *
 * Limit: storing the floats. Gelem/s into the second cache beside NF4's 6.1 (AVX2: 5.1), Xeon, one
 * core, busy: Q4_1 and Q4_0 6.9 (6.1), Q8_0 5.6 (5.9), blocks of 256 1.5 to 3.5.
 */
#ifndef VEC_BLOCKS_H
#define VEC_BLOCKS_H

#include "block_code.h"
#include "isa.h"
#include "simd.h"

enum { STRIP = 32 };

#define EACH_BYTE(x) (0x01010101u * (x))
/* Four bits, one to a byte. */
#define SPREAD(bits) (((bits)&15) * 0x00204081u & EACH_BYTE(1u))

/* ---- formats ---- */

#define BLOCK_FORMATS(EACH)                                                                        \
    EACH(Q4_0)                                                                                     \
    EACH(Q4_1)                                                                                     \
    EACH(Q5_0)                                                                                     \
    EACH(Q5_1)                                                                                     \
    EACH(Q8_0)                                                                                     \
    EACH(Q2_K)                                                                                     \
    EACH(Q3_K)                                                                                     \
    EACH(Q4_K)                                                                                     \
    EACH(Q5_K)                                                                                     \
    EACH(Q6_K)                                                                                     \
    EACH(IQ4_NL)                                                                                   \
    EACH(IQ4_XS)

FORCE_INLINE bool block_of_32(enum dtype t)
{
    return t <= DT_Q8_0 || t == DT_IQ4_NL;
}

/* Whether there are offsets; then no code has a sign. */
FORCE_INLINE bool block_has_offset(enum dtype t)
{
    return t == DT_Q4_1 || t == DT_Q5_1 || t == DT_Q2_K || t == DT_Q4_K || t == DT_Q5_K;
}

FORCE_INLINE int64_t strips_of(enum dtype t)
{
    return block_of_32(t) ? 1 : 8;
}

/* The N codes at P, a multiple of 32, become IQ4's values. */
FORCE_INLINE void iq4_values(uint8_t *p, size_t n)
{
    static const int8_t value[16] = IQ4_VALUES;

#ifdef __AVX2__
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)value));

    for (size_t i = 0; i < n; i += 32) {
        __m256i *const at = (__m256i *)(void *)(p + i);

        _mm256_storeu_si256(at, _mm256_shuffle_epi8(table, _mm256_loadu_si256(at)));
    }
#else
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)value[p[i]];
#endif
}

/* ---- one row ---- */

typedef uint32_t four_dwords __attribute__((vector_size(16)));
typedef uint32_t eight_dwords __attribute__((vector_size(32)));

FORCE_INLINE void load_one(uint32_t *to, const uint8_t *p, int at, int n)
{
    memcpy(to, p + at, (size_t)n * sizeof *to);
}

FORCE_INLINE float half_one(uint32_t word)
{
#ifdef __F16C__
    return _cvtsh_ss((uint16_t)word);
#else
    return f32_of_f16((uint16_t)word);
#endif
}

FORCE_INLINE float real_one(uint32_t word)
{
    return (float)(int32_t)word;
}

FORCE_INLINE void load_codes_one(eight_dwords *code, const uint8_t *p, int at)
{
#ifdef __AVX2__ /* at once, not by way of memory: what two stores wrote is slow to load as one */
    *code = (eight_dwords)_mm256_loadu_si256((const __m256i *)(const void *)(p + at));
#else
    memcpy(code, p + at, sizeof *code);
#endif
}

FORCE_INLINE void low_high_one(eight_dwords *code, const uint8_t *p, int at)
{
    four_dwords half[2];

    memcpy(&half[0], p + at, sizeof half[0]);
    half[1] = half[0] >> 4 & EACH_BYTE(15u);
    half[0] &= EACH_BYTE(15u);
#ifdef __AVX2__
    *code = (eight_dwords)_mm256_set_m128i((__m128i)half[1], (__m128i)half[0]);
#else
    memcpy(code, half, sizeof half);
#endif
}

FORCE_INLINE void fifth_bits_one(eight_dwords *code, const uint8_t *p, int at)
{
    const eight_dwords shift = { 0, 4, 8, 12, 16, 20, 24, 28 };
    uint32_t bits;

    load_one(&bits, p, at, 1);
    *code |= SPREAD(bits >> shift) << 4;
}

FORCE_INLINE void look_up_one(eight_dwords *code)
{
    iq4_values((uint8_t *)code, STRIP);
}

#define WORD     uint32_t
#define REAL     float
#define CODES    eight_dwords
#define PARTS    1
#define PLACE    const uint8_t *
#define OF(name) name##_one
#include "vec_block_strip.h"
#undef WORD
#undef REAL
#undef CODES
#undef PARTS
#undef PLACE
#undef OF

/* W bytes with signs at p. */
FORCE_INLINE vf vf_of_bytes(const int8_t *p)
{
#if defined(__AVX512F__)
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
#elif defined(__AVX2__)
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
#else
    vf x;

    for (int i = 0; i < W; i++)
        x[i] = (float)p[i];
    return x;
#endif
}

/* out (N) = elements FROM.. of strip S of the block at p; both are multiples of W. */
FORCE_INLINE void strip_to(const enum dtype t, float *out, const uint8_t *p, int s, int from, int n)
{
    struct head_one head;
    struct strip_one strip;
    const int8_t *const code = (const int8_t *)strip.code;

    if (block_of_32(t)) {
        uint32_t word;

        load_one(&word, p, 0, 1);
        open_32_one(&head, word);
    } else {
        open_256_one(t, &head, p);
    }
    take_one(t, &strip, &head, p, s);
    for (int i = from; i < from + n; i += W) {
        const int half = i >= STRIP / 2;
        const vf x = vf_mul(vf_of_bytes(code + i), vf_set(strip.scale[half]));

        vf_store(out + i - from, block_has_offset(t) ? vf_add(x, vf_set(strip.offset[half])) : x);
    }
}

/* A strip, or a part of one, of each of COUNT blocks. */
struct some_strips {
    const uint8_t *p; /* of the first block */
    int64_t count, step;
    int s, from, n;
};

/* out (count, n), rows LD apart. */
FORCE_INLINE void strips_to(const enum dtype t, float *out, int64_t ld, const struct some_strips *x)
{
    const struct some_strips some = *x;

    for (int64_t i = 0; i < some.count; i++)
        strip_to(t, out + i * ld, some.p + i * some.step, some.s, some.from, some.n);
}

typedef void strip_values(float *out, int64_t ld, const struct some_strips *some);

#define STRIPS_TO(name)                                                                            \
    static void strips_to_##name(float *out, int64_t ld, const struct some_strips *some)           \
    {                                                                                              \
        strips_to(DT_##name, out, ld, some);                                                       \
    }
BLOCK_FORMATS(STRIPS_TO)
#undef STRIPS_TO

static inline strip_values *strip_values_of(enum dtype t)
{
#define STRIPS_TO(name) [DT_##name] = strips_to_##name,
    static strip_values *const of[] = { BLOCK_FORMATS(STRIPS_TO) };
#undef STRIPS_TO

    return of[t];
}

/* out (n) = elements FIRST.. of the flattened weight. */
static inline void span_blocks(float *out, const struct weight *w, int64_t first, int64_t n)
{
    strip_values *const values = strip_values_of(w->dtype);
    const int64_t strips = strips_of(w->dtype);
    const int64_t size = (int64_t)dtype_bytes(w->dtype, (size_t)(strips * STRIP));

    while (n > 0) {
        const int64_t strip = first / STRIP, within = first % STRIP;
        const int64_t count = within || n < STRIP ? 0 : strips == 1 ? n / STRIP : 1;
        const int64_t some = count ? count * STRIP : min_i64(STRIP - within, n);
        float whole[STRIP];

        values(count ? out : whole, STRIP,
               &(struct some_strips){ weight_bytes(w) + strip / strips * size, count ? count : 1,
                                      size, (int)(strip % strips), 0, STRIP });
        if (!count)
            memcpy(out, whole + within, (size_t)some * sizeof *out);
        out += some;
        first += some;
        n -= some;
    }
}

#endif
