#include "plot_impl.h"

#include "svg.h"

#include <math.h>
#include <stdio.h>

enum { LABEL_WIDTH = 120, ENDS_MAX = 24, END_ROW = 14 };

/* ---- texts among the points ---- */

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

/* ---- names at the ends of lines ---- */

struct end {
    double y;
    const char *name;
    int colour;
};

/* Where the last point of D lies; not finite: none does. */
static double last_y(const struct drawn *d)
{
    for (size_t i = d->s->n; i--;)
        if (isfinite(drawn_x(d, i)) && isfinite(drawn_y(d, i)))
            return drawn_y(d, i);
    return NAN;
}

/* In order from the upper one down. */
static size_t find_ends(struct end *end, const struct frame *f)
{
    size_t n = 0;

    for (size_t k = 0; k < f->plot->n && n < ENDS_MAX; k++) {
        const struct drawn d = drawn_series(f, k);
        const double y = last_y(&d);
        size_t at = n;

        if (!plot_is_line(d.s) || !d.s->name || !isfinite(y))
            continue;
        for (; at && end[at - 1].y > y; at--)
            end[at] = end[at - 1];
        end[at] = (struct end){ y, d.s->name, d.colour };
        n++;
    }
    return n;
}

static void push_apart(struct end *end, size_t n, double bottom)
{
    for (size_t i = 1; i < n; i++)
        end[i].y = fmax(end[i].y, end[i - 1].y + END_ROW);
    for (size_t i = n; i--;) /* and back, from the lower edge */
        end[i].y = fmin(end[i].y, i + 1 < n ? end[i + 1].y - END_ROW : bottom);
}

static void put_ends(struct buf *b, const struct frame *f)
{
    struct end end[ENDS_MAX];
    const size_t n = find_ends(end, f);

    push_apart(end, n, f->bottom);
    for (size_t i = 0; i < n; i++) {
        char name[24];

        (void)snprintf(name, sizeof name, "pic-f%d", end[i].colour);
        svg_rect(b, name, f->right + 2, end[i].y - 5, 3, 10, -1);
        svg_text(b, "pic-text", f->right + 8, end[i].y + 4, "start", end[i].name,
                 f->width - f->right - 10);
    }
}

void plot_labels(struct buf *b, const struct frame *f)
{
    struct boxes taken = { .n = 0 };

    for (size_t k = 0; k < f->plot->n; k++) {
        const struct drawn d = drawn_series(f, k);

        for (size_t i = 0; d.s->label && i < d.s->n; i++)
            put_label(b, &d, i, &taken);
    }
    if (f->plot->direct)
        put_ends(b, f);
}
