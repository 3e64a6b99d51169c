/*
 * vec_bf16_few.h - products in bfloat16 of few rows with a weight that is read where it lies: a
 * panel of it would be used but once. Included by bf16_few_*.c, one for each order of adding
 * (bf16.h), with
 *
 *   struct operand                           KC columns of the rows of A
 *   struct sums                              of FEW rows and FEW_COLUMNS rows of the weight
 *   open_operand(rows, x, a, lda, n)         n columns from the bfloat16 at A, LDA apart
 *   add_two(rows, s, x, k, l0, r0, l1, r1)   columns k and k + 1: values of the left and the right
 *                                            W rows of the weight, in f32
 *   add_pairs(rows, s, x, k, l, r)           the same, as pairs of bfloat16 along k
 *   add_step(rows, s)                        behind each BF16_STEP columns
 *   put_sums(rows, s, c)                     c (rows, BF16_TILE)
 */
#ifndef VEC_BF16_FEW_H
#define VEC_BF16_FEW_H

/* A chunk: KC columns from K0 on of the weight's rows from N0 on. */
#define PART const struct weight *w, int64_t k0, int64_t kc, int64_t n0

/* ---- NF4 ---- */

#define CODE(eight, s, j) vf_mul(nf4_pick(eight, j), s)
#define ADD_CODES(j)                                                                               \
    add_two(rows, s, x, k + (j), CODE(first, s0, j), CODE(second, s1, j),                          \
            CODE(first, s0, (j) + 1), CODE(second, s1, (j) + 1))

FORCE_INLINE void add_codes(const int rows, struct sums *s, const struct operand *x, PART)
{
    struct nf4_ahead later = nf4_ahead_at(w, (n0 + FEW_COLUMNS) * w->cols + k0 * FEW_COLUMNS);
    struct nf4_rows codes;

    nf4_rows_begin(&codes, w, k0, kc, n0);
    for (int64_t k = 0; k < kc; k += 8) {
        __m512i first, second;

        nf4_rows_next(&codes, &first, &second);
        const __m512 s0 = vf_load(codes.scale), s1 = vf_load(codes.scale + W);

        nf4_ask_ahead(&later, k);
        ADD_CODES(0);
        ADD_CODES(2);
        ADD_CODES(4);
        ADD_CODES(6);
        if (k % BF16_STEP == BF16_STEP - 8)
            add_step(rows, s);
    }
}
#undef ADD_CODES
#undef CODE

/* ---- half floats ---- */

FORCE_INLINE void add_halves(const int rows, const bool brain, struct sums *s,
                             const struct operand *x, PART)
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
        for (int j = 0; j < 8; j++) {
            if (brain)
                add_pairs(rows, s, x, k + 2 * j, l[j], r[j]);
            else
                add_two(rows, s, x, k + 2 * j, low_half(l[j], false), low_half(r[j], false),
                        high_half(l[j], false), high_half(r[j], false));
        }
        if (k % BF16_STEP)
            add_step(rows, s);
    }
}

/* ---- block formats ---- */

/* Each value is used as it is made. */
FORCE_INLINE void add_strips(const int rows, const enum dtype t, struct sums *s,
                             const struct operand *x, PART)
{
    struct block_share later = block_share_of(w, n0 + FEW_COLUMNS, k0, FEW_COLUMNS);
    struct block_rows first, second;

    block_rows_begin(&first, w, k0, n0);
    block_rows_begin(&second, w, k0, min_i64(n0 + W, w->rows - 1));
    for (int64_t k = 0; k < kc; k += STRIP) {
        struct strip_all l, r;

        block_ask_ahead(&later);
        block_rows_next(t, &l, &first);
        block_rows_next(t, &r, &second);
        UNROLL(8)
        for (int j = 0; j < 8; j++)
            UNROLL(2)
        for (int b = 0; b < 4; b += 2)
            add_two(rows, s, x, k + 4 * j + b, strip_column(t, &l, j, b), strip_column(t, &r, j, b),
                    strip_column(t, &l, j, b + 1), strip_column(t, &r, j, b + 1));
        add_step(rows, s);
    }
}

