/*
 * unicode_class.h - the four character classes that a byte-level tokenizer asks about.
 *
 * The ranges were taken from Hugging Face's tokenizers over all code points (see
 * tests/parity/make-unicode-classes): \p{L}, \p{N} and \s as its pre-tokenizer has them, \w as its
 * added tokens with single_word have it. They equal Unicode 16.0. A code point is at most one of
 * letter, number and space.
 */
#ifndef UNICODE_CLASS_H
#define UNICODE_CLASS_H

#include <stdint.h>

enum { UC_LETTER = 1, UC_NUMBER = 2, UC_SPACE = 4, UC_WORD = 8 };
enum { UC_CODE_POINTS = 0x110000 };

/* A table of UC_CODE_POINTS bytes, one set of classes each; release with free. Most of its pages
 * are never touched, so that it costs tens of microseconds and as many kilobytes. */
uint8_t *unicode_classes(void);

#endif
