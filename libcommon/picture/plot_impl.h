/* plot_impl.h - what the files of plot share. */
#ifndef PLOT_IMPL_H
#define PLOT_IMPL_H

#include "plot.h"

#include "ticks.h"

enum { EDGE = 8, ROW = 16 }; /* what is left free around it all; the height of a line of text */

/* One axis as it is drawn. */
struct scale {
    const struct plot_axis *axis;
    bool used;       /* something belongs to it */
    double min, max; /* of the values */
    double from, to; /* where they lie in the picture */
    struct ticks ticks;
};

struct frame {
    const struct plot *plot;
    double width, height;            /* of the picture */
    double left, top, right, bottom; /* of the area between the axes */
    double legend;                   /* y of its first base line */
    struct scale x, y[2];            /* y[1] is on the right */
    double bar;                      /* in units of x, of one bar */
    int n_bars;                      /* series of bars */
};

/* One series as it is drawn. */
struct drawn {
    const struct frame *f;
    const struct plot_series *s;
    const struct scale *y;
    int colour;   /* 0 to PALETTE_SERIES_N - 1 */
    double shift; /* of a bar from its x, in units of x */
};

struct drawn drawn_series(const struct frame *f, size_t series);
/* Where its point I lies; not finite: nowhere. */
double drawn_x(const struct drawn *d, size_t i);
double drawn_y(const struct drawn *d, size_t i);
bool drawn_has_range(const struct drawn *d, size_t i); /* LOW to HIGH */

/* Where V lies; not finite where V is not. */
double scale_at(const struct scale *scale, double v);

/* Draws the legend, or with B NULL only measures it: the height it takes. */
double plot_legend(struct buf *b, const struct frame *f);
void plot_axes(struct buf *b, const struct frame *f);
/* Height of what stands under the area between the axes. */
double plot_below(const struct frame *f);
/* "50 %", "0.1" */
void scale_label(struct buf *b, const struct scale *scale, double v);
void plot_marks(struct buf *b, const struct frame *f);
/* Texts among the points. */
void plot_labels(struct buf *b, const struct frame *f);
/* Sample of a series in the legend, 22 wide. */
void plot_sample(struct buf *b, const struct frame *f, size_t series, double x, double y);

#endif
