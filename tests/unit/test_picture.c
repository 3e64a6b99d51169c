/* Pictures: what comes out is XML without anything that data could have brought in, whatever the
 * values. */
#include "heat.h"
#include "markup.h"
#include "palette.h"
#include "plot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A parser that is not ours: elements and attributes are those that pictures have, ids are there
 * once, all texts begin inside, and no position is no number. */
static const char reader[] =
    "python3 -c 'import re, sys, xml.etree.ElementTree as E\n"
    "root = E.fromstring(sys.stdin.buffer.read())\n"
    "width, height = map(float, root.get(\"viewBox\").split()[2:])\n"
    "names = {e.tag.split(\"}\")[1] for e in root.iter()}\n"
    "known = \"svg title desc style rect path text g clipPath\".split()\n"
    "assert names <= set(known), names\n"
    "ids = [e.get(\"id\") for e in root.iter() if e.get(\"id\")]\n"
    "assert len(ids) == len(set(ids)), ids\n"
    "for e in root.iter():\n"
    "    for k, v in e.items():\n"
    "        assert k in (\"class role viewBox aria-labelledby id d x y width height transform \"\n"
    "                     \"text-anchor fill-opacity clip-path\").split(), k\n"
    "        assert k == \"id\" or not re.search(\"nan|inf|<\", v), (k, v)\n"
    "    if e.get(\"x\"):\n"
    "        assert 0 <= float(e.get(\"x\")) <= width and 0 <= float(e.get(\"y\")) <= height, "
    "e.items()\n"
    "assert root[0].tag.endswith(\"title\") and root.get(\"role\") == \"img\"\n"
    "'";

