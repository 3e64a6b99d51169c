#include "page_parts.h"

enum { SLICES_SHOWN = 100, SLICES_DRAWN = LABELS_DRAWN };

static void put_name(struct buf *b, const char *value)
{
    if (*value)
        html_name(b, value, NAME_SHOWN);
    else
        buf_puts(b, "<span class=\"m\">(empty)</span>");
}

/* Names such as "slices.2.b.accuracy": of the lines of score --by --json the third. */
static void put_slice(struct buf *b, const struct page *p, int slice, int run)
{
    const struct assessment *a = &p->slices[slice * p->n + run];
    const char *path = page_path(p, run);

    if (run == 0) {
        buf_puts(b, "<td>");
        html_number(b, HTML_COUNT, (double)a->m.n, "slices.%d.%sn", slice, path);
        buf_puts(b, "</td>");
    }
    buf_puts(b, "<td class=\"r\">");
    html_number(b, HTML_SHARE, a->m.figure[ACCURACY], "slices.%d.%saccuracy", slice, path);
    html_interval(b, HTML_SHARE, a->accuracy, "slices.%d.%saccuracy_interval", slice, path);
    buf_puts(b, "</td><td>");
    html_number(b, HTML_FIGURE, a->m.figure[MACRO_F1], "slices.%d.%smacro_f1", slice, path);
    buf_puts(b, "</td>");
}

static void put_table(struct buf *b, const struct page *p)
{
    const int n = p->n_slices;

    buf_puts(b, "<div class=\"scroll\"><table>\n<thead>");
    page_run_groups(b, p, 0, p->n, 2);
    buf_puts(b, "<tr><th scope=\"col\">");
    html_name(b, p->by, NAME_SHOWN);
    buf_puts(b, "</th><th scope=\"col\">records</th>");
    for (int r = 0; r < p->n; r++)
        buf_puts(b, "<th scope=\"col\" class=\"r\">accuracy</th><th scope=\"col\">macro F1</th>");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < n && i < SLICES_SHOWN; i++) {
        buf_puts(b, "<tr><th scope=\"row\">");
        put_name(b, p->slices[i * p->n].slice->value);
        buf_puts(b, "</th>");
        for (int r = 0; r < p->n; r++)
            put_slice(b, p, i, r);
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
    if (n > SLICES_SHOWN)
        html_put(b, "<p class=\"m\">The first %d of %d values; score --json has all.</p>\n",
                 (int64_t)SLICES_SHOWN, (int64_t)n);
}

/* ---- the picture ---- */

static void put_picture(struct buf *b, const struct page *p)
{
    const int n = p->n_slices;
    struct page_bars bars[PAGE_RUNS];
    const char *names[SLICES_DRAWN];

    for (int i = 0; i < n; i++) {
        const char *value = p->slices[i * p->n].slice->value;

        names[i] = *value ? value : "(empty)";
        for (int r = 0; r < p->n; r++) {
            const struct assessment *a = &p->slices[i * p->n + r];

            bars[r].share[i] = a->m.figure[ACCURACY];
            bars[r].low[i] = a->accuracy.low;
            bars[r].high[i] = a->accuracy.high;
        }
    }
    const struct plot plot = {
        .id = "slices-accuracy",
        .title = "Accuracy of each slice",
        .x = { .name = p->by, .category = names, .n_category = (size_t)n },
        .y = { .name = "accuracy", .percent = true, .min = 0, .max = 1 },
    };

    buf_puts(b, "<figure>");
    page_draw_bars(b, p, &plot, bars, false);
    buf_puts(b, "<figcaption>Thin lines are 95\xc2\xa0% intervals: where they overlap far, the "
                "difference may be chance.</figcaption></figure>\n");
}

void page_slices(struct buf *b, const struct page *p)
{
    if (p->n_slices <= SLICES_DRAWN)
        put_picture(b, p);
    put_table(b, p);
}
