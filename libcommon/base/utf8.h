/* utf8.h - the one place that decides what valid UTF-8 is (RFC 3629: no surrogates, no overlongs). */
#ifndef UTF8_H
#define UTF8_H

#include "mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the byte order mark that some editors put at the beginning of a file: 3, or 0. */
size_t utf8_mark(const char *text, size_t n);
/* Number of valid bytes at the beginning of TEXT: N when all of it is valid. */
size_t utf8_valid(const char *text, size_t n);
/* The code point at P (valid UTF-8, P < END) and its length in *LEN. */
uint32_t utf8_decode(const char *p, int *len);
/* Writes CP (a scalar value) as 1 to 4 bytes; returns how many. */
int utf8_encode(uint32_t cp, char out[4]);

/* Appends the N bytes at P, each piece that is not valid as one U+FFFD: the longest beginning of a
 * sequence that could have become valid, or one byte (Unicode, section 3.9; Python and Rust too). */
void utf8_replace(struct buf *b, const char *p, size_t n);

/* Whether CP, out of data, may do something to a terminal or to how the text around it reads: control
 * characters (C0, DEL, C1) and those that turn the direction of writing (U+202A to U+202E, U+2066 to
 * U+2069). */
bool utf8_is_control(uint32_t cp);
/* Appends N bytes for eyes: control characters as \uXXXX, but tab and newline as they are; bytes that
 * are no UTF-8 as \xXX. */
void utf8_show(struct buf *b, const char *p, size_t n);
/* The same of S, as a part of one line: tab, newline, carriage return and backslash as in C. */
void utf8_show_line(struct buf *b, const char *s);

#endif
