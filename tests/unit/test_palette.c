/* Colours are told apart, by all eyes, and stand out; ticks are round. */
#include "palette.h"
#include "ticks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

/* ---- colours ---- */

struct rgb {
    double c[3];
};

static struct rgb linear(uint32_t colour)
{
    struct rgb v;

    for (int i = 0; i < 3; i++) {
        const double s = (colour >> (16 - 8 * i) & 255) / 255.0;

        v.c[i] = s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4);
    }
    return v;
}

/* WCAG 2.1, "contrast ratio". */
static double contrast(uint32_t a, uint32_t b)
{
    double light[2];
    const uint32_t both[2] = { a, b };

    for (int i = 0; i < 2; i++) {
        const struct rgb v = linear(both[i]);

        light[i] = 0.2126 * v.c[0] + 0.7152 * v.c[1] + 0.0722 * v.c[2] + 0.05;
    }
    return light[0] > light[1] ? light[0] / light[1] : light[1] / light[0];
}

/* How eyes without one kind of cone see: Machado, Oliveira, Fernandes 2009, severity 1.0. */
static const double eyes[4][3][3] = {
    { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } },
    { { 0.152286, 1.052583, -0.204868 },
      { 0.114503, 0.786281, 0.099216 },
      { -0.003882, -0.048116, 1.051998 } },
    { { 0.367322, 0.860646, -0.227968 },
      { 0.280085, 0.672501, 0.047413 },
      { -0.011820, 0.042940, 0.968881 } },
    { { 1.255528, -0.076749, -0.178779 },
      { -0.078411, 0.930809, 0.147602 },
      { 0.004733, 0.691367, 0.303900 } },
};

static double lab_root(double t)
{
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

/* CIE L*a*b* under D65. */
static struct rgb seen(uint32_t colour, int eye)
{
    static const double xyz[3][3] = { { 0.4124, 0.3576, 0.1805 },
                                      { 0.2126, 0.7152, 0.0722 },
                                      { 0.0193, 0.1192, 0.9505 } };
    static const double white[3] = { 0.95047, 1, 1.08883 };
    const struct rgb v = linear(colour);
    double through[3], f[3];

    for (int i = 0; i < 3; i++) {
        const double *m = eyes[eye][i];

        through[i] = fmin(1, fmax(0, m[0] * v.c[0] + m[1] * v.c[1] + m[2] * v.c[2]));
    }
    for (int i = 0; i < 3; i++)
        f[i] = lab_root((xyz[i][0] * through[0] + xyz[i][1] * through[1] + xyz[i][2] * through[2]) /
                        white[i]);
    return (struct rgb){ { 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2]) } };
}

static double difference(uint32_t a, uint32_t b, int eye)
{
    const struct rgb p = seen(a, eye), q = seen(b, eye);

    return hypot(hypot(p.c[0] - q.c[0], p.c[1] - q.c[1]), p.c[2] - q.c[2]);
}

static uint32_t series(int i, bool dark)
{
    return palette_colour((enum palette)(PALETTE_SERIES + i), dark);
}

static void colours_stand_out(void **unused)
{
    (void)unused;
    assert_true(fabs(contrast(0x000000, 0xffffff) - 21) < 1e-9);
    for (int dark = 0; dark < 2; dark++) {
        const uint32_t paper = palette_colour(PALETTE_PAPER, dark),
                       ink = palette_colour(PALETTE_INK, dark);

        for (int i = 0; i < PALETTE_SERIES_N; i++)
            assert_true(contrast(series(i, dark), paper) >= 3);
        assert_true(contrast(ink, paper) >= 7);
        assert_true(contrast(palette_colour(PALETTE_MUTED, dark), paper) >= 4.5);
        assert_true(contrast(ink, palette_colour(PALETTE_HEAT, dark)) >= 4.5);
    }
}

/* 2.3 is what an eye can just tell; lines that cross need more. */
static void series_differ_for_all_eyes(void **unused)
{
    (void)unused;
    for (int dark = 0; dark < 2; dark++)
        for (int eye = 0; eye < 4; eye++)
            for (int i = 0; i < PALETTE_SERIES_N; i++)
                for (int k = 0; k < i; k++)
                    assert_true(difference(series(i, dark), series(k, dark), eye) > 30);
}

