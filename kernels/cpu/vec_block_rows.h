/* vec_block_rows.h - weights in block formats, W rows as the columns of a panel, 32 at a time.
 * Included by kernels of one instruction set only. */
#ifndef VEC_BLOCK_ROWS_H
#define VEC_BLOCK_ROWS_H

#include "vec_blocks.h"
#include "vec_half.h"
#include "vec_turn.h"

typedef uint32_t vdword __attribute__((vector_size(4 * W)));
typedef int32_t vint __attribute__((vector_size(4 * W)));
typedef float vfloat __attribute__((vector_size(4 * W)));

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
        *to = (vdword)turn_rows_4(p.p + at, p.at);
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
};

/* The rows N0.. from column K0 on, where a block begins; the weight's last
 * row stands in for rows behind it. */
static inline void block_rows_begin(struct block_rows *r, const struct weight *w, int64_t k0,
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

/* The next strip of the rows. */
FORCE_INLINE void block_rows_next(const enum dtype t, struct strip_all *strip, struct block_rows *r)
{
    if (block_of_32(t)) {
        struct head_all head;
        vdword word;

        load_all(&word, r->place, 0, 1);
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
