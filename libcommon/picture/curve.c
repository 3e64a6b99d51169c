#include "curve.h"

#include "ticks.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_MAX = 72, LABEL = 9 };

/* Dots of a cell: two across and four down in braille (U+2800), one else. */
struct grid {
    int columns, rows; /* cells */
    int across, down;  /* dots of a cell */
    unsigned char *cell;
    double x_low, x_high, y_low, y_high;
};

static void set_dot(struct grid *g, int x, int y)
{
    static const unsigned char bits[4][2] = { { 1, 8 }, { 2, 16 }, { 4, 32 }, { 64, 128 } };

    g->cell[y / g->down * g->columns + x / g->across] |= bits[y % g->down][x % g->across];
}

/* V's place among N dots. */
static double place(double v, double low, double high, int n)
{
    return high > low ? (v / 2 - low / 2) / (high / 2 - low / 2) * (n - 1) : (n - 1) / 2.0;
}

static void draw(struct grid *g, const double *x, const double *y, size_t n)
{
    const int width = g->columns * g->across, height = g->rows * g->down;
    double before_x = 0, before_y = 0;
    bool begun = false;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]))
            continue;
        const double at_x = place(x[i], g->x_low, g->x_high, width);
        const double at_y = height - 1 - place(y[i], g->y_low, g->y_high, height);

        if (!begun)
            before_x = at_x, before_y = at_y;
        begun = true;
        const double dx = at_x - before_x, dy = at_y - before_y;
        const int steps = (int)fmax(fabs(dx), fabs(dy)) + 1;

        for (int k = 0; k <= steps; k++)
            set_dot(g, (int)(before_x + dx * k / steps + 0.5),
                    (int)(before_y + dy * k / steps + 0.5));
        before_x = at_x;
        before_y = at_y;
    }
}

static void put_label(struct buf *b, const struct term *t, const struct grid *g, int row)
{
    struct buf label = BUF_INIT;

    if (row == 0 || row == g->rows - 1)
        ticks_value(&label, row ? g->y_low : g->y_high);
    buf_printf(b, "%*s", LABEL - 2, label.n ? label.p : "");
    buf_puts(b, t->utf8 ? " \xe2\x94\x82" : " |"); /* U+2502 */
    buf_free(&label);
}

static void put_row(struct buf *b, const struct term *t, const struct grid *g, int row)
{
    const unsigned char *cell = g->cell + row * g->columns;
    int used = g->columns;

    put_label(b, t, g, row);
    while (used && !cell[used - 1])
        used--;
    for (int i = 0; i < used; i++) {
        char text[4];

        if (!cell[i])
            buf_putc(b, ' ');
        else if (t->utf8)
            buf_add(b, text, (size_t)utf8_encode(0x2800u + cell[i], text));
        else
            buf_putc(b, '*');
    }
    buf_putc(b, '\n');
}

/* "step 1" at the left, "448" at the right. */
static void put_across(struct buf *b, const struct grid *g, const char *x_name)
{
    struct buf low = BUF_INIT, high = BUF_INIT;

    buf_printf(&low, "%s ", x_name);
    ticks_value(&low, g->x_low);
    ticks_value(&high, g->x_high);
    buf_printf(b, "%*s%s%*s\n", LABEL, "", low.p, g->columns - (int)low.n, high.p);
    buf_free(&low);
    buf_free(&high);
}

static size_t measure(struct grid *g, const double *x, const double *y, size_t n)
{
    size_t good = 0;

    g->x_low = g->y_low = INFINITY;
    g->x_high = g->y_high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]))
            continue;
        g->x_low = fmin(g->x_low, x[i]);
        g->x_high = fmax(g->x_high, x[i]);
        g->y_low = fmin(g->y_low, y[i]);
        g->y_high = fmax(g->y_high, y[i]);
        good++;
    }
    return good;
}

void curve_text(struct buf *b, const struct term *t, const char *name, const char *x_name,
                const double *x, const double *y, size_t n, int rows)
{
    struct grid g = { .rows = rows, .across = t->utf8 ? 2 : 1, .down = t->utf8 ? 4 : 1 };

    if (measure(&g, x, y, n) < 2)
        return;
    g.columns = (t->width < WIDTH_MAX ? t->width : WIDTH_MAX) - LABEL - 1;
    g.cell = xcalloc((size_t)g.columns * (size_t)rows, 1);
    draw(&g, x, y, n);
    buf_printf(b, "%*s\n", LABEL - 2 > (int)strlen(name) ? LABEL - 2 : 0, name);
    for (int r = 0; r < rows; r++)
        put_row(b, t, &g, r);
    put_across(b, &g, x_name);
    free(g.cell);
}
