/*
 * unicode_class.h - the character classes that a tokenizer asks about.
 *
 * The ranges were taken from Hugging Face's tokenizers over all code points (see
 * tests/parity/make-unicode-classes): \p{L}, \p{N} and \s as its pre-tokenizers have them, \w as
 * its added tokens with single_word have it. They equal Unicode 16.0. A code point is at most one
 * of letter, number and space. The others are of tests/parity/make-unicode-versions.
 */
#ifndef UNICODE_CLASS_H
#define UNICODE_CLASS_H

#include <stdint.h>

enum {
    UC_LETTER = 1,
    UC_NUMBER = 2,
    UC_SPACE = 4,
    UC_WORD = 8,
    UC_NUMERIC = 16,   /* a number for Digits alone, which knows a newer Unicode */
    UC_NFC = 32,       /* what NFC may change, alone or behind another: not by itself a beginning */
    UC_COMPOSES = 64,  /* what may become one with a UC_NFC behind it */
    UC_NEW = 128,      /* of no class, or another, in Unicode 14.0 */
};
enum { UC_CODE_POINTS = 0x110000 };

/* A table of UC_CODE_POINTS bytes, one set of classes each, of the first five; release with free.
 * Most of its pages are never touched, so that it costs tens of microseconds and as many
 * kilobytes. */
uint8_t *unicode_classes(void);
/* Adds UC_NFC and UC_COMPOSES. */
void unicode_add_nfc(uint8_t *classes);
/* Adds UC_NEW. */
void unicode_add_new(uint8_t *classes);
/* For a code point of UC_NEW: an older one of the same class with as many bytes of UTF-8. */
uint32_t unicode_same(uint32_t cp);

#endif
