/* vec_nf4_rows.h - the columns of 2 W rows of an NF4 weight, eight after eight. Included by
 * kernels of one instruction set only. */
#ifndef VEC_NF4_ROWS_H
#define VEC_NF4_ROWS_H

#include "isa.h"
#include "vec_nf4.h"
#include "vec_turn.h"

enum { NF4_ROWS = 2 * W };

/* Eight codes of each row lie in a dword; with each shift (nf4_pick) they give the values of one
 * column of all rows, which is the order a panel wants. */
struct nf4_rows {
    const struct weight *w;
    const uint8_t *codes;     /* of the first row, at the next column */
    int64_t element, columns; /* the same place in the flattened weight; columns from there on */
    int64_t left;             /* columns until a row changes its block */
    bool whole;               /* a row is whole blocks, so that all change theirs at once */
    int next;                 /* of the eights at hand */
    int32_t row[NF4_ROWS], at[NF4_ROWS]; /* the rows, and where their codes are, from the first */
    vi first[8], second[8];              /* the columns at hand of W rows each, eight a vector */
    const float *scale;                  /* (NF4_ROWS) for the columns nf4_rows_next gave */
    float scales[KC / 8 + 1][NF4_ROWS];  /* of the blocks to come, where they are whole */
};

/* Four scales a row, turned in registers. */
FORCE_INLINE void nf4_rows_four_scales(struct nf4_rows *r, const float *first, const int32_t *at,
                                       int64_t block)
{
    for (int i = 0; i < NF4_ROWS; i += W) {
        vi four[4];

        turn_rows_16(four, (const uint8_t *)(const void *)first, at + i);
        UNROLL(4)
        for (int j = 0; j < 4; j++)
            vf_store(r->scales[block + j] + i, vf_of_bits(four[j]));
    }
}

/* The scales of all blocks of the run, long before they are loaded as vectors. */
FORCE_INLINE void nf4_rows_scales(struct nf4_rows *r)
{
    const int64_t across = r->w->cols / r->w->block, within = r->element % r->w->block;
    const int64_t blocks = (within + r->columns + r->w->block - 1) / r->w->block;
    const float *const first = weight_scales(r->w) + r->element / r->w->block;
    int32_t at[NF4_ROWS];
    int64_t b = 0;

    for (int i = 0; i < NF4_ROWS; i++)
        at[i] = r->row[i] * (int32_t)across * (int32_t)sizeof *first;
    for (; b + 4 <= blocks; b += 4)
        nf4_rows_four_scales(r, first + b, at, b);
    for (; b < blocks; b++)
        for (int i = 0; i < NF4_ROWS; i++)
            r->scales[b][i] = first[r->row[i] * across + b];
    r->left = r->w->block - within;
}

/* KC at most columns of the rows N0.. from column K0 on, a multiple of 8; the weight's last row
 * stands in for rows behind it. */
FORCE_INLINE void nf4_rows_begin(struct nf4_rows *r, const struct weight *w, int64_t k0, int64_t kc,
                                 int64_t n0)
{
    const int32_t last = (int32_t)min_i64(NF4_ROWS, w->rows - n0) - 1;

    r->w = w;
    r->element = n0 * w->cols + k0;
    r->codes = weight_bytes(w) + r->element / 2;
    r->columns = kc;
    r->whole = w->cols % w->block == 0;
    r->next = 8;
    r->left = 0;
    r->scale = r->scales[0];
    for (int i = 0; i < NF4_ROWS; i++) {
        r->row[i] = i < last ? i : last;
        r->at[i] = r->row[i] * (int32_t)(w->cols / 2);
    }
    if (r->whole)
        nf4_rows_scales(r);
}

/* Behind the end of a block: all rows change theirs at the same column where a row is whole blocks,
 * else eight columns are looked at. */
FORCE_INLINE void nf4_rows_scale(struct nf4_rows *r)
{
    if (r->whole) {
        r->scale += NF4_ROWS;
        r->left = r->w->block;
        return;
    }
    for (int i = 0; i < NF4_ROWS; i++)
        r->scales[0][i] = weight_scales(r->w)[(r->element + r->row[i] * r->w->cols) / r->w->block];
    r->left = 8;
}

/* 64 columns at a time are turned in registers: gathering them costs 6 times as much on Zen 4. */
FORCE_INLINE void nf4_rows_fill(struct nf4_rows *r)
{
    if (r->columns >= 64) {
        turn_rows(r->first, r->codes, r->at);
        turn_rows(r->second, r->codes, r->at + W);
    } else {
        for (int j = 0; j < r->columns / 8; j++) {
            r->first[j] = nf4_gather(r->codes + 4 * j, r->at);
            r->second[j] = nf4_gather(r->codes + 4 * j, r->at + W);
        }
    }
    r->next = 0;
    r->codes += 32;
}

/* The next eight columns of the first W rows and the second ones; r->scale is theirs. */
FORCE_INLINE void nf4_rows_next(struct nf4_rows *r, vi *first, vi *second)
{
    if (r->next == 8)
        nf4_rows_fill(r);
    if (r->left == 0)
        nf4_rows_scale(r);
    r->element += 8;
    r->columns -= 8;
    r->left -= 8;
    *first = r->first[r->next];
    *second = r->second[r->next++];
}

/* Asking for what a later run over other rows takes: at each chunk of 8 columns for its share, ROWS
 * rows of them, in the order in which they lie. */
struct nf4_ahead {
    const uint8_t *codes;
    const float *scale;
    int64_t scales; /* of a share of 32 columns */
};

/* From the element LATER of the flattened weight on. */
FORCE_INLINE struct nf4_ahead nf4_ahead_at(const struct weight *w, int64_t later)
{
    return (struct nf4_ahead){ weight_bytes(w) + later / 2, weight_scales(w) + later / w->block,
                               32 * NF4_ROWS / w->block };
}

/* K: the run's own column. */
FORCE_INLINE void nf4_ask_ahead(struct nf4_ahead *a, int64_t k)
{
    UNROLL(4)
    for (int i = 0; i < NF4_ROWS * 8 / 2; i += 64)
        __builtin_prefetch(a->codes + i, 0, 2);
    a->codes += NF4_ROWS * 8 / 2;
    if (k % 32 == 0) {
        __builtin_prefetch(a->scale, 0, 2);
        a->scale += a->scales;
    }
}

#endif
