/* The strict check against JSONTestSuite and json.org's checker, and what stands on top of it. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"
#include "share.h"
#include "skip.h"
#include "utf8.h"

static int check(const char *text)
{
    return json_check(text, strlen(text));
}

static cJSON *parse(const char *text)
{
    return json_parse(text, strlen(text));
}

static void valid_texts_are_taken(void **state)
{
    static const char *const good[] = {
        "0",
        "-0",
        "-0.5e+10",
        "1E400",
        "\"\"",
        "null",
        " [ ] ",
        "{}",
        "[1,2]",
        "{\"a\":1,\"a\":2}",
        "\"\\ud834\\udd1e\"",
        "\"\\u0000\"",
        "\"\xc3\xa9\"",
        "\t\r\n true\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(check(good[i]), 0);
}

static void invalid_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "[1,]",
        "[1 2]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "'a'",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"",
        "\"\\ud834\"",
        "\"\\udd1e\\ud834\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "\xef\xbb\xbf{}",
        "1 2",
        "[]]",
        "[\f1]",
        "// c\n1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(check(bad[i]), -1);
        assert_int_equal(err_code(), EXIT_DATA);
    }
    assert_int_equal(json_check("1\0", 2), -1);
    assert_int_equal(json_check("\"a\0b\"", 5), -1);
}

static void byte_order_mark_is_passed_over(void **state)
{
    static const char text[] = "\xef\xbb\xbf {\"a\": 1}";
    cJSON *v = json_parse(text, strlen(text)), *one = json_parse("\xef\xbb\xbf"
                                                                 "7",
                                                                 4);
    int64_t a;

    (void)state;
    assert_int_equal(utf8_mark(text, strlen(text)), 3);
    assert_int_equal(utf8_mark(text, 2), 0);
    assert_null(json_parse(" \xef\xbb\xbf{}", 6));
    assert_non_null(v);
    assert_int_equal(json_int(v, "a", &a, 0, 9), 1);
    assert_int_equal(a, 1);
    assert_non_null(one);
    cJSON_Delete(v);
    cJSON_Delete(one);
}

static void depth_is_bounded(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 3];

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(json_check(text, 2 * JSON_DEPTH_MAX), 0);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(json_check(text, 2 * (JSON_DEPTH_MAX + 1)), -1);
}

static void error_names_line_and_column(void **state)
{
    (void)state;
    assert_int_equal(check("{\n  \"a\": 1,\n  b"), -1);
    assert_non_null(strstr(err_text(), "line 3, column 3"));
}

static void parse_refuses_what_cjson_would_bend(void **state)
{
    (void)state;
    assert_null(parse("{\"a\":1,\"b\":{\"x\":1,\"\\u0078\":2}}"));
    assert_non_null(strstr(err_text(), "'x' stands twice"));
    assert_null(parse("[\"a\\u0000b\"]"));
}

static cJSON *parse_any(const char *text)
{
    return json_parse_any(text, strlen(text));
}

static void parse_any_takes_the_last_of_a_doubled_key(void **state)
{
    cJSON *v = parse_any("{\"a\":1,\"b\":{\"x\":1,\"y\":7,\"\\u0078\":2},\"a\":\"t\",\"a\":3}");
    int64_t i = 0;

    (void)state;
    assert_non_null(v);
    assert_int_equal(cJSON_GetArraySize(v), 2);
    assert_int_equal(json_int(v, "a", &i, 0, 9), 1);
    assert_int_equal(i, 3);
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(v, "b");

    assert_int_equal(cJSON_GetArraySize(b), 2);
    assert_int_equal(json_int(b, "x", &i, 0, 9), 1);
    assert_int_equal(i, 2);
    assert_int_equal(json_int(b, "y", &i, 0, 9), 1);
    assert_int_equal(i, 7);
    cJSON_Delete(v);
}

/* The text must not be cut, and what stands around it must not suffer. */
static void parse_any_never_cuts_at_nul(void **state)
{
    cJSON *v =
        parse_any("{\"t\":\"a\\u0000b\",\"k\\u0000\":{\"in\":\"\\u0000\",\"n\":1}, \"k\":5,"
                  "\"l\":[\"x\",\"\\u0000\",\"y\\u0001\"],\"t\\u0000\":\"ok\",\"u\":\"ok\"}");
    const char *t = NULL;
    int64_t i = 0;

    (void)state;
    assert_non_null(v);
    assert_int_equal(json_text(v, "t", &t), -1);
    assert_int_equal(json_text(v, "u", &t), 1);
    assert_string_equal(t, "ok");
    assert_int_equal(json_int(v, "k", &i, 0, 9), 1);
    assert_int_equal(i, 5);
    const cJSON *l = cJSON_GetObjectItemCaseSensitive(v, "l");

    assert_int_equal(cJSON_GetArraySize(l), 3);
    assert_string_equal(cJSON_GetArrayItem(l, 0)->valuestring, "x");
    assert_false(cJSON_IsString(cJSON_GetArrayItem(l, 1)));
    assert_string_equal(cJSON_GetArrayItem(l, 2)->valuestring, "y\x01");
    cJSON_Delete(v);
    v = parse_any("\"\\u0000\"");
    assert_true(v && !cJSON_IsString(v));
    cJSON_Delete(v);
    assert_null(parse_any("{\"a\":1,}"));
}

