/*
 * term.h - what a terminal can show, and shades and bars in its characters.
 *
 * Of a pipe or a file, or where TERM is "dumb", empty or not set, all drawing gives nothing or plain
 * text. NO_COLOR (any value but the empty one) takes colours away, not characters. COLUMNS is used where
 * the terminal does not say how wide it is.
 */
#ifndef TERM_H
#define TERM_H

#include "mem.h"

struct term {
    bool shown;  /* a terminal that can draw: may have bars and shades */
    bool colour; /* shown, and colours are welcome */
    bool utf8;   /* LC_ALL, LC_CTYPE or LANG, the first that is set, says UTF-8 */
    int width;   /* columns, 20 at least; 80 where nothing says */
};

/* Of an open descriptor: STDOUT_FILENO for reports, STDERR_FILENO for talk. */
void term_of(struct term *t, int fd);

/* Columns that the N bytes take: one a code point, two where East Asian width says wide, none for
 * combining marks and controls. */
size_t term_columns(const char *text, size_t n);
/* Appends TEXT for eyes (utf8_show_line) in WIDTH columns exactly: padded at the right (at the left with
 * RIGHT), or cut with "…" ("~" without UTF-8). */
void term_pad(struct buf *b, const struct term *t, const char *text, size_t width, bool right);

/* Appends CELL with a background as dark as SHARE (0 to 1) is large; just CELL without colour. */
void term_shade(struct buf *b, const struct term *t, double share, const char *cell);
/* Appends a bar SHARE (0 to 1) of WIDTH columns long, padded to WIDTH: eighths of blocks, or '#'. */
void term_bar(struct buf *b, const struct term *t, double share, size_t width);

#endif
