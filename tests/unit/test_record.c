/* Items and records: deterministic encoding, what is refused, bytes that pass through untouched. */
#include "item.h"
#include "record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What record_append makes of R, the caller's to free. */
static struct buf encoded(struct record *r)
{
    struct buf b = BUF_INIT;

    record_append(r, &b);
    return b;
}

static void put_is(enum item_kind kind, uint64_t u, const char *want, size_t n)
{
    struct buf b = BUF_INIT;

    item_put(&b, kind, u);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.p, want, n);
    buf_free(&b);
}

static void double_is(double v, const char *want, size_t n)
{
    struct buf b = BUF_INIT;

    item_put_double(&b, v);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.p, want, n);
    buf_free(&b);
}

/* RFC 8949 appendix A. */
static void shortest_encodings(void **unused)
{
    (void)unused;
    put_is(ITEM_UINT, 23, "\x17", 1);
    put_is(ITEM_UINT, 24, "\x18\x18", 2);
    put_is(ITEM_UINT, 1000, "\x19\x03\xe8", 3);
    put_is(ITEM_UINT, 1000000, "\x1a\x00\x0f\x42\x40", 5);
    put_is(ITEM_UINT, UINT64_MAX, "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    put_is(ITEM_NEGINT, 99, "\x38\x63", 2);
    put_is(ITEM_TAG, 55799, "\xd9\xd9\xf7", 3);
    double_is(0.0, "\xf9\x00\x00", 3);
    double_is(-0.0, "\xf9\x80\x00", 3);
    double_is(1.5, "\xf9\x3e\x00", 3);
    double_is(65504.0, "\xf9\x7b\xff", 3);
    double_is(65505.0, "\xfa\x47\x7f\xe1\x00", 5);
    double_is(5.960464477539063e-8, "\xf9\x00\x01", 3);
    double_is(0.00006103515625, "\xf9\x04\x00", 3);
    double_is(-4.0, "\xf9\xc4\x00", 3);
    double_is(3.4028234663852886e+38, "\xfa\x7f\x7f\xff\xff", 5);
    double_is(1.1, "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", 9);
    double_is(1e300, "\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", 9);
    double_is((double)INFINITY, "\xf9\x7c\x00", 3);
    double_is(-(double)INFINITY, "\xf9\xfc\x00", 3);
    double_is((double)NAN, "\xf9\x7e\x00", 3);
    double_is(3e-8, "\xfb\x3e\x60\x1b\x2b\x29\xa4\x69\x2b", 9); /* under the smallest half */
}

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void whole_is(int rc, const uint8_t *p, size_t n)
{
    struct item first;
    size_t len = 0;

    assert_int_equal(item_whole(&first, &len, p, n), rc);
    if (rc == 1)
        assert_int_equal(len, n);
}

static void items_that_are_refused(void **unused)
{
    uint8_t deep[ITEM_DEPTH_MAX + 2];

    (void)unused;
    whole_is(1, BYTES("\x82\x01\xa1\x61\x61\xd8\x45\x42\x01\x00"));
    whole_is(-1, BYTES("\x5f\x41\x00\xff")); /* indefinite: bytes, text, array, map */
    whole_is(-1, BYTES("\x7f\x61\x61\xff"));
    whole_is(-1, BYTES("\x9f\xff"));
    whole_is(-1, BYTES("\xbf\xff"));
    whole_is(-1, BYTES("\xff")); /* break alone */
    whole_is(-1, BYTES("\xe0")); /* a simple value without meaning */
    whole_is(-1, BYTES("\xf8\x20"));
    whole_is(-1, BYTES("\xf8"));
    whole_is(1, BYTES("\xc6\x01"));  /* a tag without a meaning has none here, either */
    whole_is(-1, BYTES("\x1c"));     /* reserved */
    whole_is(-1, BYTES("\x61\xff")); /* no UTF-8 */
    whole_is(-1, BYTES("\x5b\xff\xff\xff\xff\xff\xff\xff\xff")); /* lengths that wrap around */
    whole_is(-1, BYTES("\x5b\xff\xff\xff\xff\xff\xff\xff\xf8"));
    whole_is(-1, BYTES("\x5b\x00\x00\x00\x00\x10\x00\x00\x00"));
    whole_is(-1, BYTES("\xbb\x80\x00\x00\x00\x00\x00\x00\x00"));
    whole_is(-1, BYTES("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"));
    whole_is(0, BYTES("\x5a\x00\x00\x10\x00")); /* more to come */
    whole_is(0, BYTES("\x82\x01"));
    whole_is(0, BYTES(""));
    memset(deep, 0x81, sizeof deep);
    deep[ITEM_DEPTH_MAX] = 0;
    whole_is(1, deep, ITEM_DEPTH_MAX + 1);
    deep[ITEM_DEPTH_MAX] = 0x81;
    deep[ITEM_DEPTH_MAX + 1] = 0;
    whole_is(-1, deep, ITEM_DEPTH_MAX + 2);
}

static void parse_is(int rc, const char *error, const uint8_t *p, size_t n)
{
    struct record *r = record_new();
    size_t len = 0;

    assert_int_equal(record_parse(r, p, n, &len, 0), rc);
    if (error)
        assert_non_null(strstr(err_text(), error));
    record_free(r);
}

static void records_that_are_refused(void **unused)
{
    (void)unused;
    parse_is(1, NULL, BYTES("\xa0"));
    parse_is(1, NULL, BYTES("\xa2\x61\x62\x01\x61\x61\x02")); /* any order */
    parse_is(-1, "field 'a' is there twice", BYTES("\xa2\x61\x61\x01\x61\x61\x02"));
    parse_is(-1, "field 'b' is there twice", BYTES("\xa3\x61\x62\x01\x61\x61\x02\x61\x62\x03"));
    parse_is(-1, "name is empty", BYTES("\xa2\x61\x61\x01\x60\x01"));
    parse_is(1, NULL, BYTES("\xa2\x60\x01\x61\x61\x01")); /* an end map, perhaps */
    parse_is(-1, "must be a text", BYTES("\xa1\x01\x01"));
    parse_is(-1, "an array where a record should be", BYTES("\x81\x01"));
    parse_is(-1, "more than 1024 fields", BYTES("\xb9\x04\x01"));
    parse_is(-1, "field 'a': a uint16 array must be",
             BYTES("\xa1\x61\x61\xd8\x45\x43\x00\x00\x00"));
    parse_is(-1, "field 'a': a uint16 array must be", BYTES("\xa1\x61\x61\xd8\x45\x01"));
    parse_is(-1, "field 'a': an indefinite", BYTES("\xa1\x61\x61\x9f\xff"));
    parse_is(0, NULL, BYTES("\xa1\x61\x61"));
}

static void untouched_bytes_pass(void **unused)
{
    /* b: 1 in two bytes; ccc: a map out of order; a: half 1.5 as a double */
    static const char in[] = "\xa3"
                             "\x61"
                             "b"
                             "\x18\x01"
                             "\x63"
                             "ccc"
                             "\xa2\x61z\x01\x61"
                             "a\x02"
                             "\x61"
                             "a"
                             "\xfb\x3f\xf8\0\0\0\0\0\0";
    static const char out[] = "\xa4"
                              "\x61"
                              "a"
                              "\xfb\x3f\xf8\0\0\0\0\0\0"
                              "\x61"
                              "b"
                              "\x18\x01"
                              "\x62"
                              "id"
                              "\x07"
                              "\x63"
                              "ccc"
                              "\xa2\x61z\x01\x61"
                              "a\x02";
    struct record *r = record_new();
    size_t n;

    (void)unused;
    assert_int_equal(record_parse(r, BYTES(in), &n, 3), 1);
    assert_int_equal(n, sizeof in - 1);
    assert_string_equal(record_name(r), "#3");
    struct record *copy = record_new();

    (void)record_copy(copy, r);
    assert_int_equal(record_count(copy), record_count(r));
    assert_string_equal(record_name(copy), "#3");
    record_remove(copy, "ccc");
    record_remove(copy, "ccc");
    assert_null(record_find(copy, "ccc"));
    assert_int_equal(record_count(copy), record_count(r) - (record_find(r, "ccc") != NULL));
    record_free(copy);
    record_set_uint(r, "id", 1000);
    record_set_uint(r, "id", 7);
    assert_string_equal(record_name(r), "7");
    struct buf b = encoded(r);

    assert_int_equal(b.n, sizeof out - 1);
    assert_memory_equal(b.p, out, b.n);
    buf_free(&b);
    record_free(r);
}

/* KEY gets VALUE, and between its end and the end of the field before nothing else may lie. */
static void check_end(const uint8_t *in, size_t len, const char *key, const char *value)
{
    struct record *r = record_new();
    struct buf want = BUF_INIT;
    size_t used;

    assert_int_equal(record_parse(r, in, len, &used, 0), 1);
    record_set_text(r, key, value, strlen(value));
    struct buf got = encoded(r);
    const struct field *f = record_find(r, key);
    const size_t end = record_end_of(r, f);

    item_put_key(&want, key);
    item_put_key(&want, value);
    assert_true(end >= want.n && end <= got.n);
    assert_memory_equal(got.p + end - want.n, want.p, want.n);
    assert_int_equal(record_end_of(r, record_at(r, record_count(r) - 1)), got.n);
    buf_free(&want);
    buf_free(&got);
    record_free(r);
}

static void a_field_is_found_in_the_bytes(void **unused)
{
    static const char first[] = "\xa1\x66source\x07", last[] = "\xa2\x62id\x01\x64text\x61t",
                      middle[] = "\xa2\x65label\x61x\x65topic\x02",
                      replaced[] = "\xa3\x62id\x01\x65split\x82\x01\x02\x66source\x07",
                      unsorted[] = "\xa3\x66source\x07\x65split\x61x\x62id\x01",
                      long_head[] = "\xa2\x78\x02id\x01\x66source\x07", none[] = "\xa0";

    (void)unused;
    check_end(BYTES(first), "split", "train");
    check_end(BYTES(last), "split", "eval");
    check_end(BYTES(middle), "split", "test");
    check_end(BYTES(replaced), "split", "train");
    check_end(BYTES(unsorted), "split", "");
    check_end(BYTES(long_head), "split", "a value that is longer than a head of one byte");
    check_end(BYTES(none), "split", "test");
}

/* Heads of keys are made the shortest ones, and what the values say is read where they are then. */
static void long_heads_of_keys_are_cut(void **unused)
{
    static const char in[] = "\xa2\x78\x02id\x01\x79\x00\x04text\x63xyz",
                      out[] = "\xa2\x62id\x01\x64text\x63xyz";
    struct record *r = record_new();
    const char *text;
    size_t n;

    (void)unused;
    assert_int_equal(record_parse(r, BYTES(in), &n, 0), 1);
    assert_int_equal(n, sizeof in - 1);
    assert_int_equal(record_get_text(r, "text", &text, &n), 1);
    assert_int_equal(n, 3);
    assert_memory_equal(text, "xyz", n);
    struct buf b = encoded(r);

    assert_int_equal(b.n, sizeof out - 1);
    assert_memory_equal(b.p, out, b.n);
    buf_free(&b);
    record_free(r);
}

static void too_many_fields_are_refused(void **unused)
{
    struct record *r = record_new();
    char key[24];
    size_t n;

    (void)unused;
    for (int i = 0; i < RECORD_FIELDS_MAX; i++) {
        (void)snprintf(key, sizeof key, "field %d", i);
        record_set_uint(r, key, 1);
    }
    assert_int_equal(record_fits(r, &n), 0);
    record_set_uint(r, "id", 12);
    assert_int_equal(record_fits(r, &n), -1);
    assert_non_null(strstr(err_text(), "more than 1024 fields"));
    record_free(r);
}

static void large_records_are_refused(void **unused)
{
    const size_t around = 1 + 2 + 5; /* the map's head, the key "a", the text's head */
    char *text = xcalloc(ITEM_BYTES_MAX, 1);
    struct record *r = record_new();
    size_t n;

    (void)unused;
    record_set_text(r, "a", text, ITEM_BYTES_MAX - around);
    assert_int_equal(record_fits(r, &n), 0);
    assert_int_equal(n, ITEM_BYTES_MAX);
    record_set_text(r, "a", text, ITEM_BYTES_MAX - around + 1);
    assert_int_equal(record_fits(r, &n), -1);
    assert_string_equal(err_text(), "larger than 64 MiB");
    free(text);
    record_free(r);
}

static void values_come_back(void **unused)
{
    static const uint32_t ids[] = { 0, 65535, 70000 };
    static const float f[] = { 0.1f, -0.0f, 1e-45f };
    struct record *a = record_new(), *b = record_new();
    const uint32_t *got;
    const float *gotf;
    const char *text;
    uint64_t u;
    size_t n, len;

    (void)unused;
    record_set_ids(a, "wide", ids, 3, true);
    record_set_ids(a, "ids", ids, 2, false);
    record_set_f32(a, "scores", f, 3);
    record_set_ids(a, "none", NULL, 0, false);
    record_set_text(a, "text", "a\0b", 3);
    record_set_raw(a, "neg", 3, (const uint8_t *)"\x39\x01\x2b", 3);
    record_set_uint(a, "pos", 5);
    record_set_float(a, "loss", 0.1);
    struct buf bytes = encoded(a);

    assert_int_equal(record_parse(b, (const uint8_t *)bytes.p, bytes.n, &len, 0), 1);
    assert_int_equal(record_get_ids(b, "wide", &got, &n), 1);
    assert_int_equal(n, 3);
    assert_memory_equal(got, ids, sizeof ids);
    assert_int_equal(record_get_ids(b, "ids", &got, &n), 1);
    assert_int_equal(n, 2);
    assert_memory_equal(got, ids, 2 * sizeof *ids);
    assert_int_equal(record_get_ids(b, "none", &got, &n), 1);
    assert_int_equal(n, 0);
    assert_int_equal(record_get_f32(b, "scores", &gotf, &n), 1);
    assert_int_equal(n, 3);
    assert_memory_equal(gotf, f, sizeof f);
    assert_int_equal(record_get_text(b, "text", &text, &n), 1);
    assert_int_equal(n, 3);
    assert_memory_equal(text, "a\0b", 3);
    assert_int_equal(record_find(b, "neg")->u, 299);
    assert_true(record_find(b, "loss")->f == 0.1);
    assert_int_equal(record_get_uint(b, "pos", &u), 1);
    assert_int_equal(u, 5);
    assert_int_equal(record_get_uint(b, "absent", &u), 0);
    assert_int_equal(record_get_uint(b, "text", &u), -1);
    assert_string_equal(err_text(), "field 'text' is a text; it should be an unsigned integer");
    assert_int_equal(record_find(b, "wide")->type, ITEM_U32);
    assert_int_equal(record_find(b, "neg")->type, ITEM_NEGINT);
    buf_free(&bytes);
    record_free(a);
    record_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shortest_encodings),
        cmocka_unit_test(items_that_are_refused),
        cmocka_unit_test(records_that_are_refused),
        cmocka_unit_test(untouched_bytes_pass),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(a_field_is_found_in_the_bytes),
        cmocka_unit_test(long_heads_of_keys_are_cut),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(large_records_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
