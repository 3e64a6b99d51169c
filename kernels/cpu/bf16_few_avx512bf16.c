/*
 * Products in bfloat16 of few rows with a weight that is read where it lies: a panel of it would be
 * used but once. The sums are those of the tile, either machine's (bf16.h): with the tile registers
 * of AMX, which are made for 16 rows, one row would take as long as 16.
 */
#include "bf16.h"
#include "bf16_pairs.h"
#include "vec_block_rows.h"
#include "vec_half.h"
#include "vec_nf4_rows.h"

enum { FEW_COLUMNS = 2 * W };

/* The sums of FEW rows and the weight's rows in two vectors. BY_STEP: as AMX adds, the even and the
 * odd products of a step apart. */
struct sums {
    __m512 left[FEW], right[FEW];
    __m512 even_left[FEW], even_right[FEW], odd_left[FEW], odd_right[FEW];
};

FORCE_INLINE __m512 low_of(__m512i pairs)
{
    return (__m512)_mm512_slli_epi32(pairs, 16);
}

FORCE_INLINE __m512 high_of(__m512i pairs)
{
    return (__m512)_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000));
}

/* The pair at A of each of the rows, LDA apart, times that of the weight's rows in B0 and B1. */
FORCE_INLINE void add_pair(const int rows, const bool by_step, struct sums *s, const uint16_t *a,
                           int64_t lda, __m512i b0, __m512i b1)
{
    UNROLL(4)
    for (int i = 0; i < rows; i++) {
        int32_t pair;

        memcpy(&pair, a + i * lda, sizeof pair);
        const __m512i x = _mm512_set1_epi32(pair);

        if (by_step) {
            s->even_left[i] = _mm512_fmadd_ps(low_of(x), low_of(b0), s->even_left[i]);
            s->odd_left[i] = _mm512_fmadd_ps(high_of(x), high_of(b0), s->odd_left[i]);
            s->even_right[i] = _mm512_fmadd_ps(low_of(x), low_of(b1), s->even_right[i]);
            s->odd_right[i] = _mm512_fmadd_ps(high_of(x), high_of(b1), s->odd_right[i]);
        } else {
            s->left[i] = _mm512_dpbf16_ps(s->left[i], (__m512bh)x, (__m512bh)b0);
            s->right[i] = _mm512_dpbf16_ps(s->right[i], (__m512bh)x, (__m512bh)b1);
        }
    }
}

/* A step is over. */
FORCE_INLINE void add_step(const int rows, const bool by_step, struct sums *s)
{
    if (!by_step)
        return;
    UNROLL(4)
    for (int i = 0; i < rows; i++) {
        s->left[i] = _mm512_add_ps(s->left[i], _mm512_add_ps(s->even_left[i], s->odd_left[i]));
        s->right[i] = _mm512_add_ps(s->right[i], _mm512_add_ps(s->even_right[i], s->odd_right[i]));
        s->even_left[i] = s->even_right[i] = s->odd_left[i] = s->odd_right[i] = _mm512_setzero_ps();
    }
}

/* ---- NF4 ---- */

#define PAIR_OF_CODES(eight, p, scale)                                                             \
    pairs_of(_mm512_mul_ps(nf4_pick(eight, 2 * (p)), scale),                                       \
             _mm512_mul_ps(nf4_pick(eight, 2 * (p) + 1), scale))
#define ADD_CODES(p)                                                                               \
    add_pair(rows, by_step, s, a + k + 2 * (p), lda, PAIR_OF_CODES(eight0, p, s0),                 \
             PAIR_OF_CODES(eight1, p, s1))

FORCE_INLINE void add_codes(const int rows, const bool by_step, struct sums *s, const uint16_t *a,
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
        if (k % BF16_STEP == BF16_STEP - 8)
            add_step(rows, by_step, s);
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

FORCE_INLINE void add_halves(const int rows, const bool by_step, const bool brain, struct sums *s,
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
            add_pair(rows, by_step, s, a + k + 2 * j, lda, pairs_of_halves(l[j], brain),
                     pairs_of_halves(r[j], brain));
        if (k % BF16_STEP)
            add_step(rows, by_step, s);
    }
}

/* ---- block formats ---- */

FORCE_INLINE void add_blocks(const int rows, const bool by_step, struct sums *s, const uint16_t *a,
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

            add_pair(rows, by_step, s, a + k + j, lda, pairs_of(vf_load(even), vf_load(odd)),
                     pairs_of(vf_load(even + W), vf_load(odd + W)));
        }
        add_step(rows, by_step, s);
    }
}

/* ---- any of them ---- */

FORCE_INLINE void few_rows(const int rows, const bool by_step, const uint16_t *a, int64_t lda,
                           const struct weight *w, int64_t n0, float *c)
{
    struct sums s;

    for (int i = 0; i < rows; i++)
        s.left[i] = s.right[i] = s.even_left[i] = s.even_right[i] = s.odd_left[i] = s.odd_right[i] =
            _mm512_setzero_ps();
    for (int64_t k = 0; k < w->cols; k += KC) {
        const int64_t kc = min_i64(KC, w->cols - k);

        if (w->dtype == DT_NF4)
            add_codes(rows, by_step, &s, a + k, lda, w, k, kc, n0);
        else if (w->dtype == DT_BF16)
            add_halves(rows, by_step, true, &s, a + k, lda, w, k, kc, n0);
        else if (dtype_is_blocks(w->dtype))
            add_blocks(rows, by_step, &s, a + k, lda, w, k, kc, n0);
        else
            add_halves(rows, by_step, false, &s, a + k, lda, w, k, kc, n0);
    }
    if (w->cols % BF16_STEP)
        add_step(rows, by_step, &s);
    for (int i = 0; i < rows; i++) {
        vf_store(c + i * BF16_TILE, s.left[i]);
        vf_store(c + i * BF16_TILE + W, s.right[i]);
    }
}

FORCE_INLINE void few(int rows, const bool by_step, const uint16_t *a, int64_t lda,
                      const struct weight *w, int64_t n0, float *c)
{
    switch (rows) {
    case 1:
        few_rows(1, by_step, a, lda, w, n0, c);
        break;
    case 2:
        few_rows(2, by_step, a, lda, w, n0, c);
        break;
    case 3:
        few_rows(3, by_step, a, lda, w, n0, c);
        break;
    case 4:
        few_rows(4, by_step, a, lda, w, n0, c);
        break;
    }
}

void bf16_few(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
              float *c)
{
    few(rows, false, a, lda, w, n0, c);
}

/* The tile registers take subnormal operands and results for 0. */
void bf16_few_by_step(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
                      float *c)
{
    enum { SUBNORMALS_ARE_ZERO = 0x8040 };
    const unsigned usual = _mm_getcsr();

    _mm_setcsr(usual | SUBNORMALS_ARE_ZERO);
    few(rows, true, a, lda, w, n0, c);
    _mm_setcsr(usual);
}
