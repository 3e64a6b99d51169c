/*
 * vec_blocks.h - weights in the block formats of GGUF files, 32 elements at a time: of one row in
 * its order, or of W rows as the columns of a panel. What a format is stands in vec_block_strip.h,
 * once for both. Included by kernels of one instruction set only.
 */
#ifndef VEC_BLOCKS_H
#define VEC_BLOCKS_H

#include "block_code.h"
#include "isa.h"
#include "simd.h"
#include "vec_half.h"
#include "vec_turn.h"

enum { STRIP = 32 };

typedef uint32_t vdword __attribute__((vector_size(4 * W)));
typedef int32_t vint __attribute__((vector_size(4 * W)));
typedef float vfloat __attribute__((vector_size(4 * W)));

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

FORCE_INLINE void look_up_one(uint32_t *code)
{
    iq4_values((uint8_t *)code, STRIP);
}

#define WORD     uint32_t
#define REAL     float
#define PLACE    const uint8_t *
#define OF(name) name##_one
#include "vec_block_strip.h"
#undef WORD
#undef REAL
#undef PLACE
#undef OF

/* out (32) = strip S of the block at p. */
FORCE_INLINE void strip_to(const enum dtype t, float *out, const uint8_t *p, int s)
{
    struct head_one head;
    struct strip_one strip;
    int8_t code[STRIP];

    open_one(t, &head, p);
    take_one(t, &strip, &head, p, s);
    memcpy(code, strip.code, sizeof code);
    for (int i = 0; i < 2; i++)
        for (int j = 16 * i; j < 16 * (i + 1); j++)
            out[j] = block_has_offset(t) ? strip.scale[i] * (float)code[j] + strip.offset[i]
                                         : strip.scale[i] * (float)code[j];
}

