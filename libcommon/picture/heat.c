#include "heat.h"

#include "svg.h"

void heat_svg(struct buf *b, const struct heat *h, bool alone)
{
    svg_open(b, h->id, h->title, h->desc, h->width > 0 ? h->width : 400, 40, alone);
    svg_close(b);
}
