/*
 * Products as the tile registers of AMX add them: in plain C on every machine, near the exact ones;
 * on a machine with AMX its own, to the byte.
 */
#include "ops_test.h"
#include "skip.h"

enum { ROWS = 70, O = 70 };

/* y (N, O), then dx (N, K) of a product, N rows of K elements. */
static float *products(int t, enum dtype dtype, enum dtype round, int N, int K)
{
    const struct ops *const o = &tables[t];
    const struct weight w = random_weight(o, dtype, O, K, 64, round, 1);
    struct dev *const y = room(o, N * O), *const dx = room(o, N * K);
    float *const both = host((size_t)(N * (O + K)) * sizeof *both);

    assert_int_equal(
        linear_alone(o, y, NULL, put_random(o, N * K, 2), &w, put_random(o, O, 3), NULL, NULL, N),
        0);
    assert_int_equal(o->linear_backward(dx, NULL, NULL, put_random(o, N * O, 4), NULL, NULL, NULL,
                                        &w, NULL, NULL, N, false),
                     0);
    memcpy(both, get_floats(o, y, N * O), (size_t)(N * O) * sizeof *both);
    memcpy(both + N * O, get_floats(o, dx, N * K), (size_t)(N * K) * sizeof *both);
    return both;
}

static const struct {
    enum dtype dtype;
    int K;
} weights[] = { { DT_NF4, 640 },  { DT_NF4, 200 },  { DT_F32, 100 },  { DT_F16, 656 },
                { DT_BF16, 656 }, { DT_Q4_1, 608 }, { DT_Q8_0, 608 }, { DT_Q6_K, 768 } };

/* K products of numbers below 1, added in f32. */
static void emulated_is_near(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(weights); i++) {
        const int n = ROWS * (O + weights[i].K);

        assert_true(open_cpu(EMULATED));
        const float *const got = products(EMULATED, weights[i].dtype, DT_BF16, ROWS, weights[i].K);
        const float *const want = products(REF, weights[i].dtype, DT_BF16, ROWS, weights[i].K);

        for (int k = 0; k < n; k++)
            assert_float_equal(got[k], want[k], 2e-4f * (1 + fabsf(want[k])));
    }
}

static double square_error(const float *got, const float *want, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    return sum;
}

/* Split operands lose nothing that floats would keep: REF's sums are exact. */
static void split_is_nearer_than_floats(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(weights); i++) {
        const enum dtype dtype = weights[i].dtype;
        const int K = weights[i].K, n = ROWS * (O + K);

        assert_true(open_cpu(EMULATED));
        const float *const split = products(EMULATED, dtype, DT_BF16X3, ROWS, K);
        const float *const floats = products(EMULATED, dtype, DT_F32, ROWS, K);
        const float *const want = products(REF, dtype, DT_F32, ROWS, K);
        const double error = square_error(split, want, n);

        assert_true(error < square_error(floats, want, n));
        assert_true(error > 0); /* it is another order */
    }
}

/* Of one to four rows, which are read where they lie unless they are split, and more in tiles, of
 * which the last is not full. */
static void have_the_same_bytes(enum dtype round)
{
    static const int rows[] = { 1, 2, 3, 4, 5, 16, 17, 33, ROWS };

    if (!open_cpu(AMXBF16))
        SKIP("no AMX here");
    for (int i = 0; i < COUNT(weights); i++)
        for (int r = 0; r < COUNT(rows); r++) {
            const int K = weights[i].K, N = rows[r];

            assert_true(open_cpu(AMXBF16));
            const float *const got = products(AMXBF16, weights[i].dtype, round, N, K);

            assert_true(open_cpu(EMULATED));
            const float *const want = products(EMULATED, weights[i].dtype, round, N, K);

            assert_memory_equal(got, want, (size_t)(N * (O + K)) * sizeof *got);
        }
}

static void registers_have_the_same_bytes(void **state)
{
    (void)state;
    have_the_same_bytes(DT_BF16);
}

static void split_registers_have_the_same_bytes(void **state)
{
    (void)state;
    have_the_same_bytes(DT_BF16X3);
}

/* Where floats are as fast as they are, nothing is split. */
static void elsewhere_it_is_float32(void **state)
{
    static const int others[] = { PORTABLE, AVX2, AVX512, AVX512BF16 };

    (void)state;
    for (int i = 0; i < COUNT(others); i++) {
        const int t = others[i];

        if (!open_cpu(t))
            continue;
        assert_memory_equal(products(t, DT_NF4, DT_BF16X3, 17, 640),
                            products(t, DT_NF4, DT_F32, 17, 640),
                            (size_t)(17 * (O + 640)) * sizeof(float));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(emulated_is_near),
        OP_TEST(split_is_nearer_than_floats),
        OP_TEST(registers_have_the_same_bytes),
        OP_TEST(split_registers_have_the_same_bytes),
        OP_TEST(elsewhere_it_is_float32),
    };

    return RUN_TESTS(tests);
}
