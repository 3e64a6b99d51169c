#include "plot_impl.h"

#include "palette.h"
#include "svg.h"

#include <math.h>
#include <stdlib.h>

static double x_of(const struct plot_series *s, size_t i)
{
    return s->x ? s->x[i] : (double)i;
}

double scale_at(const struct scale *s, double v)
{
    const double share = (v / 2 - s->min / 2) / (s->max / 2 - s->min / 2); /* no overflow */

    return s->from + share * (s->to - s->from);
}

struct drawn drawn_series(const struct frame *f, size_t series)
{
    const struct plot_series *s = &f->plot->series[series];
    const int colour = s->colour > 0 ? s->colour - 1 : (int)series;
    struct drawn d = { f, s, &f->y[s->right], colour % PALETTE_SERIES_N, 0 };
    int before = 0; /* series of bars */

    for (size_t k = 0; k < series; k++)
        before += f->plot->series[k].mark == PLOT_BARS;
    if (s->mark == PLOT_BARS)
        d.shift = (before - (f->n_bars - 1) / 2.0) * f->bar;
    return d;
}

double drawn_x(const struct drawn *d, size_t i)
{
    return scale_at(&d->f->x, x_of(d->s, i) + d->shift);
}

double drawn_y(const struct drawn *d, size_t i)
{
    return scale_at(d->y, d->s->y[i]);
}

bool drawn_has_range(const struct drawn *d, size_t i)
{
    return d->s->low && d->s->high && isfinite(d->s->low[i]) && isfinite(d->s->high[i]) &&
           isfinite(x_of(d->s, i));
}

/* ---- ranges ---- */

static void include(struct scale *s, double v)
{
    if (!isfinite(v))
        return;
    s->min = fmin(s->min, v);
    s->max = fmax(s->max, v);
}

static void include_series(struct frame *f, const struct plot_series *s)
{
    struct scale *y = &f->y[s->right];

    y->used = true;
    if (s->mark == PLOT_BARS)
        include(y, 0);
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(x_of(s, i)))
            continue;
        include(&f->x, x_of(s, i));
        include(y, s->y[i]);
        if (s->low && s->high) {
            include(y, s->low[i]);
            include(y, s->high[i]);
        }
    }
}

/* A bar's width is that of the closest two, in x. */
static void measure_bars(struct frame *f)
{
    double gap = INFINITY;

    for (size_t k = 0; k < f->plot->n; k++) {
        const struct plot_series *s = &f->plot->series[k];

        if (s->mark != PLOT_BARS)
            continue;
        f->n_bars++;
        for (size_t i = 1; i < s->n; i++) {
            const double between = fabs(x_of(s, i) - x_of(s, i - 1));

            if (between > 0)
                gap = fmin(gap, between);
        }
    }
    if (!f->n_bars)
        return;
    gap = isfinite(gap) ? gap : 1;
    f->bar = 0.8 * gap / f->n_bars;
    if (isfinite(f->x.min)) {
        include(&f->x, f->x.min - gap / 2);
        include(&f->x, f->x.max + gap / 2);
    }
}

/* From the values, or as it was asked for. */
static void settle(struct scale *s, int wanted, bool widen)
{
    const struct plot_axis *a = s->axis;

    if (a->category && a->n_category) {
        s->min = -0.5;
        s->max = (double)a->n_category - 0.5;
    } else if (a->min < a->max) {
        s->min = a->min;
        s->max = a->max;
    } else {
        const bool any = s->min <= s->max;
        const bool shares = a->percent && (!any || (s->min >= 0 && s->max <= 1));

        if (!any)
            s->min = 0, s->max = 1;
        if (a->zero)
            include(s, 0);
        if (widen || s->min == s->max)
            ticks_widen(&s->min, &s->max, wanted, a->whole);
        if (shares) {
            s->min = fmax(s->min, 0);
            s->max = fmin(s->max, 1);
        }
    }
    ticks_make(&s->ticks, s->min, s->max, wanted, a->whole);
}

/* ---- layout ---- */

static double label_width(const struct scale *s)
{
    double most = 0;

    for (int i = 0; i < s->ticks.n; i++) {
        struct buf b = BUF_INIT;

        scale_label(&b, s, s->ticks.at[i]);
        most = fmax(most, svg_width(b.p));
        buf_free(&b);
    }
    return most;
}

