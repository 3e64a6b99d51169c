/*
 * plot.h - curves, points and bars over axes, as one SVG element of some kilobytes.
 *
 * The same values give the same bytes. Coordinates are those of the viewBox; the width is that of the
 * place, so that the 390 pixels of a phone show text of 11 pixels and more where WIDTH stays at its 360.
 * Values that are not finite break a line. Of more points than can be seen a line keeps the first, lowest,
 * highest and last of each half pixel, and points keep one of each pixel, which looks the same.
 */
#ifndef PLOT_H
#define PLOT_H

#include "mem.h"

enum plot_mark {
    PLOT_LINE,
    PLOT_LINE_POINTS, /* a line, and a mark at each of its points */
    PLOT_STEPS,       /* a value holds until the next one's x */
    PLOT_POINTS,
    PLOT_BARS,        /* from 0; several series of bars stand side by side */
    PLOT_BAND,        /* the area between LOW and HIGH */
};

struct plot_series {
    const char *name; /* in the legend; NULL: none */
    enum plot_mark mark;
    size_t n;
    const double *x;          /* NULL: 0, 1, 2, ... */
    const double *y;          /* of a band: its middle line, or NULL */
    const double *low, *high; /* a band's edges; else whiskers at each point; NULL: none */
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
    const char *desc;  /* <desc>, for who does not see it; NULL: axes, and each series in numbers */
    struct plot_axis x, y, right; /* RIGHT is drawn when a series belongs to it */
    const struct plot_series *series;
    size_t n;
    bool diagonal;        /* where y is x */
    bool direct;          /* names of lines stand at their ends, and not in a legend */
    const char *note;     /* one muted line under the picture, or NULL */
    double width, height; /* of the viewBox; 0: 360 and 240 */
};

/* Appends "<svg>...</svg>". ALONE: a whole file, with an XML declaration and a style of its own for light
 * and dark screens; else for a page that has palette_variables and palette_rules. All is borrowed. */
void plot_svg(struct buf *b, const struct plot *p, bool alone);

#endif