/* The formats that are met less often: by way of memory, with less code. */
FORCE_INLINE void add_blocks(const int rows, struct sums *s, const struct operand *x, PART)
{
    next_columns *const next = columns_of(w->dtype);
    struct block_share later = block_share_of(w, n0 + FEW_COLUMNS, k0, FEW_COLUMNS);
    struct block_rows first, second;
    _Alignas(64) float part[STRIP * STRIP_LD];

    block_rows_begin(&first, w, k0, n0);
    block_rows_begin(&second, w, k0, min_i64(n0 + W, w->rows - 1));
    for (int64_t k = 0; k < kc; k += STRIP) {
        block_ask_ahead(&later);
        next(&first, part);
        next(&second, part + W);
        UNROLL(4)
        for (int j = 0; j < STRIP; j += 2) {
            const float *const even = part + j * STRIP_LD, *const odd = even + STRIP_LD;

            add_two(rows, s, x, k + j, vf_load(even), vf_load(even + W), vf_load(odd),
                    vf_load(odd + W));
        }
        add_step(rows, s);
    }
}

/* ---- any of them ---- */

/* A function for each kind of weight and number of rows: compilers take long over large ones. */
#define PRODUCT(kind, rows, call)                                                                  \
    static void kind##_##rows(const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,  \
                              float *c)                                                            \
    {                                                                                              \
        struct sums s = { 0 };                                                                     \
                                                                                                   \
        for (int64_t k0 = 0; k0 < w->cols; k0 += KC) {                                             \
            const int64_t kc = min_i64(KC, w->cols - k0);                                          \
            struct operand x;                                                                      \
                                                                                                   \
            open_operand(rows, &x, a + k0, lda, kc);                                               \
            call;                                                                                  \
        }                                                                                          \
        put_sums(rows, &s, c);                                                                     \
    }
#define PRODUCTS(rows)                                                                             \
    PRODUCT(nf4, rows, add_codes(rows, &s, &x, w, k0, kc, n0))                                     \
    PRODUCT(bf16, rows, add_halves(rows, true, &s, &x, w, k0, kc, n0))                             \
    PRODUCT(f16, rows, add_halves(rows, false, &s, &x, w, k0, kc, n0))                             \
    PRODUCT(q4_0, rows, add_strips(rows, DT_Q4_0, &s, &x, w, k0, kc, n0))                          \
    PRODUCT(q4_1, rows, add_strips(rows, DT_Q4_1, &s, &x, w, k0, kc, n0))                          \
    PRODUCT(q8_0, rows, add_strips(rows, DT_Q8_0, &s, &x, w, k0, kc, n0))                          \
    PRODUCT(blocks, rows, add_blocks(rows, &s, &x, w, k0, kc, n0))
PRODUCTS(1)
PRODUCTS(2)
PRODUCTS(3)
PRODUCTS(4)
#undef PRODUCTS
#undef PRODUCT

#define EACH(kind)                                                                                 \
    {                                                                                              \
        kind##_1, kind##_2, kind##_3, kind##_4                                                     \
    }
static void few(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
                float *c)
{
    typedef void product(const uint16_t *, int64_t, const struct weight *, int64_t, float *);
    static product *const blocks[FEW] = EACH(blocks);
    static product *const of[][FEW] = {
        [DT_NF4] = EACH(nf4),   [DT_BF16] = EACH(bf16), [DT_F16] = EACH(f16),
        [DT_Q4_0] = EACH(q4_0), [DT_Q4_1] = EACH(q4_1), [DT_Q8_0] = EACH(q8_0),
    };
    const size_t kinds = sizeof of / sizeof *of;
    product *const *const by_rows =
        (size_t)w->dtype < kinds && of[w->dtype][0] ? of[w->dtype] : blocks;

    by_rows[rows - 1](a, lda, w, n0, c);
}
#undef EACH
#undef PART

#endif
