#include "plot_impl.h"

#include "svg.h"

#include <math.h>

enum { LABEL_WIDTH = 120 };

struct boxes { /* that have a text */
    struct {
        double x, y, width;
    } box[400];
    int n;
};

static bool place(struct boxes *t, double x, double y, double width)
{
    for (int i = 0; i < t->n; i++)
        if (fabs(t->box[i].y - y) < 13 && x < t->box[i].x + t->box[i].width + 3 &&
            t->box[i].x < x + width + 3)
            return false;
    if (t->n == sizeof t->box / sizeof *t->box)
        return false;
    t->box[t->n].x = x;
    t->box[t->n].y = y;
    t->box[t->n++].width = width;
    return true;
}

static void put_label(struct buf *b, const struct drawn *d, size_t i, struct boxes *taken)
{
    const struct frame *f = d->f;
    const char *const text = d->s->label[i];
    const double at = drawn_x(d, i), up = drawn_y(d, i);

    if (!text || !isfinite(at) || !isfinite(up))
        return;
    const double over = drawn_has_range(d, i) ? scale_at(d->y, d->s->high[i]) : up;
    const double width = fmin(svg_width(text), LABEL_WIDTH);
    const double y = fmax(fmin(up, over) - 5, f->top + 4);
    double x = at + 6;

    if (d->s->mark == PLOT_BARS)
        x = at - width / 2;
    else if (x + width > f->width - 2)
        x = at - 6 - width;
    x = fmax(2, fmin(x, f->width - 2 - width));
    if (place(taken, x, y, width))
        svg_text(b, "pic-text", x, y, "start", text, LABEL_WIDTH);
}

void plot_labels(struct buf *b, const struct frame *f)
{
    struct boxes taken = { .n = 0 };

    for (size_t k = 0; k < f->plot->n; k++) {
        const struct drawn d = drawn_series(f, k);

        for (size_t i = 0; d.s->label && i < d.s->n; i++)
            put_label(b, &d, i, &taken);
    }
}
