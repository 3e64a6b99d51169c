/*
 * The products of an AMX machine in plain C, for tests on other ones: the same packing, and sums
 * that have the same bits (bf16.h). SLMTOOLS_CPU=amxbf16-emulated asks for it.
 */
#include "bf16.h"
#include "cpu_impl.h"

#include <float.h>
#include <math.h>

enum { STEP_SIZE = BF16_STEP * BF16_TILE };

static void nothing(void)
{
}

/* Subnormal operands and results are 0. */
static float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

static uint16_t rounded(float x)
{
    return bf16_of_f32(flushed(x));
}

/* Part P of X. */
static uint16_t part_of(float x, int p)
{
    for (; p > 0; p--)
        x -= f32_of_bf16(rounded(x));
    return rounded(x);
}

static void pack_row(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there, int parts)
{
    const int64_t whole = (n + BF16_STEP - 1) / BF16_STEP * BF16_STEP;

    for (int64_t k = 0; k < whole; k++)
        for (int p = 0; p < parts; p++)
            to[k / BF16_STEP * ld + p * STEP_SIZE + k % BF16_STEP] =
                there && k < n ? part_of(row[k], p) : 0;
}

static void pack_a(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there)
{
    pack_row(to, ld, row, n, there, 1);
}

static void pack_a_x3(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there)
{
    pack_row(to, ld, row, n, there, BF16_PARTS);
}

/* Element (row, col) of the weight, the last row standing in for those behind it, 0 behind the last
 * column. */
static float element(const struct weight *w, int64_t row, int64_t col)
{
    float x;

    if (col >= w->cols)
        return 0;
    cpu_isa()->span(&x, w, min_i64(row, w->rows - 1) * w->cols + col, 1);
    return x;
}

static void pack_columns(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                         int64_t n0, int parts)
{
    const int64_t whole = (kc + BF16_STEP - 1) / BF16_STEP * BF16_STEP;

    for (int64_t k = 0; k < whole; k++)
        for (int64_t n = 0; n < BF16_TILE; n++) {
            const float x = k >= kc ? 0
                            : trans ? element(w, n0 + n, k0 + k)
                                    : element(w, k0 + k, n0 + n);

            for (int p = 0; p < parts; p++)
                dst[(k / BF16_STEP * parts + p) * STEP_SIZE +
                    (k % BF16_STEP / 2 * BF16_TILE + n) * 2 + k % 2] = part_of(x, p);
        }
}

static void pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                   int64_t n0)
{
    pack_columns(dst, w, trans, k0, kc, n0, 1);
}

static void pack_b_x3(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                      int64_t n0)
{
    pack_columns(dst, w, trans, k0, kc, n0, BF16_PARTS);
}

/* The chain of a step's even (FIRST 0) or odd products. */
static float chain(const uint16_t *a, const uint16_t *b, int first)
{
    float sum = 0;

    for (int k = first; k < BF16_STEP; k += 2)
        sum = flushed(fmaf(flushed(f32_of_bf16(a[k])),
                           flushed(f32_of_bf16(b[(k / 2 * BF16_TILE) * 2 + k % 2])), sum));
    return sum;
}

/* SUM and a step's products of a row of A and a column of B. */
static float step(float sum, const uint16_t *a, const uint16_t *b)
{
    return flushed(sum + flushed(chain(a, b, 0) + chain(a, b, 1)));
}

/* What the steps of a row and a column of the tile add to SUM. */
static float element_of(float sum, int64_t steps, const uint16_t *a, const uint16_t *b, int parts,
                        int b_parts)
{
    for (int64_t s = 0; s < steps; s++, a += parts * STEP_SIZE, b += parts * STEP_SIZE)
        for (int p = 0; p < BF16_PAIRS; p++)
            if (bf16_counts(parts, b_parts, p))
                sum = step(sum, a + bf16_pairs[p].a * STEP_SIZE, b + bf16_pairs[p].b * STEP_SIZE);
    return sum;
}

static void tile_of(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, float *c,
                    bool add, int parts, int b_parts)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < BF16_TILE; j++, c++)
            *c = element_of(add ? flushed(*c) : 0, steps, a + i * BF16_STEP, b + 2 * j, parts,
                            b_parts);
}

static void tile(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, int b_parts,
                 float *c, bool add, const struct bf16_soon *soon)
{
    (void)b_parts;
    (void)soon;
    tile_of(rows, steps, a, b, c, add, 1, 1);
}

static void tile_x3(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, int b_parts,
                    float *c, bool add, const struct bf16_soon *soon)
{
    (void)soon;
    tile_of(rows, steps, a, b, c, add, BF16_PARTS, b_parts);
}

const struct bf16_isa bf16_emulated = {
    .name = "amxbf16-emulated",
    .parts = 1,
    .chunk = 256,
    .last_chunk = 384,
    .begin = nothing,
    .end = nothing,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tile = tile,
};

const struct bf16_isa bf16x3_emulated = {
    .name = "amxbf16-emulated",
    .parts = BF16_PARTS,
    .chunk = 256,
    .last_chunk = 384,
    .begin = nothing,
    .end = nothing,
    .pack_a = pack_a_x3,
    .pack_b = pack_b_x3,
    .tile = tile_x3,
};
