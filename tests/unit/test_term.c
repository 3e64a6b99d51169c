/* What is drawn in characters has the width it says, in every locale. */
#include "curve.h"
#include "term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

static const struct term plain = { .width = 40 },
                         utf8 = { .shown = true, .colour = true, .utf8 = true, .width = 40 },
                         ascii = { .shown = true, .width = 40 };

static void assert_pad(const struct term *t, const char *text, size_t width, bool right,
                       const char *want)
{
    struct buf b = BUF_INIT;

    term_pad(&b, t, text, width, right);
    assert_string_equal(b.p, want);
    assert_int_equal(term_columns(b.p, b.n), width);
    buf_free(&b);
}

static void texts_have_their_width(void **unused)
{
    (void)unused;
    assert_int_equal(term_columns("abc", 3), 3);
    assert_int_equal(term_columns("\xe6\x97\xa5\xe6\x9c\xac", 6), 4);
    assert_int_equal(term_columns("e\xcc\x81", 3), 1);
    assert_pad(&utf8, "abc", 5, false, "abc  ");
    assert_pad(&utf8, "abc", 5, true, "  abc");
    assert_pad(&utf8, "abcdef", 4, false, "abc\xe2\x80\xa6");
    assert_pad(&ascii, "abcdef", 4, false, "abc~");
    assert_pad(&utf8, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, false,
               "\xe6\x97\xa5\xe2\x80\xa6 ");
    assert_pad(&utf8, "a\tb\x1b[0m", 12, false, "a\\tb\\u001b[\xe2\x80\xa6");
}

static void assert_bar(const struct term *t, double share, size_t width, const char *want)
{
    struct buf b = BUF_INIT;

    term_bar(&b, t, share, width);
    assert_string_equal(b.p, want);
    assert_int_equal(term_columns(b.p, b.n), width);
    buf_free(&b);
}

static void bars_are_as_long_as_their_share(void **unused)
{
    (void)unused;
    assert_bar(&ascii, 0.5, 8, "####    ");
    assert_bar(&ascii, 1, 4, "####");
    assert_bar(&ascii, 7, 4, "####");
    assert_bar(&ascii, NAN, 3, "   ");
    assert_bar(&ascii, -1, 3, "   ");
    assert_bar(&utf8, 0.5, 3, "\xe2\x96\x88\xe2\x96\x8c ");
    assert_bar(&utf8, 0.125, 1, "\xe2\x96\x8f");
    assert_bar(&utf8, 0.875, 1, "\xe2\x96\x89");
}

static void shades_need_colours(void **unused)
{
    struct buf b = BUF_INIT;

    (void)unused;
    term_shade(&b, &ascii, 1, "x");
    term_shade(&b, &plain, 1, "x");
    term_shade(&b, &utf8, 0, "x");
    assert_string_equal(b.p, "xxx");
    term_shade(&b, &utf8, 1, "x");
    assert_non_null(strstr(b.p, "\033[48;5;"));
    assert_non_null(strstr(b.p, "x\033[0m"));
    buf_free(&b);
}

/* No line is wider than the terminal; the lowest and the highest stand at the left. */
static void curves_fit(void **unused)
{
    double x[500], y[500];

    (void)unused;
    for (int i = 0; i < 500; i++) {
        x[i] = i + 1;
        y[i] = i % 7 ? 1 / (1 + i / 50.0) : NAN;
    }
    for (int width = 20; width < 120; width += 7)
        for (int is_utf8 = 0; is_utf8 < 2; is_utf8++) {
            const struct term t = { .shown = true, .utf8 = is_utf8, .width = width };
            struct buf b = BUF_INIT;
            int lines = 0;

            curve_text(&b, &t, "loss", "step", x, y, 500, 5);
            for (const char *p = b.p, *end; *p; p = end + 1, lines++) {
                end = strchr(p, '\n');
                assert_true(term_columns(p, (size_t)(end - p)) < (size_t)width);
            }
            assert_int_equal(lines, 7);
            buf_free(&b);
        }
}

static void a_line_goes_from_corner_to_corner(void **unused)
{
    static const double x[] = { 0, 1, 2 }, y[] = { 0, 1, 2 };
    const struct term t = { .shown = true, .width = 20 };
    struct buf b = BUF_INIT;

    (void)unused;
    curve_text(&b, &t, "loss", "step", x, y, 3, 3);
    assert_string_equal(b.p, "   loss\n"
                             "      2 |       ***\n"
                             "        |   ****\n"
                             "      0 |***\n"
                             "         step 0   2\n");
    buf_clear(&b);
    curve_text(&b, &t, "loss", "step", x, y, 1, 3);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_their_width),
        cmocka_unit_test(bars_are_as_long_as_their_share),
        cmocka_unit_test(shades_need_colours),
        cmocka_unit_test(curves_fit),
        cmocka_unit_test(a_line_goes_from_corner_to_corner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