static void long_numbers_keep_their_value(void **state)
{
    static const char text[] = "[0."
                               "0000000000000000000000000000000000000000000000000000000000000000000"
                               "0000000000000000012345, 7,"
                               "-123456789012345678901234567890123456789012345678901234567890123456"
                               "789012345678901234567890]";
    cJSON *v = parse(text);

    (void)state;
    assert_non_null(v);
    assert_true(cJSON_GetArrayItem(v, 0)->valuedouble == 1.2345e-85);
    assert_true(cJSON_GetArrayItem(v, 1)->valuedouble == 7);
    assert_true(cJSON_GetArrayItem(v, 2)->valuedouble == -123456789012345678901234567890e60);
    cJSON_Delete(v);
}

static void members_are_typed(void **state)
{
    cJSON *v =
        parse("{\"i\":3,\"f\":2.5,\"t\":\"x\",\"b\":true,\"n\":null,\"big\":1e300,\"inf\":1e999}");
    int64_t i = 0;
    double d = 0;
    bool b = false;
    const char *t = NULL;

    (void)state;
    assert_int_equal(json_int(v, "i", &i, 0, 9), 1);
    assert_int_equal(i, 3);
    assert_int_equal(json_int(v, "i", &i, 4, 9), -1);
    assert_int_equal(json_int(v, "I", &i, 0, 9), 0); /* the case of keys counts */
    assert_int_equal(json_int(v, "n", &i, 0, 9), 0);
    assert_int_equal(json_int(v, "f", &i, 0, 9), -1);
    assert_int_equal(json_int(v, "big", &i, INT64_MIN, INT64_MAX), -1);
    assert_int_equal(json_int(v, "t", &i, 0, 9), -1);
    assert_int_equal(json_double(v, "f", &d), 1);
    assert_true(d == 2.5);
    assert_int_equal(json_double(v, "inf", &d), -1);
    assert_int_equal(json_bool(v, "b", &b), 1);
    assert_true(b);
    assert_int_equal(json_bool(v, "i", &b), -1);
    assert_int_equal(json_text(v, "t", &t), 1);
    assert_string_equal(t, "x");
    assert_int_equal(json_text(v, "i", &t), -1);
    cJSON_Delete(v);
}

static const char *spelt(struct buf *b, double v)
{
    buf_clear(b);
    json_put_double(b, v);
    return b->p;
}

/* Expected: Python's repr. */
static void doubles_are_spelt_as_python_does(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    assert_string_equal(spelt(&b, 0), "0.0");
    assert_string_equal(spelt(&b, -0.0), "-0.0");
    assert_string_equal(spelt(&b, 1), "1.0");
    assert_string_equal(spelt(&b, -1234.5), "-1234.5");
    assert_string_equal(spelt(&b, 0.1), "0.1");
    assert_string_equal(spelt(&b, 1e-5), "1e-05");
    assert_string_equal(spelt(&b, 0.0001), "0.0001");
    assert_string_equal(spelt(&b, 0.00012345), "0.00012345");
    assert_string_equal(spelt(&b, 1e15), "1000000000000000.0");
    assert_string_equal(spelt(&b, 1e16), "1e+16");
    assert_string_equal(spelt(&b, 1.0 / 3), "0.3333333333333333");
    assert_string_equal(spelt(&b, 0x1.921fb6p+1), "3.1415927410125732");
    assert_string_equal(spelt(&b, 5e-324), "5e-324");
    assert_string_equal(spelt(&b, 1.7976931348623157e308), "1.7976931348623157e+308");
    assert_string_equal(spelt(&b, NAN), "null");
    buf_clear(&b);
    json_put_float(&b, 0.1f);
    assert_string_equal(b.p, "0.1");
    buf_free(&b);
}

