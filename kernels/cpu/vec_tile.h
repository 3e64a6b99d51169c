/* vec_tile.h - the inner kernel of every matrix product. Included by isa_*.c only. */
#ifndef VEC_TILE_H
#define VEC_TILE_H

#include "isa.h"
#include "simd.h"

/* Twice the vector's width, and as many rows as leave two registers for b and one for a; how many
 * columns of a panel ahead a is fetched (the panels follow one another). */
enum { NR = 2 * W, MR = W == 16 ? 14 : 6, AHEAD = 48 };

/* A tile's sums, two vectors a row (VECS 1: the left one alone), added to what they are added to.
 */
FORCE_INLINE void put_sums(const int rows, const int vecs, const vf *left, const vf *right,
                           float *c, int64_t ldc, const float *init, bool add)
{
    UNROLL(16)
    for (int i = 0; i < rows; i++) {
        float *const row = c + i * ldc;
        const float *const base = add ? row : init;

        vf_store(row, base ? vf_add(vf_load(base), left[i]) : left[i]);
        if (vecs > 1)
            vf_store(row + W, base ? vf_add(vf_load(base + W), right[i]) : right[i]);
    }
}

/* How far apart rows of a are, and its values for one k and the next. */
struct steps {
    int64_t row, k;
};

/*
 * ROWS, VECS and BY are constants where this is inlined, so that the sums stay in registers.
 * Limit: two multiply-adds a cycle. Xeon with AVX-512, one core: AVX2 code 113 of 115 GFLOP/s;
 * AVX-512 code 62.8 of 64 FLOP a cycle, 180 GFLOP/s at the 2.84 GHz such code runs at for long
 * (bursts: 3.3 GHz). Whole products from NF4, 760 x 10240 x 2560: 160 and, on two cores, 315.
 */
FORCE_INLINE void tile_rows(const int rows, const int vecs, const struct steps by, int64_t kc,
                            const float *restrict a, const float *restrict b, float *restrict c,
                            int64_t ldc, const float *init, bool add, const struct wanted *soon)
{
    vf left[MR], right[MR];
    int64_t ahead = 0;

    UNROLL(16)
    for (int i = 0; i < rows; i++) {
        left[i] = right[i] = vf_set(0.0f);
        __builtin_prefetch(c + i * ldc, 1);
        __builtin_prefetch(c + i * ldc + vecs * W - 1, 1);
    }
    for (int64_t k = 0; k < kc; k++) {
        const vf b0 = vf_load(b + k * NR), b1 = vecs > 1 ? vf_load(b + k * NR + W) : b0;

        if (by.row == 1) {
            __builtin_prefetch(a + (k + AHEAD) * by.k);
        } else {
            const float *const next = (k < soon->rows ? soon->at : soon->then) + ahead;

            __builtin_prefetch(next, 0, 2);
            __builtin_prefetch(next + WANTED / 2, 0, 2);
            ahead += soon->ld;
        }
        UNROLL(16)
        for (int i = 0; i < rows; i++) {
            const vf x = vf_set(a[k * by.k + i * by.row]);

            left[i] = vf_fma(x, b0, left[i]);
            if (vecs > 1)
                right[i] = vf_fma(x, b1, right[i]);
        }
    }
    put_sums(rows, vecs, left, right, c, ldc, init, add);
}

/* Code for every number of rows: the last panel of c has fewer, and one token only one. */
#define CASE(rows)                                                                                 \
    case rows:                                                                                     \
        TILE(rows);                                                                                \
        break;
#if MR_LARGE
#define LARGE_CASES CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#else
#define LARGE_CASES
#endif
#define EVERY_CASE CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) LARGE_CASES

#define TILE(rows) tile_rows(rows, 2, (struct steps){ 1, rows }, kc, a, b, c, ldc, init, add, NULL)
static void tile(int mr, int64_t kc, const float *a, const float *b, float *c, int64_t ldc,
                 const float *init, bool add)
{
    switch (mr) {
        EVERY_CASE
    }
}
#undef TILE

#define TILE(rows)                                                                                 \
    do {                                                                                           \
        if (n > W)                                                                                 \
            tile_rows(rows, 2, (struct steps){ ROW_LD, 1 }, kc, a, b, c, ldc, NULL, add, soon);    \
        else                                                                                       \
            tile_rows(rows, 1, (struct steps){ ROW_LD, 1 }, kc, a, b, c, ldc, NULL, add, soon);    \
    } while (0)
static void tile_unpacked(int m, int n, int64_t kc, const float *a, const float *b, float *c,
                          int64_t ldc, bool add, const struct wanted *soon)
{
    switch (m) {
        EVERY_CASE
    }
}
#undef TILE
#undef EVERY_CASE
#undef LARGE_CASES
#undef CASE

#endif
