#include "json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_put_text(struct buf *b, const char *text, size_t n)
{
    static const char short_of[' '] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };

    size_t plain = 0; /* nearly all bytes stand for themselves */

    buf_reserve(b, n + 2);
    buf_putc(b, '"');
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        buf_add(b, text + plain, i - plain);
        plain = i + 1;
        if (c < ' ' && !short_of[c])
            buf_printf(b, "\\u%04x", c);
        else
            buf_printf(b, "\\%c", c < ' ' ? short_of[c] : c);
    }
    buf_add(b, text + plain, n - plain);
    buf_putc(b, '"');
}

/* Appends "[-]d.ddde[+-]xx" of printf the way Python's repr and serde write a float: plain from
 * 1e-4 up to 1e16, always with a point or an exponent. */
static void put_decimal(struct buf *b, const char *sci)
{
    char digits[32] = { 0 };
    int n = 0;
    const char *e = strchr(sci, 'e');
    const int exponent = atoi(e + 1);

    if (*sci == '-')
        buf_putc(b, *sci++);
    for (const char *c = sci; c < e; c++)
        if (*c != '.')
            digits[n++] = *c;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (exponent < -4 || exponent >= 16) {
        buf_putc(b, digits[0]);
        if (n > 1)
            buf_putc(b, '.');
        buf_add(b, digits + 1, (size_t)n - 1);
        buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0)
        buf_puts(b, "0.");
    for (int i = exponent + 1; i < 0; i++)
        buf_putc(b, '0');
    for (int i = 0; i < n || i <= exponent; i++) {
        buf_putc(b, i < n ? digits[i] : '0');
        if (i == exponent)
            buf_puts(b, i + 1 < n ? "." : ".0");
    }
}

/* The fewest of LEAST to MOST digits that read back to V, a float where it is SINGLE. */
static void put_shortest(struct buf *b, double v, int least, int most, bool single)
{
    char sci[40];

    if (!isfinite(v)) {
        buf_puts(b, "null");
        return;
    }
    for (int digits = least; digits <= most; digits++) {
        (void)snprintf(sci, sizeof sci, "%.*e", digits - 1, v);
        if ((single ? (double)strtof(sci, NULL) : strtod(sci, NULL)) == v)
            break;
    }
    put_decimal(b, sci);
}

void json_put_double(struct buf *b, double v)
{
    put_shortest(b, v, fabs(v) < DBL_MIN ? 1 : 15, 17, false);
}

void json_put_float(struct buf *b, float v)
{
    put_shortest(b, (double)v, fabsf(v) < FLT_MIN ? 1 : 6, 9, true);
}
