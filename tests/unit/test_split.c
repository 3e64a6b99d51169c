/* What the field split says, by every name that people give to a part. */
#include "split.h"

#include "filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *part_of(struct record *r, const char *value)
{
    const char *name = "none";

    record_clear(r);
    record_set_text(r, "split", value, strlen(value));
    return record_split(r, &name) < 0 ? "error" : name;
}

static void names_of_parts(void **state)
{
    static const char *const known[][2] = {
        { "train", "train" },     { "TRAIN", "train" },     { "eval", "eval" },
        { "validation", "eval" }, { "Validation", "eval" }, { "valid", "eval" },
        { "val", "eval" },        { "Dev", "eval" },        { "test", "test" },
        { "Test", "test" },       { "tests", "error" },     { "", "error" },
        { "va", "error" },        { "train ", "error" },
    };
    struct record *r = record_new();
    const char *name;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_string_equal(part_of(r, known[i][0]), known[i][1]);
    assert_non_null(strstr(err_text(), "split 'train ' is none of train, eval"));
    record_clear(r);
    assert_int_equal(record_split(r, &name), 0);
    record_set_uint(r, "split", 3);
    assert_int_equal(record_split(r, &name), -1);
    assert_int_equal(record_name_split(r), -1);
    record_free(r);
}

static void they_get_our_name(void **state)
{
    struct record *r = record_new();
    const char *text;
    size_t n;

    (void)state;
    assert_int_equal(record_name_split(r), 0);
    assert_int_equal(record_count(r), 0);
    record_set_text(r, "split", "Dev", 3);
    assert_int_equal(record_name_split(r), 0);
    assert_int_equal(record_get_text(r, "split", &text, &n), 1);
    assert_int_equal(n, 4);
    assert_memory_equal(text, "eval", n);
    record_free(r);
}

/* The filter's own default, as predict sets it, and the user's condition. */
static int passes(struct record *r, const char *value, const char *only)
{
    struct cli_common common = CLI_COMMON_INIT;
    struct filter *f = filter_new(&common);

    filter_default(f, "split", only);
    (void)part_of(r, value);
    const int rc = filter_passes(f, r);

    filter_free(f);
    return rc;
}

static void a_filter_knows_them(void **state)
{
    struct record *r = record_new();

    (void)state;
    assert_int_equal(passes(r, "Test", "test"), 1);
    assert_int_equal(passes(r, "dev", "test"), 0);
    assert_int_equal(passes(r, "eval", "validation"), 1);
    assert_int_equal(passes(r, "held out", "test"), -1);
    record_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_parts),
        cmocka_unit_test(they_get_our_name),
        cmocka_unit_test(a_filter_knows_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