static void assert_sound(const struct buf *b)
{
    FILE *f = popen(reader, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
    assert_int_equal(pclose(f), 0);
}

static size_t count(const char *in, const char *what)
{
    size_t n = 0;

    for (const char *p = in; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* ---- markup ---- */

static void assert_markup(const char *text, size_t n, size_t max, const char *want)
{
    struct buf b = BUF_INIT;

    buf_puts(&b, "");
    (void)markup_text(&b, text, n, max);
    assert_string_equal(b.n ? b.p : "", want);
    buf_free(&b);
}

static void text_is_data(void **unused)
{
    (void)unused;
    assert_markup("<script>\"a\" & 'b'</script>", 26, 0,
                  "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
    assert_markup("a\0b\x1b[31m\x7f\r", 10, 0, "a\\u0000b\\u001b[31m\\u007f\\u000d");
    assert_markup("tab\tline\n", 9, 0, "tab\tline\n");
    assert_markup("\xe2\x80\xae"
                  "abc\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c",
                  14, 0, "\\u202eabc\\u2066\\u200f\\u061c");
    assert_markup("\xff\xc3(\xed\xa0\x80", 6, 0,
                  "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_markup("\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbe", 10, 0,
                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_markup("caf\xc3\xa9 \xf0\x9f\x98\x80", 10, 0, "caf\xc3\xa9 \xf0\x9f\x98\x80");
}

static void text_is_cut_between_code_points(void **unused)
{
    (void)unused;
    assert_markup("abcd", 4, 4, "abcd");
    assert_markup("abcde", 5, 4, "abc\xe2\x80\xa6");
    assert_markup("a&&&&", 5, 3, "a&amp;\xe2\x80\xa6");
    assert_markup("\xc3\xa9\xc3\xa9\xc3\xa9", 6, 2, "\xc3\xa9\xe2\x80\xa6");
    assert_markup("ab", 2, 1, "\xe2\x80\xa6");
    assert_markup("", 0, 1, "");
}

static void every_code_point_is_well_formed(void **unused)
{
    struct buf b = BUF_INIT;
    static char text[4 * 0x300 + 6 * 256];
    size_t n = 0;

    (void)unused;
    for (int c = 0; c < 256; c++)
        text[n++] = (char)c; /* no UTF-8 beyond ASCII */
    for (int c = 0x80; c < 0x300; c++) {
        text[n++] = (char)(0xc0 | c >> 6);
        text[n++] = (char)(0x80 | (c & 0x3f));
    }
    buf_puts(&b, "<svg role=\"img\" viewBox=\"0 0 1 1\" id=\"");
    (void)markup_text(&b, text, n, 0);
    buf_puts(&b, "\"><title>");
    (void)markup_text(&b, text, n, 0);
    buf_puts(&b, "</title></svg>");
    /* the namespace that the reader takes off */
    struct buf whole = BUF_INIT;

    buf_puts(&whole, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    assert_true(strstr(b.p, "nan") == NULL);
    buf_add(&whole, b.p + 4, b.n - 4);
    assert_sound(&whole);
    buf_free(&whole);
    buf_free(&b);
}

static void numbers_are_short(void **unused)
{
    static const struct {
        double v;
        const char *want;
    } cases[] = { { 0, "0" },        { -0.001, "0" },        { 12.5, "12.5" }, { -3, "-3" },
                  { 1.005, "1" },    { 0.126, "0.13" },      { 0.05, "0.05" }, { -0.05, "-0.05" },
                  { 99.999, "100" }, { 1e300, "1000000000" } };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;

        markup_number(&b, cases[i].v);
        if (cases[i].v != 1.005) /* in binary a little less, or more */
            assert_string_equal(b.p, cases[i].want);
        buf_free(&b);
    }
}

/* ---- plots ---- */

static const char hostile[] =
    "<script>alert(\"x\")</script>&'\xff\x01\xe2\x80\xae]]>--\xef\xbf\xbe";

static void draw(struct buf *b, const double *x, const double *y, size_t n, enum plot_mark mark)
{
    const struct plot_series s = { .name = "values", .mark = mark, .n = n, .x = x, .y = y };
    const struct plot p = { .id = "p",
                            .title = "title",
                            .x = { .name = "x" },
                            .y = { .name = "y" },
                            .series = &s,
                            .n = 1 };

    plot_svg(b, &p, true);
    assert_sound(b);
}

static void any_values_make_a_picture(void **unused)
{
    static const double one[] = { 5 }, none[] = { NAN }, equal[] = { 0.7, 0.7, 0.7 },
                        wide[] = { 1e-300, 1e300, -1e300, NAN, 3, INFINITY, -INFINITY, 1e299 },
                        widest[] = { -1.7e308, 1.7e308 }, tiny[] = { 1e-300, 2e-300 },
                        least[] = { 0, 5e-324 }, close[] = { 1e15, 1e15 + 1 }, zero[] = { 0, 0 },
                        down[] = { 3, 2, 1 };
    const struct {
        const double *v;
        size_t n;
    } cases[] = { { NULL, 0 }, { one, 1 },   { none, 1 },  { equal, 3 }, { wide, 8 }, { widest, 2 },
                  { tiny, 2 }, { least, 2 }, { close, 2 }, { zero, 2 },  { down, 3 } };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int mark = 0; mark <= PLOT_BARS; mark++) {
            struct buf b = BUF_INIT;

            draw(&b, i % 2 ? NULL : cases[i].v, cases[i].v, cases[i].n, (enum plot_mark)mark);
            buf_free(&b);
        }
}

static void no_number_breaks_a_line(void **unused)
{
    static const double y[] = { 1, 2, NAN, 3, 4, INFINITY, 5 };
    struct buf b = BUF_INIT;

    (void)unused;
    draw(&b, NULL, y, 7, PLOT_LINE);
    const char *const line = strstr(strstr(b.p, "<g clip-path"), "pic-line");
    const char *const d = strstr(line, " d=\"") + 4;
    struct buf path = BUF_INIT;

    buf_add(&path, d, strcspn(d, "\""));
    assert_int_equal(count(path.p, "M"), 3);
    assert_int_equal(count(path.p, "L"), 2);
    assert_non_null(strstr(line, "<path class=\"pic-f0\"")); /* the point that stands alone */
    buf_free(&path);
    buf_free(&b);
}

/* All the points of a line's path lie within the picture's range, and its extremes are in it. */
static void a_long_line_is_thin_and_the_same(void **unused)
{
    enum { N = 200000, SPIKE = 123456 };
    double *y = xnmalloc(N, sizeof *y);
    struct buf b = BUF_INIT, again = BUF_INIT;
    const char *d;
    double lowest = INFINITY, highest = -INFINITY;

    (void)unused;
    for (size_t i = 0; i < N; i++)
        y[i] = (double)(i * 7919 % 1000) / 1000;
    y[SPIKE] = 4;
    y[SPIKE + 1] = -2;
    draw(&b, NULL, y, N, PLOT_LINE);
    draw(&again, NULL, y, N, PLOT_LINE);
    assert_string_equal(b.p, again.p);
    assert_true(b.n < 60000);
    d = strstr(strstr(strstr(b.p, "<g clip-path"), "pic-line"), " d=\"") + 4;
    for (const char *end; *d != '"'; d = end) {
        char *after;

        (void)strtod(d + 1, &after);
        const double at = strtod(after, &after);

        lowest = fmin(lowest, at);
        highest = fmax(highest, at);
        end = after;
    }
    /* the axis goes from -2 to 4, so that the spike touches both edges */
    const char *const clip = strstr(b.p, "pic-clip");
    const double top = strtod(strstr(clip, " y=\"") + 4, NULL) + 4;
    const double height = strtod(strstr(clip, " height=\"") + 9, NULL) - 8;

    assert_true(fabs(lowest - top) < 0.02 && fabs(highest - top - height) < 0.02);
    buf_free(&b);
    buf_free(&again);
    free(y);
}

static void names_are_data(void **unused)
{
    const char *const categories[] = { hostile, "", "plain", hostile };
    static const double y[] = { 0.1, 0.5, 0.9, 1 }, low[] = { 0, 0.4, 0.8, NAN },
                        high[] = { 0.2, 0.6, 1, 1 };
    const struct plot_series s[] = {
        { .name = hostile,
          .mark = PLOT_BARS,
          .n = 4,
          .y = y,
          .low = low,
          .high = high,
          .label = categories },
        { .name = hostile, .mark = PLOT_LINE_POINTS, .n = 4, .y = y, .right = true },
    };
    const struct plot p = {
        .id = "names",
        .title = hostile,
        .note = hostile,
        .x = { .name = hostile, .unit = hostile, .category = categories, .n_category = 4 },
        .y = { .name = hostile, .unit = hostile, .percent = true },
        .right = { .name = hostile },
        .series = s,
        .n = 2,
        .diagonal = true,
    };
    struct buf alone = BUF_INIT, inside = BUF_INIT;

    (void)unused;
    plot_svg(&alone, &p, true);
    assert_sound(&alone);
    assert_null(strstr(alone.p, "<script"));
    plot_svg(&inside, &p, false);
    assert_sound(&inside);
    assert_null(strstr(inside.p, "<style")); /* the page has it */
    assert_null(strstr(inside.p, "<?xml"));
    buf_free(&alone);
    buf_free(&inside);
}

static void many_whiskers_are_a_band(void **unused)
{
    enum { N = 1000 };
    static double y[N], low[N], high[N];
    const struct plot_series s = {
        .mark = PLOT_LINE_POINTS, .n = N, .y = y, .low = low, .high = high
    };
    const struct plot p = { .id = "band", .title = "t", .series = &s, .n = 1 };
    struct buf b = BUF_INIT;

    (void)unused;
    for (int i = 0; i < N; i++) {
        y[i] = sin(i / 100.0);
        low[i] = i % 300 ? y[i] - 1 : NAN;
        high[i] = y[i] + 1;
    }
    plot_svg(&b, &p, true);
    assert_sound(&b);
    assert_non_null(strstr(b.p, "<path class=\"pic-band pic-f0\""));
    assert_true(b.n < 60000);
    buf_free(&b);
}

/* ---- matrices ---- */

static void matrices_of_any_size(void **unused)
{
    enum { MOST = 100 };
    static int64_t counts[MOST * MOST];
    static const char *names[MOST];
    char *long_name = xmalloc(301);
    static const size_t sizes[] = { 0, 1, 2, 3, 7, 30, MOST };

    (void)unused;
    memset(long_name, 'W', 300);
    long_name[300] = '\0';
    for (size_t i = 0; i < MOST; i++)
        names[i] = i % 3 == 0 ? long_name : i % 3 == 1 ? hostile : "label";
    for (size_t i = 0; i < MOST * MOST; i++)
        counts[i] = i % 101 == 0 ? 123456789 : i % 7 == 0 ? (int64_t)i : 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const struct heat h = { .id = "h",
                                .title = hostile,
                                .note = hostile,
                                .rows_name = hostile,
                                .columns_name = "predicted",
                                .n_rows = sizes[k],
                                .n_columns = sizes[k] ? sizes[k] + (k % 2) * (sizes[k] < MOST) : 0,
                                .row = names,
                                .column = names,
                                .count = counts };
        struct buf b = BUF_INIT;

        heat_svg(&b, &h, true);
        assert_sound(&b);
        assert_true(b.n < 1000000);
        buf_free(&b);
    }
    free(long_name);
}

static void cells_say_count_and_share(void **unused)
{
    static const int64_t counts[] = { 3, 1, 0, 0 };
    static const char *const names[] = { "up", "down" };
    const struct heat h = { .id = "h",
                            .title = "t",
                            .n_rows = 2,
                            .n_columns = 2,
                            .row = names,
                            .column = names,
                            .count = counts };
    struct buf b = BUF_INIT;

    (void)unused;
    heat_svg(&b, &h, false);
    assert_non_null(strstr(b.p, "up → up: 3, 75.0 %</title>"));
    assert_non_null(strstr(b.p, "fill-opacity=\"0.75\""));
    assert_non_null(strstr(b.p, ">75 %</text>"));
    assert_non_null(strstr(b.p, "down → up: 0, 0.0 %</title>")); /* a row of nothing */
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_data),
        cmocka_unit_test(text_is_cut_between_code_points),
        cmocka_unit_test(every_code_point_is_well_formed),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(any_values_make_a_picture),
        cmocka_unit_test(no_number_breaks_a_line),
        cmocka_unit_test(a_long_line_is_thin_and_the_same),
        cmocka_unit_test(names_are_data),
        cmocka_unit_test(many_whiskers_are_a_band),
        cmocka_unit_test(matrices_of_any_size),
        cmocka_unit_test(cells_say_count_and_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
