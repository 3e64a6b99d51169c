#include "svg.h"

#include "markup.h"
#include "palette.h"
#include "utf8.h"

#include <string.h>

void svg_open(struct buf *b, const char *id, const char *title, const char *desc, double width,
              double height, bool alone)
{
    if (alone)
        buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf_puts(b,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"pic\" role=\"img\" viewBox=\"0 0 ");
    markup_number(b, width);
    buf_putc(b, ' ');
    markup_number(b, height);
    buf_printf(b, "\" aria-labelledby=\"%s-t%s%s%s\">\n<title id=\"%s-t\">", id, desc ? " " : "",
               desc ? id : "", desc ? "-d" : "", id);
    markup_string(b, title);
    buf_puts(b, "</title>\n");
    if (desc) {
        buf_printf(b, "<desc id=\"%s-d\">", id);
        markup_string(b, desc);
        buf_puts(b, "</desc>\n");
    }
    if (alone) {
        buf_puts(b, "<style>");
        palette_rules(b, true);
        buf_puts(b, "</style>\n");
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

static void put_text(struct buf *b, const char *s, size_t max)
{
    struct buf shown = BUF_INIT;
    const bool cut = markup_text(&shown, s, strlen(s), max);

    buf_putc(b, '>');
    if (cut) {
        buf_puts(b, "<title>");
        markup_string(b, s);
        buf_puts(b, "</title>");
    }
    buf_add(b, shown.p, shown.n);
    buf_puts(b, "</text>\n");
    buf_free(&shown);
}

void svg_text(struct buf *b, const char *class_name, double x, double y, const char *anchor,
              const char *s, size_t max)
{
    buf_printf(b, "<text class=\"%s\"", class_name);
    put_attribute(b, "x", x);
    put_attribute(b, "y", y);
    if (strcmp(anchor, "start"))
        buf_printf(b, " text-anchor=\"%s\"", anchor);
    put_text(b, s, max);
}

void svg_text_up(struct buf *b, const char *class_name, double x, double y, const char *s,
                 size_t max)
{
    buf_printf(b, "<text class=\"%s\" text-anchor=\"middle\" transform=\"translate(", class_name);
    markup_number(b, x);
    buf_putc(b, ' ');
    markup_number(b, y);
    buf_puts(b, ") rotate(-90)\"");
    put_text(b, s, max);
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

double svg_width(const char *s)
{
    double width = 0;

    for (const char *p = s; *p; p++) /* lead bytes: Latin letters, and wider ones beyond */
        if ((*p & 0xc0) != 0x80)
            width += (*p & 0x80) ? 9 : 6.8;
    return width;
}
