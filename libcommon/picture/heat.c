#include "heat.h"

#include "markup.h"
#include "svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EDGE = 8, ROW = 16, NAME_MAX_WIDTH = 96, IN_TITLE = 40 };

struct grid {
    const struct heat *h;
    double width, height;           /* of the picture */
    double left, top, across, down; /* of the first cell: where, and how large */
    bool turned;                    /* names of columns read upwards */
    size_t stride;                  /* each so many of them are there */
    bool counts, shares;            /* as text in the cells */
};

static int64_t row_sum(const struct heat *h, size_t row)
{
    int64_t sum = 0;

    for (size_t c = 0; c < h->n_columns; c++)
        sum += h->count[row * h->n_columns + c];
    return sum;
}

static double widest_count(const struct heat *h)
{
    int64_t most = 0;
    char text[32];

    for (size_t i = 0; i < h->n_rows * h->n_columns; i++)
        most = h->count[i] > most ? h->count[i] : most;
    (void)snprintf(text, sizeof text, "%" PRId64, most);
    return svg_width(text);
}

static void lay_out(struct grid *g, bool alone)
{
    const struct heat *h = g->h;
    const double names = fmin(svg_widest(h->row, h->n_rows), NAME_MAX_WIDTH);
    const double columns = svg_widest(h->column, h->n_columns);

    g->width = 360;
    g->left =
        EDGE + fmax(names, h->rows_name ? fmin(svg_width(h->rows_name), NAME_MAX_WIDTH) : 0) + 6;
    g->across = (g->width - EDGE - g->left) / (double)(h->n_columns ? h->n_columns : 1);
    g->down = fmin(fmax(g->across, 13), h->n_rows > 12 ? 20 : 40);
    g->turned = columns + 4 > g->across && g->across < 66;
    g->stride = g->turned && g->across < 13 ? (size_t)ceil(13 / g->across) : 1;
    g->top = EDGE + (alone ? 20 : 0) + (h->columns_name ? ROW : 0) +
             (g->turned ? fmin(columns, NAME_MAX_WIDTH) + 8 : ROW + 2);
    g->counts = widest_count(h) + 4 <= g->across;
    g->shares = g->counts && g->across >= 40 && g->down >= 32;
    g->height = g->top + g->down * (double)h->n_rows + EDGE + ROW + 4 + (h->note ? ROW : 0);
}

static void put_names(struct buf *b, const struct grid *g, bool alone)
{
    const struct heat *h = g->h;
    const double up = EDGE + (alone ? 20 : 0) + 11;

    if (h->columns_name)
        svg_text(b, "pic-muted", g->width - EDGE, up, "end", h->columns_name, g->width - g->left);
    if (h->rows_name)
        svg_text(b, "pic-muted", EDGE, g->top - 6, "start", h->rows_name, g->left - EDGE - 4);
    for (size_t c = 0; c < h->n_columns; c += g->stride) {
        const double x = g->left + ((double)c + 0.5) * g->across;

        if (g->turned)
            svg_text_up(b, "pic-text", x + 4, g->top - 5, "start", h->column[c], NAME_MAX_WIDTH);
        else
            svg_text(b, "pic-text", x, g->top - 6, "middle", h->column[c], g->across - 4);
    }
    for (size_t r = 0; r < h->n_rows; r++)
        svg_text(b, "pic-text", g->left - 6, g->top + ((double)r + 0.5) * g->down + 4, "end",
                 h->row[r], g->left - EDGE - 6);
}

static void put_cell(struct buf *b, const struct grid *g, size_t r, size_t c, int64_t sum)
{
    const struct heat *h = g->h;
    const int64_t count = h->count[r * h->n_columns + c];
    const double share = sum > 0 ? (double)count / (double)sum : 0;
    const double x = g->left + (double)c * g->across, y = g->top + (double)r * g->down;
    const double middle = x + g->across / 2;
    char text[32];

    if (!count && !g->counts)
        return;
    buf_puts(b, "<g><title>");
    (void)markup_text(b, h->row[r], strlen(h->row[r]), IN_TITLE);
    buf_puts(b, " → ");
    (void)markup_text(b, h->column[c], strlen(h->column[c]), IN_TITLE);
    buf_printf(b, ": %" PRId64 ", %.1f %%</title>\n", count, 100 * share);
    svg_rect(b, "pic-heat", x, y, g->across, g->down, share);
    if (g->counts) {
        (void)snprintf(text, sizeof text, "%" PRId64, count);
        svg_text(b, count ? "pic-text" : "pic-muted", middle,
                 y + g->down / 2 + (g->shares ? -2 : 4), "middle", text, g->across);
    }
    if (g->shares) {
        (void)snprintf(text, sizeof text, "%.0f %%", 100 * share);
        svg_text(b, count ? "pic-text" : "pic-muted", middle, y + g->down / 2 + 13, "middle", text,
                 g->across);
    }
    buf_puts(b, "</g>\n");
}

static void put_lines(struct buf *b, const struct grid *g)
{
    const double right = g->left + g->across * (double)g->h->n_columns;
    const double bottom = g->top + g->down * (double)g->h->n_rows;

    for (size_t r = 0; r <= g->h->n_rows; r++)
        svg_line(b, "pic-grid", g->left, g->top + (double)r * g->down, right,
                 g->top + (double)r * g->down);
    const size_t step = g->across >= 6 ? 1 : g->h->n_columns; /* too narrow: the outer ones */

    for (size_t c = 0; c <= g->h->n_columns; c += step) {
        const double x = g->left + (double)c * g->across;

        svg_line(b, "pic-grid", x, g->top, x, bottom);
    }
}

/* 0 % [] [] [] [] [] 100 % of the row */
static void put_scale(struct buf *b, const struct grid *g)
{
    const double y = g->height - EDGE - (g->h->note ? ROW : 0);
    double x = EDGE + 26;

    svg_text(b, "pic-muted", EDGE, y, "start", "0 %", 30);
    for (int i = 0; i < 5; i++, x += 16) {
        svg_rect(b, "pic-heat", x, y - 10, 16, 12, i / 4.0);
        svg_rect(b, "pic-cell", x, y - 10, 16, 12, -1);
    }
    svg_text(b, "pic-muted", x + 5, y, "start", "100 % of the row", g->width - x);
}

void heat_svg(struct buf *b, const struct heat *h, bool alone)
{
    struct grid g = { .h = h };

    lay_out(&g, alone);
    svg_open(b, h->id, h->title, h->desc, g.width, g.height, alone);
    for (size_t r = 0; r < h->n_rows; r++)
        for (size_t c = 0; c < h->n_columns; c++)
            put_cell(b, &g, r, c, row_sum(h, r));
    put_lines(b, &g);
    put_names(b, &g, alone);
    put_scale(b, &g);
    if (h->note)
        svg_text(b, "pic-muted", EDGE, g.height - EDGE, "start", h->note, g.width - 2 * EDGE);
    svg_close(b);
}
