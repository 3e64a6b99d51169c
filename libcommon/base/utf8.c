#include "utf8.h"

#include <string.h>

size_t utf8_mark(const char *text, size_t n)
{
    return n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* Length of the valid sequence at P (N > 0 bytes are there), 0 when there is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
    const unsigned c = p[0];
    size_t len;
    unsigned low = 0x80, high = 0xbf; /* of the second byte: no overlongs, no surrogates */

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf) {
        len = 2;
    } else if (c >= 0xe0 && c <= 0xef) {
        len = 3;
        low = c == 0xe0 ? 0xa0 : 0x80;
        high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        len = 4;
        low = c == 0xf0 ? 0x90 : 0x80;
        high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (n < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

size_t utf8_valid(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    while (i < n) {
        uint64_t eight;

        if (n - i >= sizeof eight) { /* most text is ASCII: eight bytes at a time */
            memcpy(&eight, p + i, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                i += sizeof eight;
                continue;
            }
        }
        const size_t len = sequence(p + i, n - i);

        if (!len)
            return i;
        i += len;
    }
    return n;
}

uint32_t utf8_decode(const char *text, int *len)
{
    const unsigned char *p = (const unsigned char *)text;

    if (p[0] < 0x80) {
        *len = 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *len = 2;
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    }
    if (p[0] < 0xf0) {
        *len = 3;
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    }
    *len = 4;
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

int utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* Length of the invalid piece at P. */
static size_t invalid_piece(const char *p, size_t n)
{
    const unsigned char lead = (unsigned char)p[0];
    const size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    size_t best = 1;

    for (size_t have = 2; have < want && have <= n; have++) {
        char whole[4] = { (char)0x80, (char)0x80, (char)0x80, (char)0x80 };

        memcpy(whole, p, have);
        if (utf8_valid(whole, want) == want)
            best = have;
    }
    return best;
}

void utf8_replace(struct buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        const size_t good = utf8_valid(p + i, n - i);

        buf_add(b, p + i, good);
        i += good;
        if (i < n) {
            buf_puts(b, "\xef\xbf\xbd");
            i += invalid_piece(p + i, n - i);
        }
    }
}

bool utf8_is_control(uint32_t cp)
{
    return cp < ' ' || (cp >= 0x7f && cp <= 0x9f) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069);
}

void utf8_show(struct buf *b, const char *p, size_t n)
{
    const char *const end = p + n;

    while (p < end) {
        const char *const good = p + utf8_valid(p, (size_t)(end - p));
        int len;

        for (; p < good; p += len) {
            const uint32_t cp = utf8_decode(p, &len);

            if (utf8_is_control(cp) && cp != '\n' && cp != '\t')
                buf_printf(b, "\\u%04x", (unsigned)cp);
            else
                buf_add(b, p, (size_t)len);
        }
        if (p < end)
            buf_printf(b, "\\x%02x", (unsigned char)*p++);
    }
}

void utf8_show_line(struct buf *b, const char *s)
{
    static const char special[] = "\t\n\r\\", letter[] = "tnr\\";

    for (;;) {
        const size_t plain = strcspn(s, special);

        utf8_show(b, s, plain);
        if (!s[plain])
            return;
        buf_printf(b, "\\%c", letter[strchr(special, s[plain]) - special]);
        s += plain + 1;
    }
}
