/* vec_tile_few.h - the inner kernel for few rows, where reading the weight is what takes time.
 * Included by isa_*.c only. */
#ifndef VEC_TILE_FEW_H
#define VEC_TILE_FEW_H

#include "vec_half.h"
#include "vec_nf4_rows.h"
#include "vec_tile.h"
#include "vec_tile_blocks.h"

/*
 * Limits: reading the weight once, and for each vector of values what makes it and a multiply-add a
 * row. NF4 (a shift, a look-up, a product): Zen 4, one core, 16 Gelem/s from its second cache, 9.0
 * GB/s, where these instructions alone, rows turned, would allow 20; Xeon with AVX-512, 16.7.
 */

/* ---- NF4 ---- */

/* Column J of the eight at hand. */
#define ADD_CODE(j)                                                                                \
    ADD_COLUMN(k + (j), vf_mul(nf4_pick(first, j), s0), vf_mul(nf4_pick(second, j), s1))

FORCE_INLINE void tile_codes_rows(const int rows, int64_t kc, const float *restrict a,
                                  const struct weight *w, int64_t k0, int64_t n0, float *c,
                                  int64_t ldc, const float *init, bool add)
{
    struct nf4_ahead later = nf4_ahead_at(w, (n0 + NR) * w->cols + k0 * NR);
    struct nf4_rows codes;
    vf left[FEW], right[FEW];

    nf4_rows_begin(&codes, w, k0, kc, n0);
    for (int i = 0; i < rows; i++)
        left[i] = right[i] = vf_set(0.0f);
    for (int64_t k = 0; k < kc; k += 8) {
        vi first, second;

        nf4_rows_next(&codes, &first, &second);
        const vf s0 = vf_load(codes.scale), s1 = vf_load(codes.scale + W);

        nf4_ask_ahead(&later, k);
        ADD_CODE(0);
        ADD_CODE(1);
        ADD_CODE(2);
        ADD_CODE(3);
        ADD_CODE(4);
        ADD_CODE(5);
        ADD_CODE(6);
        ADD_CODE(7);
    }
    put_sums(rows, 2, left, right, c, ldc, init, add);
}
#undef ADD_CODE

/* ---- half floats ---- */

/* Zen 4, from memory: 19 GB/s on one core and 23 to 28 on two, of 32 that plain reading gave. */
FORCE_INLINE void tile_halves_rows(const int rows, const bool brain, int64_t kc,
                                   const float *restrict a, const struct weight *w, int64_t k0,
                                   int64_t n0, float *c, int64_t ldc, const float *init, bool add)
{
    const uint8_t *p = weight_bytes(w) + 2 * (n0 * w->cols + k0);
    const int64_t later = (n0 + NR) * w->cols + k0 * NR;
    int32_t at[NR];
    vf left[FEW], right[FEW];

    half_rows(at, NR, w, w->cols, n0);
    for (int i = 0; i < rows; i++)
        left[i] = right[i] = vf_set(0.0f);
    for (int64_t k = 0; k < kc; k += 16, p += 32) {
        vi l[8], r[8];

        half_ask_ahead(w, later, k, NR);
        turn_rows(l, p, at);
        turn_rows(r, p, at + W);
        UNROLL(8)
        for (int j = 0; j < 8; j++) {
            ADD_COLUMN(k + 2 * j, low_half(l[j], brain), low_half(r[j], brain));
            ADD_COLUMN(k + 2 * j + 1, high_half(l[j], brain), high_half(r[j], brain));
        }
    }
    put_sums(rows, 2, left, right, c, ldc, init, add);
}

/* ---- any of them ---- */

#define TILE(rows)                                                                                 \
    do {                                                                                           \
        if (w->dtype == DT_NF4)                                                                    \
            tile_codes_rows(rows, kc, a, w, k0, n0, c, ldc, init, add);                            \
        else if (w->dtype == DT_BF16)                                                              \
            tile_halves_rows(rows, true, kc, a, w, k0, n0, c, ldc, init, add);                     \
        else if (dtype_is_blocks(w->dtype))                                                        \
            tile_blocks_##rows(kc, a, w, k0, n0, c, ldc, init, add);                               \
        else                                                                                       \
            tile_halves_rows(rows, false, kc, a, w, k0, n0, c, ldc, init, add);                    \
    } while (0)
static void tile_few(int mr, int64_t kc, const float *a, const struct weight *w, int64_t k0,
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
#undef ADD_COLUMN

#endif
