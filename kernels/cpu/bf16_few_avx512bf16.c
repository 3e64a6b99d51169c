/*
 * Products in bfloat16 of few rows with a weight that is read where it lies: a panel of it would be
 * used but once. The sums are those of the tile: pair after pair along k, 0 behind the last.
 */
#include "bf16.h"
#include "bf16_pairs.h"
#include "vec_block_rows.h"
#include "vec_half.h"
#include "vec_nf4_rows.h"

enum { FEW_COLUMNS = 2 * W };

/* Pair number P of the rows of A, times that of the weight's rows in X0 and X1. */
#define ADD_PAIR(p, x0, x1)                                                                        \
    do {                                                                                           \
        const __m512bh b0 = (__m512bh)(x0), b1 = (__m512bh)(x1);                                   \
                                                                                                   \
        UNROLL(4)                                                                                  \
        for (int i = 0; i < rows; i++) {                                                           \
            int32_t pair;                                                                          \
                                                                                                   \
            memcpy(&pair, a + i * lda + 2 * (p), sizeof pair);                                     \
            const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);                                  \
                                                                                                   \
            left[i] = _mm512_dpbf16_ps(left[i], x, b0);                                            \
            right[i] = _mm512_dpbf16_ps(right[i], x, b1);                                          \
        }                                                                                          \
    } while (0)

/* ---- NF4 ---- */

#define PAIR_OF_CODES(eight, p, scale)                                                             \
    pairs_of(_mm512_mul_ps(nf4_pick(eight, 2 * (p)), scale),                                       \
             _mm512_mul_ps(nf4_pick(eight, 2 * (p) + 1), scale))
#define ADD_CODES(p)                                                                               \
    ADD_PAIR(k / 2 + (p), PAIR_OF_CODES(eight0, p, s0), PAIR_OF_CODES(eight1, p, s1))

FORCE_INLINE void add_codes(const int rows, __m512 *left, __m512 *right, const uint16_t *a,
                            int64_t lda, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    struct nf4_rows first, second;
    const int64_t later = (n0 + FEW_COLUMNS) * w->cols + k0 * FEW_COLUMNS;

    nf4_rows_begin(&first, w, k0, kc, n0);
    nf4_rows_begin(&second, w, k0, kc, min_i64(n0 + W, w->rows - 1));
    for (int64_t k = 0; k < kc; k += 8) {
        const __m512i eight0 = nf4_rows_next(&first), eight1 = nf4_rows_next(&second);
        const __m512 s0 = vf_load(first.scale), s1 = vf_load(second.scale);

        nf4_ask_ahead(w, later, k, FEW_COLUMNS);
        ADD_CODES(0);
        ADD_CODES(1);
        ADD_CODES(2);
        ADD_CODES(3);
    }
}

/* ---- half floats ---- */

/* The pairs in W dwords of two halves. */
FORCE_INLINE __m512i pairs_of_halves(__m512i d, const bool brain)
{
    return brain ? d
                 : pairs_of(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(d)),
                            _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(d, 16))));
}

FORCE_INLINE void add_halves(const int rows, const bool brain, __m512 *left, __m512 *right,
                             const uint16_t *a, int64_t lda, const struct weight *w, int64_t k0,
                             int64_t kc, int64_t n0)
{
    const uint8_t *p = weight_bytes(w) + 2 * (n0 * w->cols + k0);
    const int64_t later = (n0 + FEW_COLUMNS) * w->cols + k0 * FEW_COLUMNS;
    int32_t at[FEW_COLUMNS];

    half_rows(at, FEW_COLUMNS, w, w->cols, n0);
    for (int64_t k = 0; k < kc; k += 16, p += 32) {
        __m512i l[8], r[8];

        half_ask_ahead(w, later, k, FEW_COLUMNS);
        turn_rows(l, p, at);
        turn_rows(r, p, at + W);
        UNROLL(8)
        for (int j = 0; j < 8; j++)
            ADD_PAIR(k / 2 + j, pairs_of_halves(l[j], brain), pairs_of_halves(r[j], brain));
    }
}

/* ---- block formats ---- */

FORCE_INLINE void add_blocks(const int rows, __m512 *left, __m512 *right, const uint16_t *a,
                             int64_t lda, const struct weight *w, int64_t k0, int64_t kc,
                             int64_t n0)
{
    next_columns *const next = columns_of(w->dtype);
    struct block_share later = block_share_of(w, n0 + FEW_COLUMNS, k0, FEW_COLUMNS);
    struct block_rows first, second;
    _Alignas(64) float part[STRIP * FEW_COLUMNS];

    block_rows_begin(&first, w, k0, kc, n0);
    block_rows_begin(&second, w, k0, kc, min_i64(n0 + W, w->rows - 1));
    for (int64_t k = 0; k < kc; k += STRIP) {
        block_ask_ahead(&later);
        next(&first, part);
        next(&second, part + W);
        UNROLL(4)
        for (int j = 0; j < STRIP; j += 2) {
            const float *const even = part + j * FEW_COLUMNS, *const odd = even + FEW_COLUMNS;

            ADD_PAIR((k + j) / 2, pairs_of(vf_load(even), vf_load(odd)),
                     pairs_of(vf_load(even + W), vf_load(odd + W)));
        }
    }
}

/* ---- any of them ---- */

FORCE_INLINE void few_rows(const int rows, const uint16_t *a, int64_t lda, const struct weight *w,
                           int64_t n0, float *c)
{
    __m512 left[FEW], right[FEW];

    for (int i = 0; i < rows; i++)
        left[i] = right[i] = _mm512_setzero_ps();
    for (int64_t k = 0; k < w->cols; k += KC) {
        const int64_t kc = min_i64(KC, w->cols - k);

        if (w->dtype == DT_NF4)
            add_codes(rows, left, right, a + k, lda, w, k, kc, n0);
        else if (w->dtype == DT_BF16)
            add_halves(rows, true, left, right, a + k, lda, w, k, kc, n0);
        else if (dtype_is_blocks(w->dtype))
            add_blocks(rows, left, right, a + k, lda, w, k, kc, n0);
        else
            add_halves(rows, false, left, right, a + k, lda, w, k, kc, n0);
    }
    for (int i = 0; i < rows; i++) {
        vf_store(c + i * BF16_TILE, left[i]);
        vf_store(c + i * BF16_TILE + W, right[i]);
    }
}

void bf16_few(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
              float *c)
{
    switch (rows) {
    case 1:
        few_rows(1, a, lda, w, n0, c);
        break;
    case 2:
        few_rows(2, a, lda, w, n0, c);
        break;
    case 3:
        few_rows(3, a, lda, w, n0, c);
        break;
    case 4:
        few_rows(4, a, lda, w, n0, c);
        break;
    }
}
