#include "plot_impl.h"

#include "markup.h"
#include "svg.h"

#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

enum { WHISKERS_MAX = 150, MARKERS_MAX = 60, BOXES_MAX = 400 };

/* Around the point where the path stands. */
static const char *const markers[] = {
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "m-2.7-2.7h5.4v5.4h-5.4z",
    "m0-3.6l3.4 5.8h-6.8z",
    "m0-3.8l3.8 3.8-3.8 3.8-3.8-3.8z",
    "m-3.6-1.1h2.5v-2.5h2.2v2.5h2.5v2.2h-2.5v2.5h-2.2v-2.5h-2.5z",
    "m-3-1.6l1.4-1.4 1.6 1.6 1.6-1.6 1.4 1.4-1.6 1.6 1.6 1.6-1.4 1.4-1.6-1.6-1.6 1.6-1.4-1.4 "
    "1.6-1.6z",
};

struct series {
    const struct frame *f;
    const struct plot_series *s;
    const struct scale *y;
    int colour;
    double shift; /* of a bar from its x, in units of x */
};

static double at_x(const struct series *d, size_t i)
{
    return scale_at(&d->f->x, series_x(d->s, i) + d->shift);
}

static double at_y(const struct series *d, size_t i)
{
    return d->s->y ? scale_at(d->y, d->s->y[i]) : NAN;
}

/* ---- lines ---- */

/* A path that leaves out what cannot be seen: of the points that fall in one half pixel those that
 * come first and last, and the lowest and the highest. */
struct path {
    struct buf *b;
    bool steps, begun;
    double column; /* of those kept back, twice their x */
    size_t n;
    struct {
        double x, y;
        size_t at;
    } first, low, high, last;
};

static void path_put(struct path *p, double x, double y)
{
    if (p->begun && p->steps) {
        buf_putc(p->b, 'H');
        markup_number(p->b, x);
        buf_putc(p->b, 'V');
        markup_number(p->b, y);
    } else {
        svg_point(p->b, p->begun ? 'L' : 'M', x, y);
    }
    p->begun = true;
}

static void path_flush(struct path *p)
{
    const bool up = p->low.at < p->high.at;

    if (!p->n)
        return;
    path_put(p, p->first.x, p->first.y);
    const size_t a = up ? p->low.at : p->high.at, c = up ? p->high.at : p->low.at;

    if (a > 0 && a < p->n - 1)
        up ? path_put(p, p->low.x, p->low.y) : path_put(p, p->high.x, p->high.y);
    if (c > 0 && c < p->n - 1 && c != a)
        up ? path_put(p, p->high.x, p->high.y) : path_put(p, p->low.x, p->low.y);
    if (p->n > 1)
        path_put(p, p->last.x, p->last.y);
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
    p->last.x = x;
    p->last.y = y;
    p->last.at = p->n++;
    if (p->n == 1)
        p->first = p->low = p->high = p->last;
    if (y < p->low.y)
        p->low = p->last;
    if (y > p->high.y)
        p->high = p->last;
}

static void put_line(struct buf *b, const struct series *d)
{
    struct path p = { .b = b, .steps = d->s->mark == PLOT_STEPS };

    buf_printf(b, "<path class=\"pic-line pic-l%d pic-d%d\" d=\"", d->colour, d->colour);
    const size_t before = b->n;

    for (size_t i = 0; i < d->s->n; i++)
        path_add(&p, at_x(d, i), at_y(d, i));
    path_flush(&p);
    if (b->n == before)
        buf_puts(b, "M0 0");
    buf_puts(b, "\"/>\n");
}

/* ---- points ---- */

