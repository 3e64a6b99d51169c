/*
 * random_text.h - texts that are hard for a tokenizer, the same ones everywhere.
 *
 * Text I is a function of I alone: integers only, no library's generator. Recorded digests depend
 * on every byte of it, so a change here means making tests/parity/tokens-*.txt again.
 */
#ifndef RANDOM_TEXT_H
#define RANDOM_TEXT_H

#include "mem.h"
#include "utf8.h"

#include <string.h>

/* splitmix64 */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* 0..n-1 */
static inline uint32_t below(uint64_t *g, uint32_t n)
{
    return (uint32_t)(draw(g) >> 32) % n;
}

/* Small mostly, N at most. */
static inline uint32_t few(uint64_t *g, uint32_t n)
{
    return 1 + below(g, 1 + below(g, n));
}

static inline void put(struct buf *b, uint32_t cp)
{
    char c[4];

    buf_add(b, c, (size_t)utf8_encode(cp, c));
}

static inline void put_run(struct buf *b, uint64_t *g, uint32_t n, uint32_t first, uint32_t last)
{
    while (n--)
        put(b, first + below(g, last - first + 1));
}

static const char *const snippets[] = {
    "'s",
    "'t",
    "'re",
    "'ve",
    "'m",
    "'ll",
    "'d",
    "'S",
    "'RE",
    "'r",
    "'l",
    "'v",
    "''s",
    " 's",
    "'",
    "'lll",
    "<|endoftext|>",
    "<|endoftext|>",
    "<|endoftext|",
    "<|",
    "|>",
    "<|im_start|>",
    " <|endoftext|> ",
    "the",
    " the",
    " of",
    "ing",
    " and",
    " sentiment",
    " positive",
    "profit",
    " rose",
    " EUR",
    " mn",
    "tion",
    "\r\n",
    "\n\n",
    "\n \n",
    " \n",
    "\t ",
    "https://",
    "e.g.",
    "...",
    "----",
    "====",
    "!!!",
    "1,000.5",
    "3rd",
    "hello",
    "Hello",
    "foo",
    "bar",
    "[MASK]",
    "  ",
    "<b>",
    "</b>",
    "<s>",
    "\xC3\xA9",
    "\xC3\x9F",
    "\xE2\x80\x99s",
};
static const uint32_t white[] = { 0x09,   0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,
                                  0xA0,   0x1680, 0x2000, 0x2005, 0x200A, 0x2028, 0x2029,
                                  0x202F, 0x205F, 0x3000, 0x200B, 0x180E, 0xFEFF };
static const uint32_t zeros[] = { 0x30,   0x660,  0x6F0,  0x7C0,   0x966,   0x9E6,   0xE50,
                                  0x1040, 0x17E0, 0xFF10, 0x104A0, 0x1D7CE, 0x1E950, 0x2150,
                                  0x2160, 0x2460, 0x3021, 0x10D40, 0xB2 };
static const struct {
    uint32_t first, last;
} areas[] = {
    { 0x80, 0x24F },      { 0x250, 0x5FF },     { 0x600, 0x8FF },       { 0x900, 0xDFF },
    { 0xE00, 0x13FF },    { 0x1400, 0x1FFF },   { 0x2000, 0x2BFF },     { 0x2C00, 0x33FF },
    { 0x4E00, 0x9FFF },   { 0xA000, 0xABFF },   { 0xAC00, 0xD7FF },     { 0xE000, 0xFFFF },
    { 0x10000, 0x10FFF }, { 0x11000, 0x16FFF }, { 0x1B000, 0x1F2FF },   { 0x1F300, 0x1FBFF },
    { 0x20000, 0x33FFF }, { 0xE0000, 0xE01FF }, { 0x10FF00, 0x10FFFF },
};
#define PICK(g, list) ((list)[below(g, sizeof(list) / sizeof *(list))])

/* One piece of a text. */
static inline void put_piece(struct buf *b, uint64_t *g)
{
    switch (below(g, 20)) {
    case 0:
    case 1:
    case 2:
        put_run(b, g, few(g, 12), 'a', 'z');
        break;
    case 3:
        put_run(b, g, few(g, 6), 'A', 'Z');
        break;
    case 4:
        put_run(b, g, few(g, 40), ' ', ' ');
        break;
    case 5:
        put_run(b, g, few(g, 12), '\t', '\t');
        break;
    case 6:
        put_run(b, g, few(g, 8), '0', '9');
        break;
    case 7:
        put_run(b, g, few(g, 5), '!', '~');
        break;
    case 8:
        put(b, ' ');
        break;
    case 9:
    case 10:
    case 11:
        buf_puts(b, PICK(g, snippets));
        break;
    case 12: { /* any scalar value */
        const uint32_t cp = below(g, 0x110000 - 0x800);

        put(b, cp < 0xD800 ? cp : cp + 0x800);
        break;
    }
    case 13:
    case 14: {
        const uint32_t i = below(g, sizeof areas / sizeof *areas);

        put_run(b, g, few(g, 6), areas[i].first, areas[i].last);
        break;
    }
    case 15: /* combining marks on a letter */
        put_run(b, g, 1, 'a', 'z');
        put_run(b, g, few(g, 3), 0x300, 0x36F);
        break;
    case 16: {
        const uint32_t zero = PICK(g, zeros);

        put_run(b, g, few(g, 4), zero, zero + 9);
        break;
    }
    case 17:
        for (uint32_t n = few(g, 3); n--;)
            put(b, PICK(g, white));
        break;
    case 18:
        put_run(b, g, few(g, 2), 0, 0x9F); /* control characters and ASCII */
        break;
    default: /* a longer word, or emoji with joiners */
        if (below(g, 2)) {
            put_run(b, g, few(g, 120), 'a', 'e');
        } else {
            put_run(b, g, 1, 0x1F466, 0x1F469);
            put(b, 0x200D);
            put_run(b, g, 1, 0x1F300, 0x1F5FF);
            put(b, 0xFE0F);
        }
    }
}

static inline void random_text(struct buf *b, uint32_t i)
{
    uint64_t g = UINT64_C(0x5EED) + i;

    buf_clear(b);
    if (i % 10000 == 9999) /* one word without an end */
        put_run(b, &g, 10000, 'a', i % 20000 == 9999 ? 'a' : 'h');
    for (uint32_t n = below(&g, 24); n--;)
        put_piece(b, &g);
}

#endif
