/* curve.h - a curve in the characters of a terminal. */
#ifndef CURVE_H
#define CURVE_H

#include "term.h"

/* Appends NAME on a line of its own, ROWS lines of the curve with the range of Y at their left, and a
 * line with the range of X. None is wider than the terminal, or than 72 columns. Braille where the
 * locale has it, else '*'. Values that are not finite are left out; nothing is appended for fewer than
 * two that are. */
void curve_text(struct buf *b, const struct term *t, const char *name, const char *x_name,
                const double *x, const double *y, size_t n, int rows);

#endif