static void put_markers(struct buf *b, const struct series *d)
{
    const struct frame *f = d->f;
    const size_t across = (size_t)f->width + 1, all = across * ((size_t)f->height + 1);
    bool *taken = xcalloc(all, 1);

    buf_printf(b, "<path class=\"pic-f%d\" d=\"M0 0", d->colour);
    for (size_t i = 0; i < d->s->n; i++) {
        const double x = at_x(d, i), y = at_y(d, i);

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
static void put_lonely(struct buf *b, const struct series *d)
{
    bool any = false;

    for (size_t i = 0; i < d->s->n; i++) {
        const bool before = i && isfinite(at_y(d, i - 1)) && isfinite(at_x(d, i - 1));
        const bool after = i + 1 < d->s->n && isfinite(at_y(d, i + 1)) && isfinite(at_x(d, i + 1));

        if (before || after || !isfinite(at_y(d, i)) || !isfinite(at_x(d, i)))
            continue;
        if (!any)
            buf_printf(b, "<path class=\"pic-f%d\" d=\"", d->colour);
        any = true;
        svg_point(b, 'M', at_x(d, i), at_y(d, i));
        buf_puts(b, markers[d->colour]);
    }
    if (any)
        buf_puts(b, "\"/>\n");
}

/* ---- ranges ---- */

static bool has_range(const struct series *d, size_t i)
{
    return isfinite(d->s->low[i]) && isfinite(d->s->high[i]) && isfinite(series_x(d->s, i));
}

static void put_whiskers(struct buf *b, const struct series *d)
{
    buf_printf(b, "<path class=\"pic-thin pic-l%d\" d=\"M0 0", d->colour);
    for (size_t i = 0; i < d->s->n; i++) {
        if (!has_range(d, i))
            continue;
        const double x = at_x(d, i);

        svg_point(b, 'M', x - 3, scale_at(d->y, d->s->low[i]));
        buf_puts(b, "h6");
        svg_point(b, 'M', x, scale_at(d->y, d->s->low[i]));
        buf_putc(b, 'V');
        markup_number(b, scale_at(d->y, d->s->high[i]));
        buf_puts(b, "m-3 0h6");
    }
    buf_puts(b, "\"/>\n");
}

/* From I on, as long as there are edges: their upper one forwards, the lower one back. The next I.
 */
static size_t put_band_part(struct buf *b, const struct series *d, size_t i)
{
    struct buf back = BUF_INIT;
    bool first = true;

    while (i < d->s->n && has_range(d, i)) {
        const double column = floor(at_x(d, i) * 2), x = at_x(d, i);
        double low = d->s->low[i], high = d->s->high[i];

        for (i++; i < d->s->n && has_range(d, i) && floor(at_x(d, i) * 2) == column; i++) {
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

static void put_band(struct buf *b, const struct series *d)
{
    buf_printf(b, "<path class=\"pic-band pic-f%d\" d=\"M0 0", d->colour);
    for (size_t i = 0; i < d->s->n;)
        i = has_range(d, i) ? put_band_part(b, d, i) : i + 1;
    buf_puts(b, "\"/>\n");
}

/* ---- bars ---- */

static void put_bar(struct buf *b, int colour, double x, double y, double width, double height)
{
    char name[40];

    (void)snprintf(name, sizeof name, "pic-thin pic-b%d pic-f%d pic-l%d", colour, colour, colour);
    svg_rect(b, name, x, y, width, height, -1);
}

static void put_bars(struct buf *b, const struct series *d)
{
    const double half = d->f->bar / 2, zero = scale_at(d->y, 0);

    for (size_t i = 0; i < d->s->n; i++) {
        const double x = series_x(d->s, i) + d->shift, y = at_y(d, i);
        const double from = scale_at(&d->f->x, x - half), to = scale_at(&d->f->x, x + half);

        if (isfinite(from) && isfinite(to) && isfinite(y))
            put_bar(b, d->colour, from, fmin(y, zero), to - from, fabs(y - zero));
    }
}

void plot_sample(struct buf *b, const struct frame *f, size_t series, double x, double y)
{
    const struct plot_series *s = &f->plot->series[series];
    const int colour = series_colour(f->plot, series);

    if (s->mark == PLOT_BARS) {
        put_bar(b, colour, x + 6, y - 5, 10, 10);
        return;
    }
    if (s->mark == PLOT_BAND) {
        char name[24];

        (void)snprintf(name, sizeof name, "pic-band pic-f%d", colour);
        svg_rect(b, name, x, y - 5, 22, 10, -1);
    }
    if (s->mark != PLOT_POINTS && (s->mark != PLOT_BAND || s->y)) {
        char name[32];

        (void)snprintf(name, sizeof name, "pic-line pic-l%d pic-d%d", colour, colour);
        svg_line(b, name, x, y, x + 22, y);
    }
    if (s->mark == PLOT_POINTS || s->mark == PLOT_LINE_POINTS) {
        buf_printf(b, "<path class=\"pic-f%d\" d=\"", colour);
        svg_point(b, 'M', x + 11, y);
        buf_printf(b, "%s\"/>\n", markers[colour]);
    }
}

/* ---- texts among the points ---- */

struct boxes {
    struct {
        double x, y, width;
    } box[BOXES_MAX];
    int n;
};

static bool place(struct boxes *t, double x, double y, double width)
{
    for (int i = 0; i < t->n; i++)
        if (fabs(t->box[i].y - y) < 13 && x < t->box[i].x + t->box[i].width + 3 &&
            t->box[i].x < x + width + 3)
            return false;
    if (t->n == BOXES_MAX)
        return false;
    t->box[t->n].x = x;
    t->box[t->n].y = y;
    t->box[t->n++].width = width;
    return true;
}

static void put_labels(struct buf *b, const struct series *d, struct boxes *taken)
{
    const struct frame *f = d->f;

    for (size_t i = 0; i < d->s->n; i++) {
        const char *text = d->s->label[i];
        const double at = at_x(d, i), up = at_y(d, i);

        if (!text || !isfinite(at) || !isfinite(up))
            continue;
        const double width = fmin(svg_width(text), 120);
        double x = at + 6, y = up - 5;

        if (d->s->mark == PLOT_BARS)
            x = at - width / 2;
        else if (x + width > f->width - 2)
            x = at - 6 - width;
        x = fmax(2, fmin(x, f->width - 2 - width));
        y = fmax(y, f->top + 4);
        if (place(taken, x, y, width))
            svg_text(b, "pic-text", x, y, "start", text, 120);
    }
}

/* Names at the ends of lines, pushed apart. */
static void put_ends(struct buf *b, const struct frame *f)
{
    struct {
        double y;
        const char *name;
        int colour;
    } end[24];
    size_t n = 0;

    for (size_t k = 0; k < f->plot->n && n < sizeof end / sizeof *end; k++) {
        const struct plot_series *s = &f->plot->series[k];
        const struct series d = { f, s, &f->y[s->right], series_colour(f->plot, k), 0 };
        size_t i = s->n, at = n;

        if (!s->name || s->mark == PLOT_BARS || s->mark == PLOT_BAND || s->mark == PLOT_POINTS)
            continue;
        while (i && !isfinite(at_y(&d, i - 1)))
            i--;
        if (!i)
            continue;
        const double y = at_y(&d, i - 1);

        for (; at && end[at - 1].y > y; at--)
            end[at] = end[at - 1];
        end[at].y = y;
        end[at].name = s->name;
        end[at].colour = d.colour;
        n++;
    }
    for (size_t i = 1; i < n; i++)
        end[i].y = fmax(end[i].y, end[i - 1].y + 14);
    for (size_t i = n; i--;) /* and back, from the lower edge */
        end[i].y = fmin(end[i].y, i + 1 < n ? end[i + 1].y - 14 : f->bottom);
    for (size_t i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "pic-f%d", end[i].colour);
        svg_rect(b, name, f->right + 2, end[i].y - 5, 3, 10, -1);
        svg_text(b, "pic-text", f->right + 8, end[i].y + 4, "start", end[i].name,
                 f->width - f->right - 10);
    }
}

/* ---- all of it ---- */

static void put_series(struct buf *b, const struct series *d)
{
    const struct plot_series *s = d->s;
    const bool range = s->low && s->high;

    if (range && (s->mark == PLOT_BAND || s->n > WHISKERS_MAX))
        put_band(b, d);
    if (s->mark == PLOT_BARS)
        put_bars(b, d);
    if (range && s->mark != PLOT_BAND && s->n <= WHISKERS_MAX)
        put_whiskers(b, d);
    if (!s->y || s->mark == PLOT_BARS)
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
    for (size_t k = 0; k < f->plot->n; k++)
        for (size_t i = 0; i < f->plot->series[k].n; i++)
            if (f->plot->series[k].y ? isfinite(f->plot->series[k].y[i])
                                     : isfinite(f->plot->series[k].high[i]))
                return true;
    return false;
}

void plot_marks(struct buf *b, const struct frame *f)
{
    const struct plot *p = f->plot;
    struct boxes taken = { .n = 0 };
    int bar = 0;

    buf_printf(b, "<clipPath id=\"%s-c\">", p->id);
    svg_rect(b, "pic-clip", f->left - 4, f->top - 4, f->right - f->left + 8, f->bottom - f->top + 8,
             -1);
    buf_printf(b, "</clipPath>\n<g clip-path=\"url(#%s-c)\">\n", p->id);
    for (int bands = 1; bands >= 0; bands--) { /* under the lines */
        for (size_t k = 0; k < p->n; k++) {
            const struct plot_series *s = &p->series[k];
            struct series d = { f, s, &f->y[s->right], series_colour(p, k), 0 };

            if ((s->mark == PLOT_BAND || s->mark == PLOT_BARS) != bands)
                continue;
            if (s->mark == PLOT_BARS)
                d.shift = (bar++ - (f->n_bars - 1) / 2.0) * f->bar;
            put_series(b, &d);
        }
    }
    buf_puts(b, "</g>\n");
    bar = 0;
    for (size_t k = 0; k < p->n; k++) {
        const struct plot_series *s = &p->series[k];
        struct series d = { f, s, &f->y[s->right], 0, 0 };

        if (s->mark == PLOT_BARS)
            d.shift = (bar++ - (f->n_bars - 1) / 2.0) * f->bar;
        if (s->label)
            put_labels(b, &d, &taken);
    }
    if (p->direct)
        put_ends(b, f);
    if (!has_values(f))
        svg_text(b, "pic-muted", (f->left + f->right) / 2, (f->top + f->bottom) / 2, "middle",
                 "no values", f->right - f->left);
}
