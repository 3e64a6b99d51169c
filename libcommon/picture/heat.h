/*
 * heat.h - a matrix of counts as a picture: cells shaded by their share of the row, with the count and,
 * where there is room, the share as text. SVG as in plot.h.
 */
#ifndef HEAT_H
#define HEAT_H

#include "mem.h"

#include <stdint.h>

struct heat {
    const char *id, *title, *note;          /* as in struct plot */
    const char *desc;                       /* for who does not see it; NULL: none */
    const char *rows_name, *columns_name; /* "true label", "predicted label" */
    size_t n_rows, n_columns;
    const char *const *row, *const *column; /* their labels; cut where too long, whole in a <title> */
    const int64_t *count;                   /* n_rows * n_columns, row by row; none below 0 */
};

/* Cells of more rows or columns than can be read have no text but a <title>. */
void heat_svg(struct buf *b, const struct heat *h, bool alone);

#endif
