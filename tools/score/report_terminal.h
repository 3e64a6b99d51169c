/* report_terminal.h - the report for people where it is a terminal that draws: bars, shades, and lines no
 * longer than it is wide. */
#ifndef REPORT_TERMINAL_H
#define REPORT_TERMINAL_H

#include "comparison.h"
#include "term.h"

/* Of a matrix that T has no room for, the confusions that occur most often. */
void terminal_report(struct buf *b, const struct assessment *a, const struct term *t);
void terminal_comparison(struct buf *b, const struct comparison *c, const struct term *t);

/* A bar in what is left of the line behind USED columns, where that is enough to see anything. */
void terminal_bar(struct buf *b, const struct term *t, double share, int used);
/* Ends a line, without blanks at its end. */
void terminal_end_line(struct buf *b);

#endif
