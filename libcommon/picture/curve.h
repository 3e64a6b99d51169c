/*
 * curve.h - a curve in the characters of a terminal.
 */
#ifndef CURVE_H
#define CURVE_H

#include "term.h"

/* Appends ROWS + 1 lines, none wider than the terminal: NAME, the values' range at the left, the curve (braille where the
 * locale has it, else '*'), the range of x under it. Values that are not finite are left out. Nothing
 * for fewer than two points. */
void curve_text(struct buf *b, const struct term *t, const char *name, const double *x,
                const double *y, size_t n, int rows);

#endif
