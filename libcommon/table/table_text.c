#include "table_rows.h"
#include "utf8.h"

#include <string.h>

enum encoding encoding_of(const char *name)
{
    if (!name || !strcmp(name, "auto") || !strcmp(name, "utf-8"))
        return ENC_UTF8;
    if (!strcmp(name, "utf-8:replace"))
        return ENC_REPLACE;
    return !strcmp(name, "latin-1") ? ENC_LATIN1 : ENC_1252;
}

/* Bytes 0x80 to 0x9f of Windows-1252; 0 where it has none. */
static const uint16_t high_1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static int put_single_bytes(struct buf *b, const struct cell *c, bool windows)
{
    for (size_t i = 0; i < c->n; i++) {
        const unsigned char byte = (unsigned char)c->p[i];
        const bool high = windows && byte >= 0x80 && byte < 0xa0;
        const uint32_t cp = high ? high_1252[byte - 0x80] : byte;
        char utf8[4];

        if (high && !cp)
            return err_set(EXIT_DATA, "byte 0x%02X is not in windows-1252; try --encoding latin-1",
                           byte);
        buf_add(b, utf8, (size_t)utf8_encode(cp, utf8));
    }
    return 0;
}

int cell_decode(struct cell *c, enum encoding encoding, struct buf *room)
{
    const bool single = encoding == ENC_LATIN1 || encoding == ENC_1252;
    const size_t good = single ? 0 : utf8_valid(c->p, c->n), at = room->n;

    if (encoding == ENC_UTF8 && good < c->n)
        return err_set(EXIT_DATA,
                       "byte 0x%02X is not valid UTF-8; say --encoding windows-1252, "
                       "latin-1 or utf-8:replace",
                       (unsigned char)c->p[good]);
    if (!single && good == c->n)
        return 0;
    if (!single)
        utf8_replace(room, c->p, c->n);
    else if (put_single_bytes(room, c, encoding == ENC_1252) < 0)
        return -1;
    c->p = room->p + at;
    c->n = room->n - at;
    buf_putc(room, 0);
    return !single;
}
