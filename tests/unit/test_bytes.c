/* UTF-8 and SHA-256 against their definitions. */
#include "sha256.h"
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

static bool is_scalar(uint32_t cp)
{
    return cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff);
}

static void every_scalar_value_comes_back(void **unused)
{
    (void)unused;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        char text[4];
        int len;

        if (!is_scalar(cp))
            continue;
        const int n = utf8_encode(cp, text);

        assert_int_equal(utf8_valid(text, (size_t)n), n);
        assert_int_equal(utf8_valid(text, (size_t)n - 1), 0);
        assert_int_equal(utf8_decode(text, &len), cp);
        assert_int_equal(len, n);
    }
}

/* What utf8_valid must say of up to three bytes, by decoding them the long way. */
static bool valid_by_definition(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        const size_t len = p[i] < 0x80 ? 1 : p[i] >> 5 == 6 ? 2 : p[i] >> 4 == 14 ? 3 : 9;
        uint32_t cp = len == 1 ? p[i] : len == 2 ? p[i] & 31u : p[i] & 15u;

        if (len > n - i)
            return false;
        for (size_t k = 1; k < len; k++) {
            if (p[i + k] >> 6 != 2)
                return false;
            cp = cp << 6 | (p[i + k] & 63u);
        }
        if ((len == 2 && cp < 0x80) || (len == 3 && cp < 0x800) || !is_scalar(cp))
            return false;
        i += len;
    }
    return true;
}

static void all_triples_of_bytes(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 1u << 24; i += 1 + (i >> 16 < 0xc0 ? 6 : 0)) {
        const unsigned char p[] = { (unsigned char)(i >> 16), (unsigned char)(i >> 8),
                                    (unsigned char)i };

        if ((utf8_valid((const char *)p, 3) == 3) != valid_by_definition(p, 3))
            fail_msg("%02x %02x %02x", p[0], p[1], p[2]);
    }
}

static void the_first_bad_byte_is_found(void **unused)
{
    char text[64];

    (void)unused;
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'x', sizeof text);
        text[at] = (char)0x80;
        assert_int_equal(utf8_valid(text, sizeof text), at);
    }
    assert_int_equal(utf8_valid("a\xf4\x90\x80\x80", 5), 1); /* above U+10FFFF */
    assert_int_equal(utf8_valid("a\xf0\x8f\xbf\xbf", 5), 1); /* overlong */
    assert_int_equal(utf8_valid("", 0), 0);
}

static void sha256_vectors(void **unused)
{
    uint8_t d[SHA256_BYTES], so_far[SHA256_BYTES];
    char hex[SHA256_HEX + 1];

    (void)unused;
    sha256_of("", 0, d);
    sha256_hex(d, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of("abc", 3, d);
    sha256_hex(d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct sha256 *s = sha256_new();

    sha256_add(s, "a", 1);
    sha256_peek(s, so_far);
    sha256_add(s, "bc", 2);
    sha256_peek(s, so_far);
    assert_memory_equal(so_far, d, sizeof d);
    sha256_done(s, so_far);
    assert_memory_equal(so_far, d, sizeof d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_value_comes_back),
        cmocka_unit_test(all_triples_of_bytes),
        cmocka_unit_test(the_first_bad_byte_is_found),
        cmocka_unit_test(sha256_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
