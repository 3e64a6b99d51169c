/*
 * tokenizer_scan.h - GPT-2's words and what all patterns that are matched by hand are made of:
 * inline, so that the loop over a text's words calls nothing for each.
 */
#ifndef TOKENIZER_SCAN_H
#define TOKENIZER_SCAN_H

#include "unicode_class.h"

#include <stddef.h>
#include <stdint.h>

/* The code point at P, which is valid UTF-8 and not ASCII. */
static inline uint32_t decode_wide(const uint8_t *p, int *len)
{
    if (p[0] < 0xE0) {
        *len = 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *len = 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *len = 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
           (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

static inline uint8_t look(const uint8_t *classes, const uint8_t *p, int *len)
{
    if (*p < 0x80) {
        *len = 1;
        return classes[*p];
    }
    return classes[decode_wide(p, len)];
}

enum { PATTERN_CLASSES = UC_LETTER | UC_NUMBER | UC_SPACE };

/* End of the run of code points from P on whose class among MASK is KIND (0: punctuation and all
 * else). */
static inline const uint8_t *skip_run(const uint8_t *classes, const uint8_t *p, const uint8_t *end,
                                      uint8_t kind, uint8_t mask)
{
    while (p < end) {
        int len;

        if ((look(classes, p, &len) & mask) != kind)
            break;
        p += len;
    }
    return p;
}

/* Length of the contraction at P ("'s", "'re", ...), 0 when there is none. FOLD is 0, or the bit that makes
 * letters small, so that either case will do. */
static inline int contraction(const uint8_t *p, const uint8_t *end, int fold)
{
    if (end - p < 2)
        return 0;
    const int next = end - p > 2 ? p[2] | fold : 0;

    switch (p[1] | fold) {
    case 's':
    case 't':
    case 'm':
    case 'd':
        return 2;
    case 'r':
    case 'v':
        return next == 'e' ? 3 : 0;
    case 'l':
        return next == 'l' ? 3 : 0;
    default:
        return 0;
    }
}

/* White space from P on: all of it at the end of the text or before what is of class STOP, else all
 * but its last character, which may belong to the next word; a single one stands alone. */
static inline const uint8_t *skip_space(const uint8_t *classes, const uint8_t *p,
                                        const uint8_t *end, uint8_t stop)
{
    const uint8_t *q = p, *last = p;
    int len;

    while (q < end && look(classes, q, &len) & UC_SPACE) {
        last = q;
        q += len;
    }
    return q == end || last == p || look(classes, q, &len) & stop ? q : last;
}

/* A word of GPT-2's; where DIGITS are classes, what has one of them is a word by itself, and what is between
 * them a text of its own: white space in front of one ends a text. */
static inline const uint8_t *scan_between(const uint8_t *classes, const uint8_t *p,
                                          const uint8_t *end, uint8_t digits)
{
    const uint8_t mask = PATTERN_CLASSES | digits, *q = p + (*p == ' ');
    int len;

    if (*p == '\'') {
        len = contraction(p, end, 0);
        if (len)
            return p + len;
    }
    if (q == end)
        return q;
    const uint8_t kind = look(classes, q, &len) & mask;

    if (kind & digits)
        return q == p ? p + len : q;
    if (kind & UC_SPACE)
        return skip_space(classes, p, end, digits);
    return skip_run(classes, q + len, end, kind, mask);
}

/* See next_word. */
static inline const uint8_t *scan_word(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    return scan_between(classes, p, end, 0);
}

#endif