#define STRIP_TO(name)                                                                             \
    static void strip_to_##name(float *out, const uint8_t *p, int s)                               \
    {                                                                                              \
        strip_to(DT_##name, out, p, s);                                                            \
    }
BLOCK_FORMATS(STRIP_TO)
#undef STRIP_TO

/* out (n) = elements FIRST.. of the flattened weight. */
static inline void span_blocks(float *out, const struct weight *w, int64_t first, int64_t n)
{
#define STRIP_TO(name) [DT_##name] = strip_to_##name,
    static void (*const to[])(float *, const uint8_t *, int) = { BLOCK_FORMATS(STRIP_TO) };
#undef STRIP_TO
    const int64_t strips = strips_of(w->dtype);
    const int64_t size = (int64_t)dtype_bytes(w->dtype, (size_t)(strips * STRIP));

    for (int64_t i = first; i < first + n;) {
        const int64_t strip = i / STRIP, within = i % STRIP;
        const int64_t count = min_i64(STRIP - within, first + n - i);
        const uint8_t *const p = weight_bytes(w) + strip / strips * size;
        float tmp[STRIP], *const at = count == STRIP ? out : tmp;

        to[w->dtype](at, p, (int)(strip % strips));
        if (count < STRIP)
            memcpy(out, tmp + within, (size_t)count * sizeof *out);
        out += count;
        i += count;
    }
}

/* ---- W rows ---- */

enum { STRIP_LD = 2 * W }; /* how far a panel's columns are apart */

struct places {
    const uint8_t *p;  /* of the first row */
    const int32_t *at; /* (W) where the rows are, from there on */
};

FORCE_INLINE void load_all(vdword *to, struct places p, int at, int n)
{
    vi word[8];

    if (n == 8) {
        turn_rows(word, p.p + at, p.at);
    } else if (n == 4) {
        turn_rows_16(word, p.p + at, p.at);
    } else {
        uint32_t one[W];

        for (int i = 0; i < W; i++)
            memcpy(&one[i], p.p + p.at[i] + at, sizeof one[i]);
        memcpy(&word[0], one, sizeof one);
    }
    for (int i = 0; i < n; i++)
        to[i] = (vdword)word[i];
}

FORCE_INLINE vf half_all(vdword word)
{
    return low_f16((vi)word);
}

FORCE_INLINE vf real_all(vdword word)
{
    return (vf) __builtin_convertvector((vint)word, vfloat);
}

FORCE_INLINE void look_up_all(vdword *code)
{
    iq4_values((uint8_t *)code, STRIP * W);
}

#define WORD     vdword
#define REAL     vf
#define PLACE    struct places
#define OF(name) name##_all
#include "vec_block_strip.h"
#undef WORD
#undef REAL
#undef PLACE
#undef OF

/* dst (32, W), STRIP_LD apart = the strip's values. Codes without a sign are taken where they are
 * in their dword, and the scale divided by 1, 256...: that is exact. */
FORCE_INLINE void put_strip(const enum dtype t, float *dst, const struct strip_all *s)
{
    UNROLL(2)
    for (int i = 0; i < 2; i++)
        UNROLL(4)
    for (int b = 0; b < 4; b++) {
        const vf by = vf_mul(s->scale[i], vf_set(1.0f / (float)(1 << 8 * b)));

        UNROLL(4)
        for (int j = 4 * i; j < 4 * (i + 1); j++) {
            const vdword code = s->code[j];
            float *const to = dst + (4 * j + b) * STRIP_LD;

            if (block_has_offset(t))
                vf_store(to, vf_fma(real_all(code & 255u << 8 * b), by, s->offset[i]));
            else
                vf_store(to, vf_mul(real_all((vdword)((vint)(code << (24 - 8 * b)) >> 24)),
                                    s->scale[i]));
        }
    }
}

/* W rows of a weight, at the next strip. */
struct block_rows {
    struct places place; /* of the block */
    int32_t at[W];
    int64_t size, strips; /* bytes and strips of a block */
    int64_t strip;        /* the next one */
    struct head_all head;
};

/* The rows N0.. from column K0 on, where a block begins; the weight's last row stands in for rows
 * behind it. */
FORCE_INLINE void block_rows_begin(struct block_rows *r, const struct weight *w, int64_t k0,
                                   int64_t n0)
{
    const int64_t row = (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);

    r->strips = strips_of(w->dtype);
    r->size = (int64_t)dtype_bytes(w->dtype, (size_t)(r->strips * STRIP));
    r->strip = 0;
    r->place =
        (struct places){ weight_bytes(w) + n0 * row + k0 / (r->strips * STRIP) * r->size, r->at };
    for (int i = 0; i < W; i++)
        r->at[i] = (int32_t)(min_i64(i, w->rows - 1 - n0) * row);
}

FORCE_INLINE void block_columns(const enum dtype t, struct block_rows *r, float *dst)
{
    struct strip_all strip;

    if (block_of_32(t) || r->strip == 0)
        open_all(t, &r->head, r->place);
    take_all(t, &strip, &r->head, r->place, (int)r->strip);
    put_strip(t, dst, &strip);
    if (block_of_32(t) || ++r->strip == r->strips) {
        r->strip = 0;
        r->place.p += r->size;
    }
}

#define COLUMNS(name)                                                                              \
    static void columns_##name(struct block_rows *r, float *dst)                                   \
    {                                                                                              \
        block_columns(DT_##name, r, dst);                                                          \
    }
BLOCK_FORMATS(COLUMNS)
#undef COLUMNS

typedef void next_columns(struct block_rows *r, float *dst);

/* Of format T: dst (32, W), STRIP_LD apart = the next 32 columns of the rows. */
static inline next_columns *columns_of(enum dtype t)
{
#define COLUMNS(name) [DT_##name] = columns_##name,
    static next_columns *const of[] = { BLOCK_FORMATS(COLUMNS) };
#undef COLUMNS

    return of[t];
}

/* Asks for what a later panel, N0.. of the weight's rows, takes: at each strip from column K on its
 * share of ROWS rows, in the order in which they lie. */
FORCE_INLINE void block_ask_ahead(const struct weight *w, int64_t n0, int64_t k, int rows)
{
    const int64_t row = (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);
    const int64_t share = row * STRIP / w->cols * rows;
    const uint8_t *const p = weight_bytes(w) + n0 * row + k / STRIP * share;

    for (int64_t i = 0; i < share; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

#endif
