#include "plot_impl.h"

#include "markup.h"
#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WHISKERS_MAX = 150, MARKERS_MAX = 60 };

/* Around the point where the path stands. */
static const char *const markers[] = {
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "m-2.7-2.7h5.4v5.4h-5.4z",
    "m0-3.6l3.4 5.8h-6.8z",
    "m0-3.8l3.8 3.8-3.8 3.8-3.8-3.8z",
    "m-3.6-1.1h2.5v-2.5h2.2v2.5h2.5v2.2h-2.5v2.5h-2.2v-2.5h-2.5z",
    ("m-3-1.6l1.4-1.4 1.6 1.6 1.6-1.6 1.4 1.4-1.6 1.6 1.6 1.6-1.4 1.4-1.6-1.6-1.6 1.6-1.4-1.4 "
     "1.6-1.6z"),
};

/* ---- lines ---- */

/* A path that leaves out what cannot be seen: of the points that fall in one half pixel those that
 * come first and last, and the lowest and the highest. */
struct path {
    struct buf *b;
    bool begun;
    double column; /* of those kept back, twice their x */
    size_t n;
    struct spot {
        double x, y;
        size_t at;
    } first, low, high, last;
};

static void path_put(struct path *p, struct spot at)
{
    svg_point(p->b, p->begun ? 'L' : 'M', at.x, at.y);
    p->begun = true;
}

static void path_flush(struct path *p)
{
    const bool up = p->low.at < p->high.at;
    const struct spot a = up ? p->low : p->high, c = up ? p->high : p->low;

    if (!p->n)
        return;
    path_put(p, p->first);
    if (a.at > 0 && a.at < p->n - 1)
        path_put(p, a);
    if (c.at > 0 && c.at < p->n - 1 && c.at != a.at)
        path_put(p, c);
    if (p->n > 1)
        path_put(p, p->last);
    p->n = 0;
}

static void path_add(struct path *p, double x, double y)
{
    const double column = floor(x * 2);

    if (!isfinite(x) || !isfinite(y)) {
        path_flush(p);
        p->begun = false;
        return;
    }
    if (p->n && column != p->column)
        path_flush(p);
    p->column = column;
    p->last = (struct spot){ x, y, p->n++ };
    if (p->n == 1)
        p->first = p->low = p->high = p->last;
    if (y < p->low.y)
        p->low = p->last;
    if (y > p->high.y)
        p->high = p->last;
}

static void put_line(struct buf *b, const struct drawn *d)
{
    struct path p = { .b = b };

    buf_printf(b, "<path class=\"pic-line pic-l%d pic-d%d\" d=\"", d->colour, d->colour);
    const size_t before = b->n;

    for (size_t i = 0; i < d->s->n; i++)
        path_add(&p, drawn_x(d, i), drawn_y(d, i));
    path_flush(&p);
    if (b->n == before)
        buf_puts(b, "M0 0");
    buf_puts(b, "\"/>\n");
}

/* ---- points ---- */

static void put_markers(struct buf *b, const struct drawn *d)
{
    const struct frame *f = d->f;
    const size_t across = (size_t)f->width + 1, all = across * ((size_t)f->height + 1);
    bool *taken = xcalloc(all, 1);

    buf_printf(b, "<path class=\"pic-f%d\" d=\"M0 0", d->colour);
    for (size_t i = 0; i < d->s->n; i++) {
        const double x = drawn_x(d, i), y = drawn_y(d, i);

        if (!(x >= f->left - 4 && x <= f->right + 4 && y >= f->top - 4 && y <= f->bottom + 4))
            continue;
        bool *cell = &taken[(size_t)y * across + (size_t)x];

        if (*cell)
            continue;
        *cell = true;
        svg_point(b, 'M', x, y);
        buf_puts(b, markers[d->colour]);
    }
    buf_puts(b, "\"/>\n");
    free(taken);
}

/* A point that no line reaches would not be seen. */
static void put_lonely(struct buf *b, const struct drawn *d)
{
    bool any = false;

    for (size_t i = 0; i < d->s->n; i++) {
        const bool before = i && isfinite(drawn_y(d, i - 1)) && isfinite(drawn_x(d, i - 1));
        const bool after =
            i + 1 < d->s->n && isfinite(drawn_y(d, i + 1)) && isfinite(drawn_x(d, i + 1));

        if (before || after || !isfinite(drawn_y(d, i)) || !isfinite(drawn_x(d, i)))
            continue;
        if (!any)
            buf_printf(b, "<path class=\"pic-f%d\" d=\"", d->colour);
        any = true;
        svg_point(b, 'M', drawn_x(d, i), drawn_y(d, i));
        buf_puts(b, markers[d->colour]);
    }
    if (any)
        buf_puts(b, "\"/>\n");
}

/* ---- ranges ---- */

static void put_whiskers_in(struct buf *b, const struct drawn *d, const char *class_name)
{
    buf_printf(b, "<path class=\"%s\" d=\"M0 0", class_name);
    for (size_t i = 0; i < d->s->n; i++) {
        if (!drawn_has_range(d, i))
            continue;
        const double x = drawn_x(d, i);

        svg_point(b, 'M', x - 3, scale_at(d->y, d->s->low[i]));
        buf_puts(b, "h6");
        svg_point(b, 'M', x, scale_at(d->y, d->s->low[i]));
        buf_putc(b, 'V');
        markup_number(b, scale_at(d->y, d->s->high[i]));
        buf_puts(b, "m-3 0h6");
    }
    buf_puts(b, "\"/>\n");
}