static void lay_out(struct frame *f, bool alone)
{
    double y = alone ? EDGE + 20 : EDGE;
    const int rows = f->height > 320 ? 7 : 5;

    settle(&f->y[0], rows, true);
    settle(&f->y[1], rows, true);
    f->left = EDGE + label_width(&f->y[0]) + 6;
    f->right = f->width - EDGE - (f->y[1].used ? label_width(&f->y[1]) : 0) - 6;
    if (f->right < f->left + 40)
        f->right = f->left + 40;
    f->legend = y + 11;
    y += plot_legend(NULL, f);
    if (f->y[0].axis->name || (f->y[1].used && f->y[1].axis->name))
        y += ROW + 3;
    f->top = y + 6;
    for (int wanted = 7; wanted >= 2; wanted--) { /* as many as stand beside each other */
        settle(&f->x, wanted, false);
        if ((label_width(&f->x) + 14) * f->x.ticks.n < f->right - f->left)
            break;
    }
    f->bottom = f->height - plot_below(f);
    if (f->bottom < f->top + 40) { /* a long legend makes the picture higher */
        f->height += f->top + 40 - f->bottom;
        f->bottom = f->top + 40;
    }
    f->x.from = f->left;
    f->x.to = f->right;
    for (int i = 0; i < 2; i++) {
        f->y[i].from = f->bottom;
        f->y[i].to = f->top;
    }
}

/* ---- in words ---- */

static void describe_axis(struct buf *b, const struct scale *s, const char *what)
{
    buf_printf(b, "%s%s", what, s->axis->name ? s->axis->name : "values");
    if (s->axis->category) {
        buf_printf(b, ", %zu categories. ", s->axis->n_category);
        return;
    }
    buf_puts(b, " from ");
    ticks_value(b, s->min);
    buf_puts(b, " to ");
    ticks_value(b, s->max);
    if (s->axis->unit)
        buf_printf(b, " %s", s->axis->unit);
    buf_puts(b, ". ");
}

static void describe_series(struct buf *b, const struct plot_series *s)
{
    double low = INFINITY, high = -INFINITY, last = NAN;
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (isfinite(s->y[i])) {
            low = fmin(low, s->y[i]);
            high = fmax(high, s->y[i]);
            last = s->y[i];
            n++;
        }
    if (!n)
        return;
    buf_printf(b, "%s: %zu values, lowest ", s->name ? s->name : "a series", n);
    ticks_value(b, low);
    buf_puts(b, ", highest ");
    ticks_value(b, high);
    buf_puts(b, ", last ");
    ticks_value(b, last);
    buf_puts(b, ". ");
}

static char *describe(const struct frame *f)
{
    struct buf b = BUF_INIT;

    describe_axis(&b, &f->y[0], "Up: ");
    if (f->y[1].used)
        describe_axis(&b, &f->y[1], "Up, at the right: ");
    describe_axis(&b, &f->x, "Across: ");
    for (size_t i = 0; i < f->plot->n; i++)
        describe_series(&b, &f->plot->series[i]);
    b.p[--b.n] = '\0';
    return b.p;
}

void plot_svg(struct buf *b, const struct plot *p, bool alone)
{
    struct frame f = { .plot = p, .width = 360, .height = p->height > 0 ? p->height : 240 };
    const struct scale none = { .min = INFINITY, .max = -INFINITY };

    f.x = f.y[0] = f.y[1] = none;
    f.x.axis = &p->x;
    f.y[0].axis = &p->y;
    f.y[1].axis = &p->right;
    for (size_t i = 0; i < p->n; i++)
        include_series(&f, &p->series[i]);
    measure_bars(&f);
    lay_out(&f, alone);

    char *words = describe(&f);

    svg_open(b, p->id, p->title, words, f.width, f.height, alone);
    plot_axes(b, &f);
    plot_marks(b, &f);
    (void)plot_legend(b, &f);
    if (p->note)
        svg_text(b, "pic-muted", EDGE, f.height - EDGE, "start", p->note, f.width - 2 * EDGE);
    svg_close(b);
    free(words);
}
