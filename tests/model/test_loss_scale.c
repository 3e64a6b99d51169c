/* The scale of the loss in float16 against torch.amp.GradScaler: tests/parity/make-loss-scale. */
#include "lora/loss_scale.h"

#include "json.h"
#include "mem.h"
#include "share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char recorded[] = "tests/parity/loss-scale.json";

static double number(const cJSON *o, const char *name)
{
    double value = 0;

    assert_true(json_double(o, name, &value) > 0);
    return value;
}

static void check_case(const cJSON *o)
{
    struct loss_scale s = { .now = number(o, "start") };
    const cJSON *run;

    cJSON_ArrayForEach(run, cJSON_GetObjectItemCaseSensitive(o, "runs"))
    {
        for (double i = number(run, "count"); i > 0; i--)
            loss_scale_next(&s, number(run, "finite") != 0);
        assert_true(s.now == number(run, "scale"));
        assert_true((double)s.good == number(run, "good"));
        assert_true((double)s.skipped == number(run, "skipped"));
    }
}

static void decisions_are_torchs(void **state)
{
    const struct loss_scale begun = LOSS_SCALE_INIT;
    struct buf text = BUF_INIT;
    int cases = 0;

    (void)state;
    assert_int_equal(read_file(&text, recorded, 1 << 20), 0);
    cJSON *const all = json_parse(text.p, text.n);
    const cJSON *o;

    assert_non_null(all);
    cJSON_ArrayForEach(o, cJSON_GetObjectItemCaseSensitive(all, "cases"))
    {
        check_case(o);
        cases++;
    }
    assert_int_equal(cases, 2);
    assert_true(begun.now == 65536); /* torch's own, which one of them begins with */
    cJSON_Delete(all);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(decisions_are_torchs) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