static void text_is_escaped(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    json_put_text(&b, "a\"\\\n\x01\xc3\xa9\0z", 9);
    assert_memory_equal(b.p, "\"a\\\"\\\\\\n\\u0001\xc3\xa9\\u0000z\"", b.n);
    assert_int_equal(check(b.p), 0);
    buf_free(&b);
}

/* Runs the checks over DIR and says how many files beginning with PREFIX gave something else than
 * WANT. Files marked EXCLUDE are valid by RFC 8259. */
static int disagreeing(const char *dir, const char *prefix, int want, int *seen)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    int bad = 0;

    while (d && (e = readdir(d))) {
        struct buf path = BUF_INIT, text = BUF_INIT;

        if (strncmp(e->d_name, prefix, strlen(prefix)) || strstr(e->d_name, "EXCLUDE"))
            continue;
        buf_printf(&path, "%s/%s", dir, e->d_name);
        assert_int_equal(read_file(&text, path.p, 1 << 20), 0);
        ++*seen;
        cJSON *any = json_parse_any(text.p ? text.p : "", text.n);

        if (json_check(text.p ? text.p : "", text.n) != want || (any ? 0 : -1) != want) {
            print_message("# %s\n", e->d_name);
            bad++;
        }
        cJSON_Delete(any);
        buf_free(&path);
        buf_free(&text);
    }
    if (d)
        closedir(d);
    return bad;
}

static void suite(const char *folder, const char *prefix, int want, int files)
{
    const char *shared = getenv("SHARED");
    struct buf dir = BUF_INIT;
    int seen = 0;

    buf_printf(&dir, "%s/corpora/%s", shared ? shared : "../shared", folder);
    const int bad = disagreeing(dir.p, prefix, want, &seen);

    buf_free(&dir);
    if (!seen)
        SKIP("no ../shared/corpora beside the project");
    assert_int_equal(bad, 0);
    assert_int_equal(seen, files);
}

static void test_suite_must_pass(void **state)
{
    (void)state;
    suite("jsontestsuite/test_parsing", "y_", 0, 95);
}

static void test_suite_must_fail(void **state)
{
    (void)state;
    suite("jsontestsuite/test_parsing", "n_", -1, 188);
}

/* Where the standard leaves a choice: any number is taken, no text that is not UTF-8. */
static void test_suite_choices(void **state)
{
    (void)state;
    suite("jsontestsuite/test_parsing", "i_number", 0, 10);
    suite("jsontestsuite/test_parsing", "i_string", -1, 22);
    suite("jsontestsuite/test_parsing", "i_structure_500", -1,
          1); /* the other is a byte order mark */
    suite("jsontestsuite/test_parsing", "i_object", -1, 1);
}

static void json_org_checker(void **state)
{
    (void)state;
    suite("json-checker/data/jsonchecker", "pass", 0, 3);
    suite("json-checker/data/jsonchecker", "fail", -1, 31);
    suite("json-checker/data/roundtrip", "roundtrip", 0, 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_taken),
        cmocka_unit_test(invalid_texts_are_refused),
        cmocka_unit_test(byte_order_mark_is_passed_over),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(error_names_line_and_column),
        cmocka_unit_test(parse_refuses_what_cjson_would_bend),
        cmocka_unit_test(parse_any_takes_the_last_of_a_doubled_key),
        cmocka_unit_test(parse_any_never_cuts_at_nul),
        cmocka_unit_test(long_numbers_keep_their_value),
        cmocka_unit_test(members_are_typed),
        cmocka_unit_test(doubles_are_spelt_as_python_does),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(test_suite_must_pass),
        cmocka_unit_test(test_suite_must_fail),
        cmocka_unit_test(test_suite_choices),
        cmocka_unit_test(json_org_checker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
