/* vec_tile.h - the inner kernel of every matrix product. Included by isa_*.c only. */
#ifndef VEC_TILE_H
#define VEC_TILE_H

#include "isa.h"
#include "simd.h"

/* Twice the vector's width, and as many rows as leave two registers for b and one for a; how many
 * columns of a panel ahead a is fetched (the panels follow one another). */
enum { NR = 2 * W, MR = W == 16 ? 14 : 6, AHEAD = 48 };

/* A tile's sums, two vectors a row, added to what they are added to. */
FORCE_INLINE void put_sums(const int rows, const vf *left, const vf *right, float *c, int64_t ldc,
                           const float *init, bool add)
{
    UNROLL(16)
    for (int i = 0; i < rows; i++) {
        float *const row = c + i * ldc;
        const float *const base = add ? row : init;

        vf_store(row, base ? vf_add(vf_load(base), left[i]) : left[i]);
        vf_store(row + W, base ? vf_add(vf_load(base + W), right[i]) : right[i]);
    }
}

/*
 * ROWS is a constant where this is inlined, so that the sums stay in registers. Limit: two
 * multiply-adds a cycle. Xeon with AVX-512, one core: AVX2 code 113 of 115 GFLOP/s; AVX-512 code
 * 62.8 of 64 FLOP a cycle, 180 GFLOP/s at the 2.84 GHz such code runs at for long (bursts: 3.3
 * GHz). Whole products from NF4, 760 x 10240 x 2560: 160 and, on two cores, 315.
 */
FORCE_INLINE void tile_rows(const int rows, int64_t kc, const float *restrict a,
                            const float *restrict b, float *restrict c, int64_t ldc,
                            const float *init, bool add)
{
    vf left[MR], right[MR];

    UNROLL(16)
    for (int i = 0; i < rows; i++) {
        left[i] = right[i] = vf_set(0.0f);
        __builtin_prefetch(c + i * ldc, 1);
        __builtin_prefetch(c + i * ldc + NR - 1, 1);
    }
    for (int64_t k = 0; k < kc; k++) {
        const vf b0 = vf_load(b + k * NR), b1 = vf_load(b + k * NR + W);

        __builtin_prefetch(a + (k + AHEAD) * rows);
        UNROLL(16)
        for (int i = 0; i < rows; i++) {
            const vf x = vf_set(a[k * rows + i]);

            left[i] = vf_fma(x, b0, left[i]);
            right[i] = vf_fma(x, b1, right[i]);
        }
    }
    put_sums(rows, left, right, c, ldc, init, add);
}

/* Code for every number of rows: the last panel of c has fewer, and one token only one. */
#define TILE(rows) tile_rows(rows, kc, a, b, c, ldc, init, add)
static void tile(int mr, int64_t kc, const float *a, const float *b, float *c, int64_t ldc,
                 const float *init, bool add)
{
    switch (mr) {
    case 1:
        TILE(1);
        break;
    case 2:
        TILE(2);
        break;
    case 3:
        TILE(3);
        break;
    case 4:
        TILE(4);
        break;
    case 5:
        TILE(5);
        break;
    case 6:
        TILE(6);
        break;
#if MR_LARGE
    case 7:
        TILE(7);
        break;
    case 8:
        TILE(8);
        break;
    case 9:
        TILE(9);
        break;
    case 10:
        TILE(10);
        break;
    case 11:
        TILE(11);
        break;
    case 12:
        TILE(12);
        break;
    case 13:
        TILE(13);
        break;
    case 14:
        TILE(14);
        break;
#endif
    }
}
#undef TILE

#endif
