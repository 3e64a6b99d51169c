#include "markup.h"

#include "utf8.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

/* Marks of direction that act without a pair. */
static bool turns(uint32_t cp)
{
    return cp == 0x061c || cp == 0x200e || cp == 0x200f;
}

static void put(struct buf *b, const char *p, int len, uint32_t cp)
{
    if (cp == '&')
        buf_puts(b, "&amp;");
    else if (cp == '<')
        buf_puts(b, "&lt;");
    else if (cp == '>')
        buf_puts(b, "&gt;");
    else if (cp == '"')
        buf_puts(b, "&quot;");
    else if (cp == '\'')
        buf_puts(b, "&#39;");
    else if ((cp & 0xfffe) == 0xfffe) /* of any plane: XML 1.0 and HTML have none of them */
        buf_puts(b, REPLACEMENT);
    else if (turns(cp) || (utf8_is_control(cp) && cp != '\n' && cp != '\t'))
        buf_printf(b, "\\u%04" PRIx32, cp);
    else
        buf_add(b, p, (size_t)len);
}

bool markup_text(struct buf *b, const char *text, size_t n, size_t max)
{
    const char *p = text, *const end = text + n;
    size_t before = b->n, done = 0;

    while (p < end) {
        const char *const good = p + utf8_valid(p, (size_t)(end - p));
        const bool broken = p == good;
        int len = 1;

        if (max && done == max) {
            b->n = before; /* of the last code point */
            buf_puts(b, ELLIPSIS);
            return true;
        }
        before = b->n;
        if (broken)
            buf_puts(b, REPLACEMENT);
        else
            put(b, p, len, utf8_decode(p, &len));
        p += len;
        done++;
    }
    return false;
}

void markup_string(struct buf *b, const char *s)
{
    (void)markup_text(b, s, strlen(s), 0);
}

void markup_number(struct buf *b, double v)
{
    const bool negative = v < 0;
    const double hundredths = floor(fmin(fabs(v), 1e9) * 100 + 0.5);
    const int64_t whole = (int64_t)(hundredths / 100), rest = (int64_t)hundredths % 100;

    if (negative && hundredths > 0)
        buf_putc(b, '-');
    buf_printf(b, "%" PRId64, whole);
    if (rest % 10)
        buf_printf(b, ".%02" PRId64, rest);
    else if (rest)
        buf_printf(b, ".%" PRId64, rest / 10);
}
