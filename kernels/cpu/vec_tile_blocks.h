/* vec_tile_blocks.h - the inner kernel for few rows and a weight in a block format. Included by
 * vec_tile_few.h only. */
#ifndef VEC_TILE_BLOCKS_H
#define VEC_TILE_BLOCKS_H

#include "vec_block_rows.h"
#include "vec_tile.h"

/* Column K of the chunk, whose values are X0 and X1: its part of the sums. */
#define ADD_COLUMN(k, x0, x1)                                                                      \
    do {                                                                                           \
        const vf b0 = x0, b1 = x1;                                                                 \
                                                                                                   \
        UNROLL(4)                                                                                  \
        for (int i = 0; i < rows; i++) {                                                           \
            const vf x = vf_set(a[(k)*rows + i]);                                                  \
                                                                                                   \
            left[i] = vf_fma(x, b0, left[i]);                                                      \
            right[i] = vf_fma(x, b1, right[i]);                                                    \
        }                                                                                          \
    } while (0)

/*
 * Limits as above; a value of Q4_1 takes a mask, a conversion and a multiply-add, of Q8_0 and Q4_0
 * two shifts, a conversion and a product. Xeon with AVX-512, one core, busy, from the second cache,
 * in Gelem/s beside NF4's 13.3 (AVX2: 5.7): Q4_1 12.3 (8.3), Q8_0 9.7 (6.9), Q4_0 9.9 (7.2),
 * Q4_K 9.4 (5.5), the others 6.0 to 8.7 (3.7 to 5.5). From memory, of 7.5 GB/s that plain reading
 * gave: NF4 6.5 (AVX2: 3.2), Q4_1 6.9 (4.9), Q8_0 6.9 (6.5).
 */

/* The other formats: a strip at a time, by way of a piece of a panel that stays in the first cache.
 */
FORCE_INLINE void tile_blocks_rows(const int rows, int64_t kc, const float *restrict a,
                                   const struct weight *w, int64_t k0, int64_t n0, float *c,
                                   int64_t ldc, const float *init, bool add)
{
    next_columns *const next = columns_of(w->dtype);
    struct block_share later = block_share_of(w, n0 + NR, k0, NR);
    struct block_rows first, second;
    vf left[FEW], right[FEW];
    _Alignas(64) float part[STRIP * NR];

    block_rows_begin(&first, w, k0, n0);
    block_rows_begin(&second, w, k0, min_i64(n0 + W, w->rows - 1));
    for (int i = 0; i < rows; i++)
        left[i] = right[i] = vf_set(0.0f);
    for (int64_t k = 0; k < kc; k += STRIP) {
        block_ask_ahead(&later);
        next(&first, part);
        next(&second, part + W);
        UNROLL(4)
        for (int j = 0; j < STRIP; j++)
            ADD_COLUMN(k + j, vf_load(part + j * NR), vf_load(part + j * NR + W));
    }
    put_sums(rows, 2, left, right, c, ldc, init, add);
}

/* Each value is used as it is made: a strip of them by way of memory makes the additions, which
 * wait for each other, crowd out the others' work. */
FORCE_INLINE void tile_strips_rows(const int rows, const enum dtype t, int64_t kc,
                                   const float *restrict a, const struct weight *w, int64_t k0,
                                   int64_t n0, float *c, int64_t ldc, const float *init, bool add)
{
    struct block_share later = block_share_of(w, n0 + NR, k0, NR);
    struct block_rows first, second;
    vf left[FEW], right[FEW];

    block_rows_begin(&first, w, k0, n0);
    block_rows_begin(&second, w, k0, min_i64(n0 + W, w->rows - 1));
    for (int i = 0; i < rows; i++)
        left[i] = right[i] = vf_set(0.0f);
    for (int64_t k = 0; k < kc; k += STRIP) {
        struct strip_all l, r;

        block_ask_ahead(&later);
        block_rows_next(t, &l, &first);
        block_rows_next(t, &r, &second);
        UNROLL(8)
        for (int j = 0; j < 8; j++)
            UNROLL(4)
        for (int b = 0; b < 4; b++)
            ADD_COLUMN(k + 4 * j + b, strip_column(t, &l, j, b), strip_column(t, &r, j, b));
    }
    put_sums(rows, 2, left, right, c, ldc, init, add);
}

/* A function for each of these, and for each number of rows: compilers take long over large ones.
 */
#define TILE_STRIPS(name, rows)                                                                    \
    static void tile_strips_##name##_##rows(int64_t kc, const float *a, const struct weight *w,    \
                                            int64_t k0, int64_t n0, float *c, int64_t ldc,         \
                                            const float *init, bool add)                           \
    {                                                                                              \
        tile_strips_rows(rows, DT_##name, kc, a, w, k0, n0, c, ldc, init, add);                    \
    }
#define TILE_BLOCKS(rows)                                                                          \
    TILE_STRIPS(Q4_0, rows)                                                                        \
    TILE_STRIPS(Q4_1, rows)                                                                        \
    TILE_STRIPS(Q8_0, rows)                                                                        \
    static void tile_blocks_##rows(int64_t kc, const float *a, const struct weight *w, int64_t k0, \
                                   int64_t n0, float *c, int64_t ldc, const float *init, bool add) \
    {                                                                                              \
        switch (w->dtype) {                                                                        \
        case DT_Q4_0:                                                                              \
            tile_strips_Q4_0_##rows(kc, a, w, k0, n0, c, ldc, init, add);                          \
            break;                                                                                 \
        case DT_Q4_1:                                                                              \
            tile_strips_Q4_1_##rows(kc, a, w, k0, n0, c, ldc, init, add);                          \
            break;                                                                                 \
        case DT_Q8_0:                                                                              \
            tile_strips_Q8_0_##rows(kc, a, w, k0, n0, c, ldc, init, add);                          \
            break;                                                                                 \
        default:                                                                                   \
            tile_blocks_rows(rows, kc, a, w, k0, n0, c, ldc, init, add);                           \
        }                                                                                          \
    }
TILE_BLOCKS(1)
TILE_BLOCKS(2)
TILE_BLOCKS(3)
TILE_BLOCKS(4)
#undef TILE_BLOCKS
#undef TILE_STRIPS

#endif
