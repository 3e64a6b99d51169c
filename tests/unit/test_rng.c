/* Draw-by-draw agreement with numpy's RandomState and torch's CPU generator, on published values.
 */
#include "rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

static struct mt19937 seeded(uint32_t seed)
{
    struct mt19937 g;

    mt19937_seed(&g, seed);
    return g;
}

static void words_of_seed_42(void **state)
{
    static const uint32_t want[10] = { 1608637542, 3421126067, 4083286876, 787846414, 3143890026,
                                       3348747335, 2571218620, 2563451924, 670094950, 1914837113 };
    struct mt19937 g = seeded(42);

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(mt19937_u32(&g), want[i]);
}

/* The 10000th word of mt19937 under its default seed is fixed by the C++ standard. */
static void word_10000_of_seed_5489(void **state)
{
    struct mt19937 g = seeded(5489);

    (void)state;
    for (int i = 1; i < 10000; i++)
        (void)mt19937_u32(&g);
    assert_int_equal(mt19937_u32(&g), 4123659995u);
}

static void numpy_permutation(void **state)
{
    static const struct {
        uint32_t seed;
        int64_t want[10];
    } cases[] = {
        { 42, { 8, 1, 5, 0, 7, 2, 9, 4, 3, 6 } },
        { 0, { 2, 8, 4, 9, 1, 6, 7, 3, 0, 5 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt19937 g = seeded(cases[i].seed);
        int64_t got[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

        mt19937_shuffle(&g, got, 10);
        assert_memory_equal(got, cases[i].want, sizeof got);
    }
}

static void numpy_randint(void **state)
{
    static const uint64_t want[10] = { 6, 3, 7, 4, 6, 9, 2, 6, 7, 4 };
    struct mt19937 g = seeded(42);

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(mt19937_interval(&g, 9), want[i]);
}

static void interval_of_zero_draws_nothing(void **state)
{
    struct mt19937 g = seeded(42);
    int64_t one = 0;

    (void)state;
    assert_int_equal(mt19937_interval(&g, 0), 0);
    mt19937_shuffle(&g, &one, 1);
    mt19937_shuffle(&g, NULL, 0);
    assert_int_equal(one, 0);
    assert_int_equal(mt19937_u32(&g), 1608637542u);
}

static void wide_interval_takes_the_high_word_first(void **state)
{
    struct mt19937 g = seeded(42);

    (void)state;
    assert_true(mt19937_interval(&g, UINT64_MAX) == ((uint64_t)1608637542u << 32 | 3421126067u));
}

static void torch_randperm(void **state)
{
    static const struct {
        uint32_t seed;
        int64_t want[10];
    } cases[] = {
        { 42, { 2, 6, 1, 8, 4, 5, 0, 9, 3, 7 } },
        { 0, { 4, 1, 7, 5, 3, 9, 0, 8, 6, 2 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt19937 g = seeded(cases[i].seed);
        int64_t got[10];

        mt19937_torch_randperm(&g, got, 10);
        assert_memory_equal(got, cases[i].want, sizeof got);
    }
}

static void torch_uniform(void **state)
{
    static const double want[4] = { 0.8822693, 0.9150040, 0.3828638, 0.9593056 };
    struct mt19937 g = seeded(42);

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)mt19937_torch_uniform(&g, 0, 1) - want[i]) < 6e-8);
    g = seeded(42);
    assert_true(fabs((double)mt19937_torch_uniform(&g, -2, 2) - 1.5290772) < 1e-6);
}

/* The known answers published with the algorithm (Random123, kat_vectors: philox4x32 10). */
static void philox_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4];
        uint64_t key;
        uint32_t want[4];
    } cases[] = {
        { { 0, 0, 0, 0 }, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, ~0ull, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          0x299f31d0a4093822ull,
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t got[4];

        philox4x32(got, cases[i].counter, cases[i].key);
        assert_memory_equal(got, cases[i].want, sizeof got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_seed_42),
        cmocka_unit_test(word_10000_of_seed_5489),
        cmocka_unit_test(numpy_permutation),
        cmocka_unit_test(numpy_randint),
        cmocka_unit_test(interval_of_zero_draws_nothing),
        cmocka_unit_test(wide_interval_takes_the_high_word_first),
        cmocka_unit_test(torch_randperm),
        cmocka_unit_test(torch_uniform),
        cmocka_unit_test(philox_known_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
