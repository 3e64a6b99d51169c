/* vec_nf4_rows.h - the columns of W rows of an NF4 weight, eight after eight. Included by
 * kernels of one instruction set only. */
#ifndef VEC_NF4_ROWS_H
#define VEC_NF4_ROWS_H

#include "isa.h"
#include "vec_nf4.h"
#include "vec_turn.h"

/* Eight codes of each row lie in a dword; with each shift (nf4_pick) they give the values of one
 * column of all rows, which is the order a panel wants. */
struct nf4_rows {
    const struct weight *w;
    const uint8_t *codes;        /* of the first row, at the next column */
    int64_t element, columns;    /* the same place in the flattened weight; columns from there on */
    int64_t left;                /* columns until a row changes its block */
    int32_t row[W], at[W];       /* the rows, and where their codes are, from the first */
    vi eight[8];                 /* the columns at hand, eight a vector */
    int next;                    /* of these */
    const float *scale;          /* (W) of the rows, for the columns nf4_rows_next gave */
    float scales[KC / 8 + 1][W]; /* of the blocks to come, where all rows change theirs at once */
};

static bool nf4_whole_blocks(const struct weight *w)
{
    return w->cols % w->block == 0;
}

/* The scales of all blocks of the run, long before they are loaded as vectors. */
static void nf4_rows_scales(struct nf4_rows *r)
{
    const int64_t across = r->w->cols / r->w->block, within = r->element % r->w->block;
    const int64_t blocks = (within + r->columns + r->w->block - 1) / r->w->block;
    const float *const first = weight_scales(r->w) + r->element / r->w->block;

    for (int i = 0; i < W; i++)
        for (int64_t b = 0; b < blocks; b++)
            r->scales[b][i] = first[r->row[i] * across + b];
    r->left = r->w->block - within;
}

/* KC at most columns of the rows N0.. from column K0 on, a multiple of 8; the weight's last row
 * stands in for rows behind it. */
FORCE_INLINE void nf4_rows_begin(struct nf4_rows *r, const struct weight *w, int64_t k0, int64_t kc,
                                 int64_t n0)
{
    r->w = w;
    r->element = n0 * w->cols + k0;
    r->codes = weight_bytes(w) + r->element / 2;
    r->columns = kc;
    r->next = 8;
    r->scale = r->scales[0];
    for (int i = 0; i < W; i++) {
        r->row[i] = (int32_t)min_i64(i, w->rows - 1 - n0);
        r->at[i] = r->row[i] * (int32_t)(w->cols / 2);
    }
    if (nf4_whole_blocks(w))
        nf4_rows_scales(r);
    else
        r->left = 0;
}

/* Behind the end of a block: all rows change theirs at the same column where a row is whole blocks,
 * else eight columns are looked at. */
FORCE_INLINE void nf4_rows_scale(struct nf4_rows *r)
{
    if (nf4_whole_blocks(r->w)) {
        r->scale += W;
        r->left = r->w->block;
        return;
    }
    for (int i = 0; i < W; i++)
        r->scales[0][i] = weight_scales(r->w)[(r->element + r->row[i] * r->w->cols) / r->w->block];
    r->left = 8;
}

/* 64 columns at a time are turned in registers: gathering them costs 6 times as much on Zen 4. */
FORCE_INLINE void nf4_rows_fill(struct nf4_rows *r)
{
    if (r->columns >= 64)
        turn_rows(r->eight, r->codes, r->at);
    else
        for (int j = 0; j < r->columns / 8; j++)
            r->eight[j] = nf4_gather(r->codes + 4 * j, r->at);
    r->next = 0;
    r->codes += 32;
}

FORCE_INLINE vi nf4_rows_next(struct nf4_rows *r)
{
    if (r->next == 8)
        nf4_rows_fill(r);
    if (r->left == 0)
        nf4_rows_scale(r);
    r->element += 8;
    r->columns -= 8;
    r->left -= 8;
    return r->eight[r->next++];
}

/* Asks for what a later run over other rows, from their element LATER on, takes: at each chunk of 8
 * columns from K on for its share, ROWS rows of them, in the order in which they lie. */
FORCE_INLINE void nf4_ask_ahead(const struct weight *w, int64_t later, int64_t k, const int rows)
{
    const uint8_t *const codes = weight_bytes(w) + later / 2 + k * (rows / 2);

    for (int i = 0; i < rows * 8 / 2; i += 64)
        __builtin_prefetch(codes + i, 0, 2);
    if (k % 32 == 0)
        __builtin_prefetch(weight_scales(w) + later / w->block + k * rows / w->block, 0, 2);
}

#endif
