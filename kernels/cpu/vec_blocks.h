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

/* ---- W rows ---- */

enum { STRIP_LD = 2 * W }; /* how far a panel's columns are apart */

struct places {
    const uint8_t *p;  /* of the first row */
    const int32_t *at; /* (W) where the rows are, from there on */
};

FORCE_INLINE void load_all(vdword *to, struct places p, int at, int n)
{
    if (n == 4) {
        vi word[4];

        turn_rows_16(word, p.p + at, p.at);
        for (int i = 0; i < 4; i++)
            to[i] = (vdword)word[i];
    } else {
        uint32_t one[W];

        for (int i = 0; i < W; i++)
            memcpy(&one[i], p.p + p.at[i] + at, sizeof one[i]);
        memcpy(to, one, sizeof one);
    }
}

FORCE_INLINE void load_codes_all(vdword *code, struct places p, int at)
{
    vi word[8];

    turn_rows(word, p.p + at, p.at);
    for (int i = 0; i < 8; i++)
        code[i] = (vdword)word[i];
}

FORCE_INLINE void low_high_all(vdword *code, struct places p, int at)
{
    load_all(code, p, at, 4);
    for (int j = 0; j < 4; j++) {
        code[4 + j] = code[j] >> 4 & EACH_BYTE(15u);
        code[j] &= EACH_BYTE(15u);
    }
}

FORCE_INLINE void fifth_bits_all(vdword *code, struct places p, int at)
{
    vdword bits;

    load_all(&bits, p, at, 1);
    for (int j = 0; j < 8; j++)
        code[j] |= SPREAD(bits >> 4 * j) << 4;
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
#define CODES    vdword
#define PARTS    8
#define PLACE    struct places
#define OF(name) name##_all
#include "vec_block_strip.h"
#undef WORD
#undef REAL
#undef CODES
#undef PARTS
#undef PLACE
#undef OF

/* Column 4 * J + B of a strip. Codes without a sign are taken where they are in their dword, and
 * the scale divided by 1, 256...: that is exact. */
FORCE_INLINE vf strip_column(const enum dtype t, const struct strip_all *s, const int j,
                             const int b)
{
    const vdword code = s->code[j];
    const vf scale = s->scale[j / 4];

    if (!block_has_offset(t))
        return vf_mul(real_all((vdword)((vint)(code << (24 - 8 * b)) >> 24)), scale);
    return vf_fma(real_all(code & 255u << 8 * b), vf_mul(scale, vf_set(1.0f / (float)(1 << 8 * b))),
                  s->offset[j / 4]);
}

/* W rows of a weight, at the next strip. */
struct block_rows {
    struct places place; /* of the block */
    int32_t at[W];
    int64_t size, strips; /* bytes and strips of a block */
    int64_t strip;        /* the next one */
    struct head_all head; /* of blocks of 256 */
    int64_t next;         /* of the following */
    /* Of blocks of 32 the first dwords, long before they are loaded as vectors. */
    uint32_t word[KC / STRIP][W];
};

/* KC at most columns of the rows N0.. from column K0 on, where a block begins; the weight's last
 * row stands in for rows behind it. */
static inline void block_rows_begin(struct block_rows *r, const struct weight *w, int64_t k0,
                                    int64_t kc, int64_t n0)
{
    const int64_t row = (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);

    r->strips = strips_of(w->dtype);
    r->size = (int64_t)dtype_bytes(w->dtype, (size_t)(r->strips * STRIP));
    r->strip = r->next = 0;
    r->place =
        (struct places){ weight_bytes(w) + n0 * row + k0 / (r->strips * STRIP) * r->size, r->at };
    for (int i = 0; i < W; i++) {
        const uint8_t *p = r->place.p + (r->at[i] = (int32_t)(min_i64(i, w->rows - 1 - n0) * row));

        if (block_of_32(w->dtype))
            for (int64_t b = 0; b < kc / STRIP; b++, p += r->size)
                memcpy(&r->word[b][i], p, sizeof r->word[b][i]);
    }
}

/* The next strip of the rows. */
FORCE_INLINE void block_rows_next(const enum dtype t, struct strip_all *strip, struct block_rows *r)
{
    if (block_of_32(t)) {
        struct head_all head;
        vdword word;

        memcpy(&word, r->word[r->next++], sizeof word);
        open_32_all(&head, word);
        take_all(t, strip, &head, r->place, 0);
    } else {
        if (r->strip == 0)
            open_256_all(t, &r->head, r->place);
        take_all(t, strip, &r->head, r->place, (int)r->strip);
    }
    if (block_of_32(t) || ++r->strip == r->strips) {
        r->strip = 0;
        r->place.p += r->size;
    }
}

FORCE_INLINE void block_columns(const enum dtype t, struct block_rows *r, float *dst)
{
    struct strip_all strip;

    block_rows_next(t, &strip, r);
    UNROLL(8)
    for (int j = 0; j < 8; j++)
        UNROLL(4)
    for (int b = 0; b < 4; b++)
        vf_store(dst + (4 * j + b) * STRIP_LD, strip_column(t, &strip, j, b));
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

/* What a later panel, ROWS rows from N0 on, takes, in the order in which it lies: a share of it for
 * each strip of columns from K0 on. */
struct block_share {
    const uint8_t *p;
    int64_t bytes;
};

static inline struct block_share block_share_of(const struct weight *w, int64_t n0, int64_t k0,
                                                int rows)
{
    const int64_t row = (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);
    const int64_t bytes = row * rows / (w->cols / STRIP);

    return (struct block_share){ weight_bytes(w) + n0 * row + k0 / STRIP * bytes, bytes };
}

FORCE_INLINE void block_ask_ahead(struct block_share *s)
{
    for (int64_t i = 0; i < s->bytes; i += 64)
        __builtin_prefetch(s->p + i, 0, 2);
    s->p += s->bytes;
}

#endif
