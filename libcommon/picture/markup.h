/*
 * markup.h - text and numbers inside XML and HTML: the one place that decides how data is written there.
 *
 * What comes out is well-formed XML 1.0 and HTML alike, in element content and in quoted attributes,
 * and nothing in it turns the direction of the text around it.
 */
#ifndef MARKUP_H
#define MARKUP_H

#include "mem.h"

/*
 * Appends the N bytes at TEXT: & < > " ' as references; control characters and what turns the direction
 * of writing (utf8_is_control, U+200E, U+200F, U+061C) as \uXXXX, but tab and newline as they are; bytes
 * that are no UTF-8 and what XML does not have (U+FFFE, U+FFFF) as U+FFFD. At most MAX code points of
 * TEXT, the last of them an ellipsis where TEXT has more; MAX 0: all of it. True: it was cut.
 */
bool markup_text(struct buf *b, const char *text, size_t n, size_t max);

/* The same of a C string, all of it. */
void markup_string(struct buf *b, const char *s);

/* Appends V with at most two decimals, as a length or a position: "12.5", "-3", "0". V is finite. */
void markup_number(struct buf *b, double v);

#endif
