/*
 * Products as the tile registers of AMX add them: in plain C on every machine, near the exact ones;
 * on a machine with AMX its own, to the byte.
 */
#include "ops_test.h"

enum { ROWS = 70, O = 70 };

/* y (N, O), then dx (N, K) of a product that rounds to bfloat16, N rows of K elements. */
static float *products(int t, enum dtype dtype, int N, int K)
{
    const struct ops *const o = &tables[t];
    const struct weight w = random_weight(o, dtype, O, K, 64, DT_BF16, 1);
    struct dev *const y = room(o, N * O), *const dx = room(o, N * K);
    float *const both = host((size_t)(N * (O + K)) * sizeof *both);

    assert_int_equal(
        o->linear_forward(y, NULL, put_random(o, N * K, 2), &w, put_random(o, O, 3), NULL, NULL, N),
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
    assert_true(open_cpu(EMULATED));
    for (int i = 0; i < COUNT(weights); i++) {
        const int n = ROWS * (O + weights[i].K);
        const float *const got = products(EMULATED, weights[i].dtype, ROWS, weights[i].K);
        const float *const want = products(REF, weights[i].dtype, ROWS, weights[i].K);

        for (int k = 0; k < n; k++)
            assert_float_equal(got[k], want[k], 2e-4f * (1 + fabsf(want[k])));
        assert_true(open_cpu(EMULATED));
    }
}

/* One to four rows are read where they lie, more in tiles, of which the last is not full. */
static void registers_have_the_same_bytes(void **state)
{
    static const int rows[] = { 1, 2, 3, 4, 5, 16, 17, 33, ROWS };

    (void)state;
    if (!open_cpu(AMXBF16))
        skip();
    for (int i = 0; i < COUNT(weights); i++)
        for (int r = 0; r < COUNT(rows); r++) {
            const int K = weights[i].K, N = rows[r];

            assert_true(open_cpu(AMXBF16));
            const float *const got = products(AMXBF16, weights[i].dtype, N, K);

            assert_true(open_cpu(EMULATED));
            const float *const want = products(EMULATED, weights[i].dtype, N, K);

            assert_memory_equal(got, want, (size_t)(N * (O + K)) * sizeof *got);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(emulated_is_near),
        OP_TEST(registers_have_the_same_bytes),
    };

    return RUN_TESTS(tests);
}
