/*
 * svg.h - the pieces that all pictures are made of.
 */
#ifndef SVG_H
#define SVG_H

#include "err.h"
#include "mem.h"

/* EXIT_USAGE when PATH, a picture to be written, is called as one of another format: it would not open. */
MUST_USE int svg_check_name(const char *path);

/* The opening tag with <title> and <desc> (NULL: none); ALONE as in plot.h, with TITLE in the first 20 of HEIGHT
 * behind the edge of 8 that all pictures leave. */
void svg_open(struct buf *b, const char *id, const char *title, const char *desc, double width,
              double height, bool alone);
void svg_close(struct buf *b);

/* Appends S as text at X, Y (of its base line). ANCHOR: "start", "middle" or "end". What does not fit in
 * WIDTH is cut, and stands whole in a <title>. */
void svg_text(struct buf *b, const char *class_name, double x, double y, const char *anchor,
              const char *s, double width);
/* The same, turned to read upwards. */
void svg_text_up(struct buf *b, const char *class_name, double x, double y, const char *anchor,
                 const char *s, double width);
void svg_line(struct buf *b, const char *class_name, double x1, double y1, double x2, double y2);
/* Appends <rect .../>; OPACITY below 0: as the class has it. */
void svg_rect(struct buf *b, const char *class_name, double x, double y, double width,
              double height, double opacity);
/* Appends "LETTERX Y" for a path, behind which the next letter may stand. */
void svg_point(struct buf *b, char letter, double x, double y);

/* The width of S at 12 pixels, about, rather more than less. */
double svg_width(const char *s);
/* That of the widest of N texts. */
double svg_widest(const char *const *s, size_t n);

#endif
