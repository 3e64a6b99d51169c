#include "svg.h"

#include "markup.h"
#include "palette.h"
#include "utf8.h"

#include <math.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

int svg_check_name(const char *path)
{
    static const char *const others[] = { ".png", ".pdf", ".jpg", ".jpeg", ".gif", ".webp" };
    const char *ending = strrchr(path, '.');

    for (size_t i = 0; ending && i < sizeof others / sizeof *others; i++)
        if (!strcasecmp(ending, others[i]))
            return err_set(
                EXIT_USAGE,
                "--plot '%s': pictures are SVG; call it %.*s.svg (browsers, Inkscape and "
                "rsvg-convert read that)",
                path, (int)(ending - path), path);
    return 0;
}

void svg_open(struct buf *b, const char *id, const char *title, const char *desc, double width,
              double height, bool alone)
{
    if (alone)
        buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf_printf(b,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"%s\" class=\"pic\" role=\"img\" "
               "viewBox=\"0 0 ",
               id);
    markup_number(b, width);
    buf_putc(b, ' ');
    markup_number(b, height);
    buf_puts(b, "\">\n<title>"); /* the name of a picture is its first title */
    markup_string(b, title);
    buf_puts(b, "</title>\n");
    if (desc) {
        buf_puts(b, "<desc>");
        markup_string(b, desc);
        buf_puts(b, "</desc>\n");
    }
    if (alone) {
        buf_puts(b, "<style>");
        palette_rules(b, true);
        buf_puts(b, "</style>\n<rect class=\"pic-paper\" width=\"100%\" height=\"100%\"/>\n");
        svg_text(b, "pic-text pic-head", 8, 20, "start", title, (width - 16) * 12 / 15);
    }
}

void svg_close(struct buf *b)
{
    buf_puts(b, "</svg>\n");
}

static void put_attribute(struct buf *b, const char *name, double v)
{
    buf_printf(b, " %s=\"", name);
    markup_number(b, v);
    buf_putc(b, '"');
}

/* What one code point takes at 12 pixels in the usual fonts without serifs. */
static double advance(uint32_t cp)
{
    if (utf8_is_control(cp))
        return 6 * 6.8; /* written as \uXXXX */
    if (cp >= 0x80)
        return utf8proc_charwidth((utf8proc_int32_t)cp) > 1 ? 12.5 : 8;
    if (strchr("MW@%mw", (int)cp))
        return 11.6;
    if (strchr("fijlrt|.,:;'!()[] ", (int)cp))
        return 4.8;
    return cp >= 'A' && cp <= 'Z' ? 8.5 : 7.6;
}

/* Code points at the beginning of S to be shown in WIDTH, the last of them an ellipsis; all fit:
 * SIZE_MAX. */
static size_t fitting(const char *s, double width, double *used)
{
    const double ellipsis = 12;
    const char *const end = s + strlen(s);
    double all = 0;
    size_t n = 0, shown = 1;

    *used = 0;
    for (const char *p = s; p < end; n++) {
        int len = 1;
        const bool good = utf8_valid(p, (size_t)(end - p < 4 ? end - p : 4)) > 0;

        if (all + ellipsis <= width)
            shown = n + 1;
        all += good ? advance(utf8_decode(p, &len)) : 10;
        if (all > width + 0.01) /* sums of the same, in another order */
            return shown;
        *used = all;
        p += len;
    }
    return SIZE_MAX;
}

double svg_width(const char *s)
{
    double used;

    (void)fitting(s, INFINITY, &used);
    return used;
}

double svg_widest(const char *const *s, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, svg_width(s[i]));
    return most;
}

static void put_text(struct buf *b, const char *s, double width)
{
    double used;
    const size_t max = fitting(s, width, &used);

    buf_putc(b, '>');
    if (max != SIZE_MAX) {
        buf_puts(b, "<title>");
        markup_string(b, s);
        buf_puts(b, "</title>");
    }
    (void)markup_text(b, s, strlen(s), max == SIZE_MAX ? 0 : max);
    buf_puts(b, "</text>\n");
}

static void put_class(struct buf *b, const char *class_name, const char *anchor)
{
    buf_printf(b, "<text class=\"%s\"", class_name);
    if (strcmp(anchor, "start"))
        buf_printf(b, " text-anchor=\"%s\"", anchor);
}

void svg_text(struct buf *b, const char *class_name, double x, double y, const char *anchor,
              const char *s, double width)
{
    put_class(b, class_name, anchor);
    put_attribute(b, "x", x);
    put_attribute(b, "y", y);
    put_text(b, s, width);
}

void svg_text_up(struct buf *b, const char *class_name, double x, double y, const char *anchor,
                 const char *s, double width)
{
    put_class(b, class_name, anchor);
    buf_puts(b, " transform=\"translate(");
    markup_number(b, x);
    buf_putc(b, ' ');
    markup_number(b, y);
    buf_puts(b, ") rotate(-90)\"");
    put_text(b, s, width);
}

void svg_rect(struct buf *b, const char *class_name, double x, double y, double width,
              double height, double opacity)
{
    buf_printf(b, "<rect class=\"%s\"", class_name);
    put_attribute(b, "x", x);
    put_attribute(b, "y", y);
    put_attribute(b, "width", width);
    put_attribute(b, "height", height);
    if (opacity >= 0)
        put_attribute(b, "fill-opacity", opacity);
    buf_puts(b, "/>\n");
}

void svg_line(struct buf *b, const char *class_name, double x1, double y1, double x2, double y2)
{
    buf_printf(b, "<path class=\"%s\" d=\"", class_name);
    svg_point(b, 'M', x1, y1);
    svg_point(b, 'L', x2, y2);
    buf_puts(b, "\"/>\n");
}

void svg_point(struct buf *b, char letter, double x, double y)
{
    buf_putc(b, letter);
    markup_number(b, x);
    buf_putc(b, ' ');
    markup_number(b, y);
}
