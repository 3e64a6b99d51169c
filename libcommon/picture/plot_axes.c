#include "plot_impl.h"

#include "svg.h"

#include <math.h>

enum { SAMPLE = 22, TURNED_MAX = 84 };

void scale_label(struct buf *b, const struct scale *s, double v)
{
    ticks_print(b, &s->ticks, v, s->axis->percent);
    if (s->axis->percent)
        buf_puts(b, "\xc2\xa0%");
}

/* ---- legend ---- */

double plot_legend(struct buf *b, const struct frame *f)
{
    const double most = f->width - 2 * EDGE;
    double x = EDGE, y = f->legend;
    int shown = 0;

    for (size_t i = 0; i < f->plot->n; i++) {
        const char *name = f->plot->series[i].name;

        if (!name)
            continue;
        const double width = fmin(SAMPLE + 5 + svg_width(name) + 14, most);

        if (shown++ && x + width - 14 > f->width - EDGE) {
            x = EDGE;
            y += ROW;
        }
        if (b) {
            plot_sample(b, f, i, x, y - 4);
            svg_text(b, "pic-text", x + SAMPLE + 5, y, "start", name, most - SAMPLE - 5);
        }
        x += width;
    }
    return shown ? y + ROW - f->legend : 0;
}

/* ---- x ---- */

/* Each so many categories have a label; whether these are turned. */
static size_t category_stride(const struct frame *f, bool *turned)
{
    const struct plot_axis *a = &f->plot->x;
    const double slot = (f->width - 70) / (double)a->n_category;
    const double most = svg_widest(a->category, a->n_category);

    *turned = most + 6 > slot && slot < 66; /* else cut to the place they have */
    return *turned && slot < 13 ? (size_t)ceil(13 / slot) : 1;
}

double plot_below(const struct frame *f)
{
    const struct plot_axis *a = &f->plot->x;
    double below = EDGE + ROW;
    bool turned = false;

    if (a->category && a->n_category)
        (void)category_stride(f, &turned);
    if (turned)
        below = EDGE + fmin(svg_widest(a->category, a->n_category), TURNED_MAX) + 4;
    return below + (a->name ? ROW : 0) + (f->plot->note ? ROW : 0);
}

static void put_categories(struct buf *b, const struct frame *f)
{
    const struct plot_axis *a = &f->plot->x;
    const double slot = (f->right - f->left) / (double)a->n_category;
    bool turned;
    const size_t stride = category_stride(f, &turned);

    for (size_t i = 0; i < a->n_category; i += stride) {
        const double x = scale_at(&f->x, (double)i);

        if (turned) {
            svg_text_up(b, "pic-text", x + 4, f->bottom + 6, "end", a->category[i], TURNED_MAX);
        } else {
            svg_text(b, "pic-text", x, f->bottom + 16, "middle", a->category[i], slot - 4);
        }
    }
}

static void put_x_ticks(struct buf *b, const struct frame *f)
{
    for (int i = 0; i < f->x.ticks.n; i++) {
        const double x = scale_at(&f->x, f->x.ticks.at[i]);
        struct buf label = BUF_INIT;

        scale_label(&label, &f->x, f->x.ticks.at[i]);
        const double half = svg_width(label.p) / 2;

        svg_line(b, "pic-axis", x, f->bottom, x, f->bottom + 4);
        svg_text(b, "pic-text", fmin(fmax(x, half + 2), f->width - half - 2), f->bottom + 16,
                 "middle", label.p, f->width);
        buf_free(&label);
    }
}

/* ---- y ---- */

static void put_y_ticks(struct buf *b, const struct frame *f, int side)
{
    const struct scale *s = &f->y[side];

    for (int i = 0; i < s->ticks.n; i++) {
        const double y = scale_at(s, s->ticks.at[i]);
        struct buf label = BUF_INIT;

        scale_label(&label, s, s->ticks.at[i]);
        if (side == 0)
            svg_line(b, "pic-grid", f->left, y, f->right, y);
        svg_text(b, "pic-text", side ? f->right + 6 : f->left - 6, y + 4, side ? "start" : "end",
                 label.p, f->width);
        buf_free(&label);
    }
}

/* "loss (nats)" */
static void put_name(struct buf *b, const struct plot_axis *a, double x, double y,
                     const char *anchor, double width)
{
    struct buf name = BUF_INIT;

    if (!a->name)
        return;
    buf_puts(&name, a->name);
    if (a->unit)
        buf_printf(&name, " (%s)", a->unit);
    svg_text(b, "pic-muted", x, y, anchor, name.p, width);
    buf_free(&name);
}

void plot_axes(struct buf *b, const struct frame *f)
{
    const struct plot *p = f->plot;
    const bool both = f->y[1].used && p->right.name;
    const double below = f->height - EDGE - (p->note ? ROW : 0);

    put_y_ticks(b, f, 0);
    if (f->y[1].used)
        put_y_ticks(b, f, 1);
    if (p->x.category && p->x.n_category)
        put_categories(b, f);
    else
        put_x_ticks(b, f);
    svg_line(b, "pic-axis", f->left, f->bottom, f->right, f->bottom);
    put_name(b, &p->y, EDGE, f->top - 11, "start", (f->width - 2 * EDGE) * (both ? 0.5 : 1));
    if (f->y[1].used)
        put_name(b, &p->right, f->width - EDGE, f->top - 11, "end", (f->width - 2 * EDGE) / 2);
    put_name(b, &p->x, (f->left + f->right) / 2, below, "middle", f->width - 2 * EDGE);
    if (p->diagonal) {
        const double low = fmax(f->x.min, f->y[0].min), high = fmin(f->x.max, f->y[0].max);

        if (low < high)
            svg_line(b, "pic-axis pic-diagonal", scale_at(&f->x, low), scale_at(&f->y[0], low),
                     scale_at(&f->x, high), scale_at(&f->y[0], high));
    }
}