/* Over bars in ink with an edge of paper, for a bar has the colour of its series. */
static void put_whiskers(struct buf *b, const struct drawn *d)
{
    char name[24];

    (void)snprintf(name, sizeof name, "pic-thin pic-l%d", d->colour);
    if (d->s->mark != PLOT_BARS) {
        put_whiskers_in(b, d, name);
        return;
    }
    put_whiskers_in(b, d, "pic-edge");
    put_whiskers_in(b, d, "pic-thin pic-ink");
}

/* From I on, as long as there are edges: their upper one forwards, the lower one back. The next I.
 */
static size_t put_band_part(struct buf *b, const struct drawn *d, size_t i)
{
    struct buf back = BUF_INIT;
    bool first = true;

    while (i < d->s->n && drawn_has_range(d, i)) {
        const double column = floor(drawn_x(d, i) * 2), x = drawn_x(d, i);
        double low = d->s->low[i], high = d->s->high[i];

        for (i++; i < d->s->n && drawn_has_range(d, i) && floor(drawn_x(d, i) * 2) == column; i++) {
            low = fmin(low, d->s->low[i]);
            high = fmax(high, d->s->high[i]);
        }
        svg_point(b, first ? 'M' : 'L', x, scale_at(d->y, high));
        first = false;

        struct buf joined = BUF_INIT;

        svg_point(&joined, 'L', x, scale_at(d->y, low));
        buf_add(&joined, back.p, back.n);
        buf_free(&back);
        back = joined;
    }
    buf_add(b, back.p, back.n);
    buf_putc(b, 'z');
    buf_free(&back);
    return i;
}

static void put_band(struct buf *b, const struct drawn *d)
{
    buf_printf(b, "<path class=\"pic-band pic-f%d\" d=\"M0 0", d->colour);
    for (size_t i = 0; i < d->s->n;)
        i = drawn_has_range(d, i) ? put_band_part(b, d, i) : i + 1;
    buf_puts(b, "\"/>\n");
}

/* ---- bars ---- */

static void put_bar(struct buf *b, int colour, double x, double y, double width, double height)
{
    char name[48];

    (void)snprintf(name, sizeof name, "pic-thin pic-b%d pic-f%d pic-l%d", colour, colour, colour);
    svg_rect(b, name, x, y, width, height, -1);
}

static void put_bars(struct buf *b, const struct drawn *d)
{
    const struct scale *x_axis = &d->f->x;
    const double half = (scale_at(x_axis, d->f->bar) - scale_at(x_axis, 0)) / 2;
    const double zero = scale_at(d->y, 0);

    for (size_t i = 0; i < d->s->n; i++) {
        const double x = drawn_x(d, i), y = drawn_y(d, i);

        if (isfinite(x) && isfinite(y))
            put_bar(b, d->colour, x - half, fmin(y, zero), 2 * half, fabs(y - zero));
    }
}

void plot_sample(struct buf *b, const struct frame *f, size_t series, double x, double y)
{
    const struct drawn d = drawn_series(f, series);
    const struct plot_series *s = d.s;
    const int colour = d.colour;

    if (s->mark == PLOT_BARS) {
        put_bar(b, colour, x + 6, y - 5, 10, 10);
        return;
    }
    if (s->mark != PLOT_POINTS) {
        char name[48];

        (void)snprintf(name, sizeof name, "pic-line pic-l%d pic-d%d", colour, colour);
        svg_line(b, name, x, y, x + 22, y);
    }
    if (s->mark != PLOT_LINE) {
        buf_printf(b, "<path class=\"pic-f%d\" d=\"", colour);
        svg_point(b, 'M', x + 11, y);
        buf_printf(b, "%s\"/>\n", markers[colour]);
    }
}

/* ---- all of it ---- */

static void put_series(struct buf *b, const struct drawn *d)
{
    const struct plot_series *s = d->s;
    const bool range = s->low && s->high;

    if (range && s->n > WHISKERS_MAX)
        put_band(b, d);
    if (s->mark == PLOT_BARS)
        put_bars(b, d);
    if (range && s->n <= WHISKERS_MAX)
        put_whiskers(b, d);
    if (s->mark == PLOT_BARS)
        return;
    if (s->mark != PLOT_POINTS) {
        put_line(b, d);
        put_lonely(b, d);
    }
    if (s->mark == PLOT_POINTS || (s->mark == PLOT_LINE_POINTS && s->n <= MARKERS_MAX))
        put_markers(b, d);
}

static bool has_values(const struct frame *f)
{
    for (size_t k = 0; k < f->plot->n; k++) {
        const struct drawn d = drawn_series(f, k);

        for (size_t i = 0; i < d.s->n; i++)
            if (isfinite(drawn_x(&d, i)) && (isfinite(drawn_y(&d, i)) || drawn_has_range(&d, i)))
                return true;
    }
    return false;
}

void plot_marks(struct buf *b, const struct frame *f)
{
    const char *const id = f->plot->id;

    buf_printf(b, "<clipPath id=\"%s-c\">", id);
    svg_rect(b, "pic-clip", f->left - 4, f->top - 4, f->right - f->left + 8, f->bottom - f->top + 8,
             -1);
    buf_printf(b, "</clipPath>\n<g clip-path=\"url(#%s-c)\">\n", id);
    for (int under = 1; under >= 0; under--) { /* the lines */
        for (size_t k = 0; k < f->plot->n; k++) {
            const struct drawn d = drawn_series(f, k);

            if ((d.s->mark == PLOT_BARS) == under)
                put_series(b, &d);
        }
    }
    buf_puts(b, "</g>\n");
    plot_labels(b, f);
    if (!has_values(f))
        svg_text(b, "pic-muted", (f->left + f->right) / 2, (f->top + f->bottom) / 2, "middle",
                 "no values", f->right - f->left);
}
