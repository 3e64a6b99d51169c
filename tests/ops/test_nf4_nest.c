/* Double quantisation by its definitions; bitsandbytes' own files are compared in
 * tests/parity/nf4.t. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nf4_nest.h"
#include "rng.h"

enum { N = 3 * NEST_BLOCK + 37 };

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* torch.linspace(0.1, 1, n)[i] in float32: from the nearer end. */
static float linspace(int i, int n)
{
    const float step = (1.0f - 0.1f) / (float)(n - 1);

    return i < n / 2 ? 0.1f + step * (float)i : 1.0f - step * (float)(n - 1 - i);
}

/* To an ulp or two: how torch rounds its steps differs; its own values are in the golden files. */
static void map_is_the_dynamic_one(void **state)
{
    float want[NEST_MAP];
    int n = 0;

    (void)state;
    for (int e = 0; e < 7; e++)
        for (int i = 0; i < 1 << e; i++) {
            const int points = (1 << e) + 1;
            const float middle = (linspace(i, points) + linspace(i + 1, points)) / 2;
            const float scale = (float)pow(10, e - 6);

            want[n++] = scale * middle;
            want[n++] = -scale * middle;
        }
    want[n++] = 0;
    want[n++] = 1;
    assert_int_equal(n, NEST_MAP);
    qsort(want, NEST_MAP, sizeof *want, ascending);
    for (int i = 0; i < NEST_MAP; i++)
        assert_true(fabsf(want[i] - nest_map[i]) <= 2e-7f * fabsf(want[i]));
}

static void draw(float *absmax, int n)
{
    struct mt19937 g;

    mt19937_seed(&g, 7);
    for (int i = 0; i < n; i++)
        absmax[i] = mt19937_torch_uniform(&g, 0.01f, 0.3f);
}

/* The distance to the entry that was chosen, and to the best one. */
static void distances(double *chosen, double *best, float x, uint8_t q)
{
    *chosen = fabs((double)x - (double)nest_map[q]);
    *best = INFINITY;
    for (int i = 0; i < NEST_MAP; i++)
        *best = fmin(*best, fabs((double)x - (double)nest_map[i]));
}

static void nearest_entry_is_chosen(void **state)
{
    /* the table on the CPU has steps of 1/32767.5, so it may be wrong by half of one on each side
     */
    static const double slack[] = {
        [NEST_CUDA] = 1e-7, [NEST_MIDPOINT] = 1e-7, [NEST_BNB_CPU] = 3.06e-5
    };
    float absmax[N], nested[N / NEST_BLOCK + 1], offset;
    uint8_t q[N];

    (void)state;
    draw(absmax, N);
    for (enum nest_compat c = NEST_CUDA; c <= NEST_BNB_CPU; c++) {
        double sum = 0;

        nest_quantize(q, nested, &offset, absmax, N, c);
        for (int i = 0; i < N; i++) {
            double chosen, best;

            sum += (double)absmax[i];
            distances(&chosen, &best, (absmax[i] - offset) * (1.0f / nested[i / NEST_BLOCK]), q[i]);
            assert_true(chosen <= best + slack[c]);
        }
        assert_true(fabs((double)offset - sum / N) < 3e-8);
    }
}

static void scale_of_a_block_is_its_largest_difference(void **state)
{
    float absmax[N], nested[N / NEST_BLOCK + 1], offset;
    uint8_t q[N];

    (void)state;
    draw(absmax, N);
    nest_quantize(q, nested, &offset, absmax, N, NEST_CUDA);
    for (int b = 0; b <= N / NEST_BLOCK; b++) {
        float most = 0;

        for (int i = b * NEST_BLOCK; i < N && i < (b + 1) * NEST_BLOCK; i++)
            most = fmaxf(most, fabsf(absmax[i] - offset));
        assert_true(most == nested[b]);
    }
}

/* Two values symmetric about the mean, and between them one at a chosen place. */
static uint8_t code_at(float x, enum nest_compat c)
{
    const float absmax[4] = { 1, -1, x, -x }; /* mean 0, largest 1: x is what is looked up */
    float nested, offset;
    uint8_t q[4];

    nest_quantize(q, &nested, &offset, absmax, 4, c);
    assert_true(offset == 0 && nested == 1);
    return q[2];
}

static void ties_go_where_each_rule_says(void **state)
{
    (void)state;
    for (int i = 0; i < NEST_MAP - 1; i++) {
        const float middle = (nest_map[i] + nest_map[i + 1]) * 0.5f;
        const uint8_t cuda = code_at(middle, NEST_CUDA);

        assert_int_equal(code_at(middle, NEST_MIDPOINT), i);
        assert_true(cuda == i || cuda == i + 1);
        assert_int_equal(code_at(nextafterf(middle, 2), NEST_CUDA), i + 1);
        assert_int_equal(code_at(nextafterf(middle, -2), NEST_CUDA), i);
        assert_int_equal(code_at(nest_map[i], NEST_CUDA), i);
        assert_int_equal(code_at(nest_map[i], NEST_MIDPOINT), i);
    }
    /* the search on CUDA ends at 63, whose upper neighbour is 64: the tie stays at the pivot */
    assert_int_equal(code_at((nest_map[62] + nest_map[63]) * 0.5f, NEST_CUDA), 62);
    assert_int_equal(code_at((nest_map[63] + nest_map[64]) * 0.5f, NEST_CUDA), 64);
    /* small values collapse in the table: it has no place for 0 */
    assert_int_equal(code_at(0, NEST_BNB_CPU), 131);
    assert_int_equal(code_at(1e-6f, NEST_BNB_CPU), 131);
    assert_int_equal(code_at(0, NEST_CUDA), 127);
}

static void equal_scales_come_back(void **state)
{
    const float absmax[3] = { 0.25f, 0.25f, 0.25f };

    (void)state;
    for (enum nest_compat c = NEST_CUDA; c <= NEST_BNB_CPU; c++) {
        float nested, offset, back[3];
        uint8_t q[3];

        nest_quantize(q, &nested, &offset, absmax, 3, c);
        assert_true(nested == 0 && offset == 0.25f);
        nest_expand(back, q, &nested, nest_map, offset, 3, NEST_BLOCK);
        assert_memory_equal(back, absmax, sizeof back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_is_the_dynamic_one),
        cmocka_unit_test(nearest_entry_is_chosen),
        cmocka_unit_test(scale_of_a_block_is_its_largest_difference),
        cmocka_unit_test(ties_go_where_each_rule_says),
        cmocka_unit_test(equal_scales_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
