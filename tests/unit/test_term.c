/* What is drawn in characters has the width it says, in every locale. */
#include "curve.h"
#include "term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct term plain = { .width = 40 },
                         utf8 = { .shown = true, .colour = true, .utf8 = true, .width = 40 },
                         ascii = { .shown = true, .width = 40 };

/* What term_of says of a terminal of 40 columns, under one more setting. */
static struct term of_terminal(const char *name, const char *value)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    const struct winsize size = { .ws_row = 24, .ws_col = 40 };
    struct term t;

    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);

    assert_true(terminal >= 0 && ioctl(terminal, TIOCSWINSZ, &size) == 0);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(setenv("LC_ALL", "de_DE.UTF-8", 1), 0);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    assert_int_equal(setenv(name, value, 1), 0);
    term_of(&t, terminal);
    (void)close(terminal);
    (void)close(master);
    return t;
}

static void settings_are_respected(void **unused)
{
    struct term t = of_terminal("NO_COLOR", "");
    int ends[2];

    (void)unused;
    assert_true(t.shown && t.colour && t.utf8 && t.width == 40);
    t = of_terminal("NO_COLOR", "1");
    assert_true(t.shown && !t.colour);
    t = of_terminal("TERM", "dumb");
    assert_true(!t.shown && !t.colour);
    t = of_terminal("TERM", "");
    assert_false(t.shown);
    t = of_terminal("LC_ALL", "C");
    assert_true(t.shown && !t.utf8);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    term_of(&t, ends[1]);
    assert_true(!t.shown && !t.colour);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

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
        cmocka_unit_test(settings_are_respected),
        cmocka_unit_test(texts_have_their_width),
        cmocka_unit_test(bars_are_as_long_as_their_share),
        cmocka_unit_test(shades_need_colours),
        cmocka_unit_test(curves_fit),
        cmocka_unit_test(a_line_goes_from_corner_to_corner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
