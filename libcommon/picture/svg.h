/*
 * svg.h - the pieces that all pictures are made of.
 */
#ifndef SVG_H
#define SVG_H

#include "mem.h"

/* The opening tag with <title> and <desc> (NULL: none); ALONE as in plot.h. */
void svg_open(struct buf *b, const char *id, const char *title, const char *desc, double width,
              double height, bool alone);
void svg_close(struct buf *b);

/* Appends S as text at X, Y (of its base line). ANCHOR: "start", "middle" or "end"; at most MAX code
 * points, 0: all; what is cut stands whole in a <title>. */
void svg_text(struct buf *b, const char *class_name, double x, double y, const char *anchor,
              const char *s, size_t max);
/* The same, turned to read upwards around X, Y. */
void svg_text_up(struct buf *b, const char *class_name, double x, double y, const char *s, size_t max);
void svg_line(struct buf *b, const char *class_name, double x1, double y1, double x2, double y2);
/* Appends " X Y" for a path, behind a letter. */
void svg_point(struct buf *b, char letter, double x, double y);

/* Columns that S takes at 12 pixels, about: never less than a usual font needs. */
double svg_width(const char *s);

#endif