static void page_and_picture_have_the_same_colours(void **unused)
{
    struct buf variables = BUF_INIT, page = BUF_INIT, alone = BUF_INIT;

    (void)unused;
    palette_variables(&variables);
    palette_rules(&page, false);
    palette_rules(&alone, true);
    assert_non_null(strstr(variables.p, "--s0:#0e51c3;"));
    assert_non_null(strstr(page.p, ".pic-l0{stroke:var(--s0)}"));
    assert_null(strstr(page.p, "#"));
    assert_non_null(strstr(alone.p, ".pic-l0{stroke:#0e51c3}"));
    assert_null(strstr(alone.p, "var("));
    buf_free(&variables);
    buf_free(&page);
    buf_free(&alone);
}

/* ---- ticks ---- */

static void assert_ticks(double low, double high, int wanted, bool whole, bool percent,
                         const char *want)
{
    struct ticks t;
    struct buf b = BUF_INIT;

    ticks_make(&t, low, high, wanted, whole);
    for (int i = 0; i < t.n; i++) {
        if (i)
            buf_putc(&b, ' ');
        ticks_print(&b, &t, t.at[i], percent);
    }
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void ticks_are_round(void **unused)
{
    (void)unused;
    assert_ticks(0, 1, 5, false, false, "0 0.2 0.4 0.6 0.8 1.0");
    assert_ticks(0.13, 0.94, 5, false, false, "0.2 0.4 0.6 0.8");
    assert_ticks(0, 1, 5, false, true, "0 20 40 60 80 100");
    assert_ticks(0.9, 0.91, 5, false, true, "90.0 90.2 90.4 90.6 90.8 91.0");
    assert_ticks(1, 448, 5, true, false, "100 200 300 400");
    assert_ticks(0, 3, 7, true, false, "0 1 2 3");
    assert_ticks(-3, 3, 3, false, false, "-2 0 2");
    assert_ticks(0, 2e-4, 5, false, false, "0 5e-5 1.0e-4 1.5e-4 2.0e-4");
    assert_ticks(0, 3e9, 3, false, false, "0 1e9 2e9 3e9");
}

static void a_range_goes_to_ticks(void **unused)
{
    double low = 0.13, high = 2.47;

    (void)unused;
    ticks_widen(&low, &high, 5, false);
    assert_true(low == 0 && fabs(high - 2.5) < 1e-12);
    low = high = 0.7;
    ticks_widen(&low, &high, 5, false);
    assert_true(low < 0.7 && high > 0.7);
    low = high = 0;
    ticks_widen(&low, &high, 5, false);
    assert_true(low == -1 && high == 1);
}

/* Of any range: at least one tick, ascending, inside. */
static void ticks_of_any_range(void **unused)
{
    static const double ends[] = { -1.7e308, -1e300, -1e15 - 1,  -1e15,  -7.3,     -1,    -1e-300,
                                   -5e-324,  0,      5e-324,     1e-300, 1e-9,     0.1,   1,
                                   2.5,      1e6,    1e6 + 1e-3, 1e15,   1e15 + 1, 1e300, 1.7e308 };
    const int n = sizeof ends / sizeof *ends;

    (void)unused;
    for (int i = 0; i < n; i++)
        for (int k = i; k < n; k++)
            for (int wanted = 2; wanted <= TICKS_MAX / 2; wanted++) {
                struct ticks t;
                double low = ends[i], high = ends[k];

                ticks_widen(&low, &high, wanted, false);
                assert_true(isfinite(low) && isfinite(high) && low < high);
                assert_true(low <= ends[i] && high >= ends[k]);
                ticks_make(&t, low, high, wanted, wanted % 2);
                assert_true(t.n >= 1 && t.n <= TICKS_MAX);
                for (int j = 1; j < t.n; j++)
                    assert_true(t.at[j] > t.at[j - 1]);
                assert_true(isfinite(t.at[0]) && isfinite(t.at[t.n - 1]));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_stand_out),
        cmocka_unit_test(series_differ_for_all_eyes),
        cmocka_unit_test(page_and_picture_have_the_same_colours),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(a_range_goes_to_ticks),
        cmocka_unit_test(ticks_of_any_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
