/* vec_nf4_rows.h - the columns of W rows of an NF4 weight, eight after eight. Included by isa_*.c
 * only. */
#ifndef VEC_NF4_ROWS_H
#define VEC_NF4_ROWS_H

#include "isa.h"
#include "vec_nf4.h"

static inline const uint8_t *weight_bytes(const struct weight *w)
{
    return (const uint8_t *)(const void *)w->data;
}

static inline const float *weight_scales(const struct weight *w)
{
    return (const float *)(const void *)w->absmax;
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Eight codes of each row lie in a dword that is gathered; with each shift (nf4_pick) it gives the
 * values of one column of all rows, which is the order a panel wants. */
struct nf4_rows {
    const struct weight *w;
    const uint8_t *codes;  /* of the first row, at the next column */
    int64_t element;       /* the same place in the flattened weight */
    int64_t left;          /* columns until a row changes its block */
    int32_t row[W], at[W]; /* the rows, and where their codes are, from the first */
    float scale[W];        /* of the rows, for the columns nf4_rows_next gave */
};

/* Rows N0.. from column K0 on; the weight's last row stands in for rows behind it. */
static void nf4_rows_begin(struct nf4_rows *r, const struct weight *w, int64_t k0, int64_t n0)
{
    r->w = w;
    r->element = n0 * w->cols + k0;
    r->codes = weight_bytes(w) + r->element / 2;
    r->left = 0;
    for (int i = 0; i < W; i++) {
        r->row[i] = (int32_t)least(i, w->rows - 1 - n0);
        r->at[i] = r->row[i] * (int32_t)(w->cols / 2);
    }
}

/* All rows change block at the same column where a row is whole blocks, else eight are looked at.
 */
static void nf4_rows_scale(struct nf4_rows *r)
{
    const int64_t cols = r->w->cols;
    const int32_t block = r->w->block, across = (int32_t)(cols / block);
    const float *const scale = weight_scales(r->w) + r->element / block;

    if (cols % block == 0) {
        for (int i = 0; i < W; i++)
            r->scale[i] = scale[r->row[i] * across];
        r->left = block - r->element % block;
    } else {
        for (int i = 0; i < W; i++)
            r->scale[i] = weight_scales(r->w)[(r->element + r->row[i] * cols) / block];
        r->left = 8;
    }
}

FORCE_INLINE vi nf4_rows_next(struct nf4_rows *r)
{
    const vi eight = nf4_gather(r->codes, r->at);

    if (r->left == 0)
        nf4_rows_scale(r);
    r->codes += 4;
    r->element += 8;
    r->left -= 8;
    return eight;
}

#endif
