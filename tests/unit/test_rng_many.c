/* Many integers at once are the same draws as one after another, wherever the generator stands. */
#include "mem.h"
#include "rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void same_as_one_by_one(void **state)
{
    static const uint32_t max[] = {
        0, 1, 2, 9, 623, 624, 899, 1023, UINT32_MAX / 2, UINT32_MAX - 1, UINT32_MAX
    };
    static const int64_t n[] = { 0, 1, 3, 623, 624, 625, 5000 };
    struct mt19937 many, one;

    (void)state;
    mt19937_seed(&many, 42);
    mt19937_seed(&one, 42);
    for (size_t m = 0; m < sizeof max / sizeof *max; m++)
        for (size_t k = 0; k < sizeof n / sizeof *n; k++) {
            uint32_t *got = xnmalloc((size_t)n[k], sizeof *got);

            mt19937_intervals(&many, got, n[k], max[m]);
            for (int64_t i = 0; i < n[k]; i++)
                assert_int_equal(got[i], mt19937_interval(&one, max[m]));
            assert_int_equal(mt19937_u32(&many), mt19937_u32(&one)); /* and no word is lost */
            free(got);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(same_as_one_by_one) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
