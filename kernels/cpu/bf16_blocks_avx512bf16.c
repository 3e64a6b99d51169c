/*
 * Packing weights in block formats for products in bfloat16, by way of floats in the first cache.
 * Limit: products from float16, which are packed with two conversions. 512 x 576 x 768 from Q4_1
 * and Q8_0 run at 0.98 to 1.06 of that (Xeon with AMX, one core, busy: 840 to 860 GFLOP/s of 813).
 */
#include "bf16.h"
#include "bf16_pairs.h"
#include "vec_block_rows.h"

/* 16 columns of a panel: rows N0.. of the weight. */
static void pack_rows16(uint16_t *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    next_columns *const next = columns_of(w->dtype);
    struct block_share later = block_share_of(w, n0 + BF16_TILE, k0, W);
    struct block_rows rows;
    _Alignas(64) float part[STRIP * STRIP_LD];

    block_rows_begin(&rows, w, k0, n0);
    for (int64_t k = 0; k < kc; k += STRIP, dst += STRIP * BF16_TILE) {
        block_ask_ahead(&later);
        next(&rows, part);
        UNROLL(4)
        for (int j = 0; j < STRIP; j += 2)
            _mm512_store_si512(dst + j * BF16_TILE, pairs_of(vf_load(part + j * STRIP_LD),
                                                             vf_load(part + (j + 1) * STRIP_LD)));
    }
}

/* Rows K0.. (COUNT of them, at most a step) as they lie, and rows of 0 behind them. */
static void pack_step(uint16_t *dst, const struct some_strips *some, strip_values *values)
{
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    _Alignas(64) float x[BF16_STEP][STRIP];

    for (int k = 0; k < BF16_STEP; k++)
        __builtin_prefetch(some->p + (BF16_STEP + k) * some->step);
    values(x[0], STRIP, some);
    memset(x[some->count], 0, (size_t)(BF16_STEP - some->count) * sizeof x[0]);
    for (int k = 0; k < BF16_STEP; k += 2, dst += 2 * BF16_TILE) {
        const __m512i even = bf16_of(vf_load(x[k]), vf_load(x[k] + W)),
                      odd = bf16_of(vf_load(x[k + 1]), vf_load(x[k + 1] + W));

        _mm512_store_si512(dst, _mm512_permutex2var_epi16(even, low, odd));
        _mm512_store_si512(dst + BF16_TILE, _mm512_permutex2var_epi16(even, high, odd));
    }
}

static void pack_straight(uint16_t *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    const int64_t row = (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);
    const int64_t strips = strips_of(w->dtype), strip = n0 / STRIP;
    const int64_t size = (int64_t)dtype_bytes(w->dtype, (size_t)(strips * STRIP));
    struct some_strips some = {
        .p = weight_bytes(w) + k0 * row + strip / strips * size,
        .step = row,
        .s = (int)(strip % strips),
        .n = STRIP,
    };

    for (int64_t k = 0; k < kc; k += BF16_STEP, dst += BF16_STEP * BF16_TILE) {
        some.count = min_i64(BF16_STEP, kc - k);
        pack_step(dst, &some, strip_values_of(w->dtype));
        some.p += BF16_STEP * row;
    }
}

void bf16_pack_blocks(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                      int64_t n0)
{
    if (!trans) {
        pack_straight(dst, w, k0, kc, n0);
        return;
    }
    pack_rows16(dst, w, k0, kc, n0);
    pack_rows16(dst + BF16_TILE, w, k0, kc, min_i64(n0 + 16, w->rows - 1));
}
