#include "term.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static bool says_utf8(void)
{
    const char *locale = environment("LC_ALL");

    if (!locale)
        locale = environment("LC_CTYPE");
    if (!locale)
        locale = environment("LANG");
    return locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8"));
}

void term_of(struct term *t, int fd)
{
    const char *kind = environment("TERM"), *columns = environment("COLUMNS");
    struct winsize size;

    *t = (struct term){ .width = 80, .utf8 = says_utf8() };
    if (!isatty(fd) || !kind || !strcmp(kind, "dumb"))
        return;
    t->shown = true;
    t->colour = !environment("NO_COLOR");
    if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
        t->width = size.ws_col;
    else if (columns && atoi(columns) > 0)
        t->width = atoi(columns);
    t->width = t->width < 20 ? 20 : t->width > 1000 ? 1000 : t->width;
}

static size_t columns_of(uint32_t cp)
{
    return utf8_is_control(cp) ? 0 : (size_t)utf8proc_charwidth((utf8proc_int32_t)cp);
}

size_t term_columns(const char *text, size_t n)
{
    size_t columns = 0;
    const char *p = text, *const end = text + utf8_valid(text, n);

    for (int len; p < end; p += len)
        columns += columns_of(utf8_decode(p, &len));
    return columns;
}

/* Bytes of TEXT, valid UTF-8, that fit in WIDTH columns. */
static size_t fitting(const char *text, size_t n, size_t width)
{
    const char *p = text, *const end = text + n;
    size_t columns = 0;

    for (int len; p < end; p += len) {
        columns += columns_of(utf8_decode(p, &len));
        if (columns > width)
            break;
    }
    return (size_t)(p - text);
}

void term_pad(struct buf *b, const struct term *t, const char *text, size_t width, bool right)
{
    struct buf shown = BUF_INIT;

    utf8_show_line(&shown, text);
    size_t columns = term_columns(shown.p, shown.n);

    if (columns > width) {
        shown.n = fitting(shown.p, shown.n, width ? width - 1 : 0);
        if (width)
            buf_puts(&shown, t->utf8 ? "\xe2\x80\xa6" : "~");
        columns = term_columns(shown.p, shown.n);
    }
    const size_t pad = width - columns;

    if (right)
        buf_printf(b, "%*s", (int)pad, "");
    buf_add(b, shown.p, shown.n);
    if (!right)
        buf_printf(b, "%*s", (int)pad, "");
    buf_free(&shown);
}

void term_shade(struct buf *b, const struct term *t, double share, const char *cell)
{
    /* of the 256 colours, with white or black text on them: from nearly black to light blue */
    static const struct {
        int back, text;
    } shades[] = { { 17, 15 }, { 18, 15 }, { 24, 15 }, { 25, 15 },
                   { 31, 15 }, { 74, 16 }, { 117, 16 } };
    const int n = sizeof shades / sizeof *shades;

    if (!t->colour || !(share > 0)) {
        buf_puts(b, cell);
        return;
    }
    const int i = share >= 1 ? n - 1 : (int)(share * n);

    buf_printf(b, "\033[48;5;%d;38;5;%dm%s\033[0m", shades[i].back, shades[i].text, cell);
}

void term_bar(struct buf *b, const struct term *t, double share, size_t width)
{
    const double part = share > 0 ? (share < 1 ? share : 1) : 0;
    size_t eighths = (size_t)(part * (double)width * 8 + 0.5), columns = 0;

    for (; eighths >= (t->utf8 ? 8 : 4); eighths -= eighths < 8 ? eighths : 8, columns++)
        buf_puts(b, t->utf8 ? "\xe2\x96\x88" : "#");
    if (t->utf8 && eighths) { /* U+2589 is seven eighths, U+258F one */
        buf_add(b, (char[]){ '\xe2', '\x96', (char)(0x90 - (int)eighths) }, 3);
        columns++;
    }
    buf_printf(b, "%*s", (int)(width - columns), "");
}
