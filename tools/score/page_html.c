#include "page_html.h"

#include "cli.h"
#include "json.h"
#include "markup.h"
#include "page_style.h"
#include "palette.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void html_begin(struct buf *b, const char *title)
{
    html_put(b,
             "<!DOCTYPE html>\n"
             "<html lang=\"en\" xml:lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
             "<meta charset=\"utf-8\"/>\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
             "<meta name=\"generator\" content=\"slmtools %s\"/>\n"
             "<title>%s</title>\n<style>\n",
             slmtools_version, title);
    palette_variables(b);
    buf_puts(b, page_style);
    palette_rules(b, false);
    buf_puts(b, "</style>\n</head>\n<body>\n<main>\n");
}

void html_end(struct buf *b)
{
    buf_puts(b, "</main>\n</body>\n</html>\n");
}

void html_put(struct buf *b, const char *markup, ...)
{
    va_list values;

    va_start(values, markup);
    for (const char *p = markup; *p; p++)
        if (*p != '%')
            buf_putc(b, *p);
        else if (*++p == 's')
            markup_string(b, va_arg(values, const char *));
        else if (*p == 'd')
            html_count(b, va_arg(values, int64_t));
        else
            buf_putc(b, '%');
    va_end(values);
}

void html_section(struct buf *b, const char *id, const char *heading, const char *lead)
{
    html_put(b, "<section id=\"%s\">\n<h2>%s</h2>\n", id, heading);
    if (lead)
        buf_printf(b, "<p class=\"lead\">%s</p>\n", lead);
}

void html_section_end(struct buf *b)
{
    buf_puts(b, "</section>\n");
}

/* ---- numbers ---- */

#define MINUS   "\xe2\x88\x92"
#define EN_DASH "\xe2\x80\x93"
#define NBSP    "\xc2\xa0"

void html_count(struct buf *b, int64_t n)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, n);

    for (int i = 0; i < len; i++) {
        if (i > (n < 0) && (len - i) % 3 == 0)
            buf_putc(b, ',');
        buf_putc(b, digits[i]);
    }
}

static void put_signed(struct buf *b, int decimals, double v)
{
    char digits[64];

    (void)snprintf(digits, sizeof digits, "%.*f", decimals, fabs(v));
    const bool zero = strspn(digits, "0.") == strlen(digits);

    buf_puts(b, zero ? "" : v < 0 ? MINUS : "+");
    buf_puts(b, digits);
}

/* What follows a number of FORM. */
static const char *unit_of(enum html_form form)
{
    return form == HTML_SHARE ? NBSP "%" : form == HTML_POINTS ? NBSP "points" : "";
}

/* Without its unit. */
static void put_bare(struct buf *b, enum html_form form, double v)
{
    if (form == HTML_COUNT)
        html_count(b, (int64_t)v);
    else if (form == HTML_SHARE)
        buf_printf(b, "%.1f", 100 * v);
    else if (form == HTML_POINTS)
        put_signed(b, 1, 100 * v);
    else if (form == HTML_SIGNED)
        put_signed(b, 3, v);
    else if (form == HTML_CHANCE)
        buf_printf(b, v < 0.00005 ? "&lt;" NBSP "0.0001" : "%.4f", v);
    else
        buf_printf(b, "%s%.3f", v < 0 ? MINUS : "", fabs(v));
}

void html_figure(struct buf *b, enum html_form form, double v)
{
    if (isnan(v)) {
        buf_puts(b, EN_DASH);
        return;
    }
    put_bare(b, form, v);
    buf_puts(b, unit_of(form));
}

enum { NAME_ROOM = 160 }; /* no name has data in it */

static void begin_number(struct buf *b, enum html_form form, double v, const char *name,
                         const char *end)
{
    html_put(b, "<span class=\"n\" data-of=\"%s%s\" data-value=\"", name, end);
    if (form == HTML_COUNT)
        buf_printf(b, "%.0f", v);
    else
        json_put_double(b, v);
    buf_puts(b, "\">");
}

void html_number(struct buf *b, enum html_form form, double v, const char *name, ...)
{
    char of[NAME_ROOM];
    va_list values;

    va_start(values, name);
    (void)vsnprintf(of, sizeof of, name, values);
    va_end(values);
    begin_number(b, form, v, of, "");
    html_figure(b, form, v);
    buf_puts(b, "</span>");
}

void html_interval(struct buf *b, enum html_form form, struct interval in, const char *name, ...)
{
    char of[NAME_ROOM];
    va_list values;

    if (isnan(in.low) || isnan(in.high))
        return;
    va_start(values, name);
    (void)vsnprintf(of, sizeof of, name, values);
    va_end(values);
    buf_puts(b, "<span class=\"i\">");
    begin_number(b, form, in.low, of, ".0");
    put_bare(b, form, in.low);
    buf_puts(b, "</span> to ");
    begin_number(b, form, in.high, of, ".1");
    html_figure(b, form, in.high);
    buf_puts(b, "</span></span>");
}

/* ---- data ---- */

void html_text(struct buf *b, const char *text, size_t n, size_t max, bool more)
{
    buf_puts(b, "<bdi class=\"t\">");
    const bool cut = markup_text(b, text, n, max);

    if (more && !cut)
        buf_puts(b, "\xe2\x80\xa6");
    buf_puts(b, "</bdi>");
    if (cut || more)
        buf_puts(b, " <span class=\"m\">(cut)</span>");
}

void html_name(struct buf *b, const char *name, size_t max)
{
    struct buf shown = BUF_INIT;

    buf_puts(b, "<bdi class=\"c\"");
    if (markup_text(&shown, name, strlen(name), max))
        html_put(b, " title=\"%s\"", name);
    html_put(b, ">");
    buf_add(b, shown.p ? shown.p : "", shown.n);
    buf_puts(b, "</bdi>");
    buf_free(&shown);
}
