/*
 * plot.h - curves, points and bars over axes, as one SVG element of some kilobytes.
 *
 * The same values give the same bytes. Coordinates are those of the viewBox, which is 360 wide; the width is
 * that of the place, so that the 390 pixels of a phone show text of 11 pixels and more.
 * Values that are not finite break a line. Of more points than can be seen a line keeps the first, lowest,
 * highest and last of each half pixel, and points keep one of each pixel, which looks the same.
 */
#ifndef PLOT_H
#define PLOT_H

#include "mem.h"

enum plot_mark {
    PLOT_LINE,
    PLOT_LINE_POINTS, /* a line, and a mark at each of its points */
    PLOT_POINTS,
    PLOT_BARS,        /* from 0; several series of bars stand side by side */
};

struct plot_series {
    const char *name; /* in the legend; NULL: none */
    enum plot_mark mark;
    size_t n;
    const double *x;          /* NULL: 0, 1, 2, ... */
    const double *y;
    const double *low, *high; /* whiskers at each point, of more than 150 a band; NULL: none */
    const char *const *label; /* N texts (NULL: none) beside the points or over the bars, or
                               NULL; one that would cover another is left out */
    bool right;               /* belongs to the axis on the right */
    int colour;               /* 1 to PALETTE_SERIES_N, with its dashes and its marker; 0: by position */
};

struct plot_axis {
    const char *name; /* "loss"; NULL: none */
    const char *unit; /* "s"; NULL: none */
    double min, max;  /* min < max: the range. Both 0: from the values, to round ticks */
    bool zero;        /* the range, when it is from the values, begins at 0 */
    bool percent;     /* values are shares: 0.5 is printed as 50 %, and the range stays in 0 to 1 where
                         they do */
    bool whole;       /* ticks at whole numbers only */
    const char *const *category; /* N_CATEGORY texts at 0, 1, 2, ...; NULL: numbers. x only */
    size_t n_category;
};

struct plot {
    const char *id;    /* letters, digits and '-', unique in the page */
    const char *title; /* <title>, and above a picture that stands alone */
    struct plot_axis x, y, right; /* RIGHT is drawn when a series belongs to it */
    const struct plot_series *series;
    size_t n;
    bool diagonal;    /* where y is x */
    const char *note; /* one muted line under the picture, or NULL */
    double height;    /* of the viewBox; 0: 240 */
};

/* Appends "<svg>...</svg>", with the axes and each series in numbers for who does not see it. ALONE: a whole
 * file, with an XML declaration and a style of its own for light and dark screens; else for a page that has
 * palette_variables and palette_rules. All is borrowed. */
void plot_svg(struct buf *b, const struct plot *p, bool alone);

#endif
