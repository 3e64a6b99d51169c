/*
 * The products of an AMX machine in plain C, for tests on other ones: the same packing, and sums
 * that have the same bits (bf16.h). SLMTOOLS_CPU=amxbf16-emulated asks for it.
 */
#include "bf16.h"
#include "cpu_impl.h"

#include <float.h>
#include <math.h>

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

static void pack_a(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there)
{
    const int64_t whole = (n + BF16_STEP - 1) / BF16_STEP * BF16_STEP;

    for (int64_t k = 0; k < whole; k++)
        to[k / BF16_STEP * ld + k % BF16_STEP] = there && k < n ? rounded(row[k]) : 0;
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

static void pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                   int64_t n0)
{
    const int64_t whole = (kc + BF16_STEP - 1) / BF16_STEP * BF16_STEP;

    for (int64_t k = 0; k < whole; k++)
        for (int64_t n = 0; n < BF16_TILE; n++)
            dst[(k / 2 * BF16_TILE + n) * 2 + k % 2] =
                k >= kc ? 0
                        : rounded(trans ? element(w, n0 + n, k0 + k) : element(w, k0 + k, n0 + n));
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

static void tile(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, float *c, bool add,
                 const float *soon, int64_t ld)
{
    (void)soon;
    (void)ld;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < BF16_TILE; j++) {
            float sum = add ? flushed(c[i * BF16_TILE + j]) : 0;

            for (int64_t s = 0; s < steps; s++) {
                const uint16_t *const x = a + (s * BF16_TILE + i) * BF16_STEP, *const y =
                                                                                   b +
                                                                                   s * BF16_STEP *
                                                                                       BF16_TILE +
                                                                                   2 * j;

                sum = flushed(sum + flushed(chain(x, y, 0) + chain(x, y, 1)));
            }
            c[i * BF16_TILE + j] = sum;
        }
}

const struct bf16_isa bf16_emulated = {
    .name = "amxbf16-emulated",
    .begin = nothing,
    .end = nothing,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tile = tile,
};
