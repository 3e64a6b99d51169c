#include "plot.h"

#include "svg.h"

void plot_svg(struct buf *b, const struct plot *p, bool alone)
{
    svg_open(b, p->id, p->title, p->desc, p->width > 0 ? p->width : 400,
             p->height > 0 ? p->height : 260, alone);
    svg_close(b);
}
