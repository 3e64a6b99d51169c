/* vec_tile_codes.h - the inner kernel for few rows, where reading the weight is what takes time.
 * Included by isa_*.c only. */
#ifndef VEC_TILE_CODES_H
#define VEC_TILE_CODES_H

#include "vec_nf4_rows.h"
#include "vec_tile.h"

/*
 * Limits: reading 0.5625 byte a weight, and for each vector a shift, a look-up, a product and a
 * multiply-add a row. Xeon with AVX-512, two cores, one row of 10240 x 2560: 14.3 GB/s of the 21.2
 * that plain reading gave in the same run; one core from its second cache: 16.7 Gelem/s (9.4 GB/s).
 */

/* Column J of the eight at hand: its values, and their part of the sums. */
#define ADD_COLUMN(j)                                                                              \
    do {                                                                                           \
        const vf b0 = vf_mul(nf4_pick(eight0, j), s0), b1 = vf_mul(nf4_pick(eight1, j), s1);       \
                                                                                                   \
        UNROLL(4)                                                                                  \
        for (int i = 0; i < rows; i++) {                                                           \
            const vf x = vf_set(a[(k + (j)) * rows + i]);                                          \
                                                                                                   \
            left[i] = vf_fma(x, b0, left[i]);                                                      \
            right[i] = vf_fma(x, b1, right[i]);                                                    \
        }                                                                                          \
    } while (0)

FORCE_INLINE void tile_codes_rows(const int rows, int64_t kc, const float *restrict a,
                                  const struct weight *w, int64_t k0, int64_t n0, float *c,
                                  int64_t ldc, const float *init, bool add)
{
    struct nf4_rows first, second;
    vf left[FEW], right[FEW];
    /* the next rows, of which each chunk asks for its share in the order in which they lie */
    const int64_t later = (n0 + NR) * w->cols + k0 * NR;
    const uint8_t *const ahead = weight_bytes(w) + later / 2;
    const float *const ahead_scale = weight_scales(w) + later / w->block;

    nf4_rows_begin(&first, w, k0, kc, n0);
    nf4_rows_begin(&second, w, k0, kc, least(n0 + W, w->rows - 1));
    for (int i = 0; i < rows; i++)
        left[i] = right[i] = vf_set(0.0f);
    for (int64_t k = 0; k < kc; k += 8) {
        const vi eight0 = nf4_rows_next(&first), eight1 = nf4_rows_next(&second);
        const vf s0 = vf_load(first.scale), s1 = vf_load(second.scale);

        for (int i = 0; i < NR * 8 / 2; i += 64)
            __builtin_prefetch(ahead + k * NR / 2 + i, 0, 2);
        if (k % 32 == 0)
            __builtin_prefetch(ahead_scale + k * NR / w->block, 0, 2);
        ADD_COLUMN(0);
        ADD_COLUMN(1);
        ADD_COLUMN(2);
        ADD_COLUMN(3);
        ADD_COLUMN(4);
        ADD_COLUMN(5);
        ADD_COLUMN(6);
        ADD_COLUMN(7);
    }
    put_sums(rows, left, right, c, ldc, init, add);
}
#undef ADD_COLUMN

#define TILE(rows) tile_codes_rows(rows, kc, a, w, k0, n0, c, ldc, init, add)
static void tile_codes(int mr, int64_t kc, const float *a, const struct weight *w, int64_t k0,
                       int64_t n0, float *c, int64_t ldc, const float *init, bool add)
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
    }
}
#undef TILE

#endif
