/* The report for people. */
#include "report.h"

#include "numbers.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int text_width(const char *s)
{
    int n = 0;

    for (int len; *s; s += len, n++)
        (void)utf8_decode(s, &len);
    return n;
}

static void put_padded(struct buf *b, const char *s, int width)
{
    buf_puts(b, s);
    for (int i = text_width(s); i < width; i++)
        buf_putc(b, ' ');
}

void text_right(struct buf *b, const char *s, int width)
{
    for (int i = text_width(s); i < width; i++)
        buf_putc(b, ' ');
    buf_puts(b, s);
}

static void put_interval(struct buf *b, const char *name, struct interval v)
{
    put_padded(b, name, 18);
    if (isnan(v.low))
        buf_printf(b, "%8s\n", "-");
    else
        buf_printf(b, "%8.4f to %.4f\n", v.low, v.high);
}

int text_widest(const struct confusion *c, int least)
{
    int width = least;

    for (int i = 0; i < c->n; i++)
        width = text_width(c->name[i]) > width ? text_width(c->name[i]) : width;
    return width;
}

static void put_label_table(struct buf *b, const struct confusion *c, int width)
{
    put_padded(b, "label", width);
    buf_puts(b, "  precision  recall      f1  support\n");
    for (int i = 0; i < c->n; i++) {
        const struct label_metrics l = label_metrics(c, i);

        put_padded(b, c->name[i], width);
        buf_printf(b, "  %9.4f  %6.4f  %6.4f  %7lld\n", l.precision, l.recall, l.f1,
                   (long long)c->support[i]);
    }
}

static void put_confusion(struct buf *b, const struct confusion *c, int width)
{
    put_padded(b, "true", width);
    for (int k = 0; k < c->n; k++) {
        buf_puts(b, "  ");
        text_right(b, c->name[k], 7);
    }
    buf_puts(b, "     none\n");
    for (int i = 0; i < c->n; i++) {
        put_padded(b, c->name[i], width);
        for (int k = 0; k < c->n; k++) {
            const int column = text_width(c->name[k]);

            buf_printf(b, "  %*lld", column < 7 ? 7 : column, (long long)c->count[i * c->n + k]);
        }
        buf_printf(b, "  %7lld\n", (long long)c->none[i]);
    }
}

/* C with names that do nothing to the lines. */
static struct confusion with_visible_names(const struct confusion *c)
{
    struct confusion shown = *c;

    shown.name = xnmalloc((size_t)c->n, sizeof *shown.name);
    for (int i = 0; i < c->n; i++) {
        struct buf name = BUF_INIT;

        utf8_show_line(&name, c->name[i]);
        shown.name[i] = name.p ? name.p : xstrdup("");
    }
    return shown;
}

static void free_names(struct confusion *shown)
{
    for (int i = 0; i < shown->n; i++)
        free((char *)shown->name[i]);
    free(shown->name);
}

/* No more is said than the interval tells. */
static void put_accuracy(struct buf *b, const struct assessment *a)
{
    const struct interval v = a->accuracy;

    buf_printf(b, "\nAccuracy, 95 %% interval (Wilson): %.4f to %.4f\nAlways '", v.low, v.high);
    utf8_show_line(b, a->majority);
    buf_printf(b, "', the most frequent label: %.4f, %s\n", a->baseline,
               above_baseline(a)      ? "below that interval: accuracy is better"
               : v.high < a->baseline ? "above that interval: accuracy is worse"
                                      : "inside that interval: accuracy may be no better");
}

void report_text_intervals(struct buf *b, const struct assessment *a)
{
    put_accuracy(b, a);
    if (!a->boot)
        return;
    buf_printf(b, "\n95 %% intervals of %lld resamples, seed %lu:\n", (long long)a->how.resamples,
               (unsigned long)a->how.seed);
    for (int f = 0; f < ECE; f++)
        if (metrics_has(&a->m, f))
            put_interval(b, figure_name[f], a->boot->figure[f]);
    for (int i = 0; i < a->c.n; i++) {
        struct buf name = BUF_INIT;

        buf_puts(&name, "f1 of ");
        utf8_show_line(&name, a->c.name[i]);
        put_interval(b, name.p, a->boot->f1[i]);
        buf_free(&name);
    }
}

void report_text(struct buf *b, const struct assessment *a)
{
    struct confusion shown = with_visible_names(&a->c), *const c = &shown;
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, &a->m), width = text_widest(c, 5);

    for (int i = 0; i < n; i++) {
        number_put_columns(b, &v[i]);
        buf_putc(b, '\n');
    }
    buf_putc(b, '\n');
    put_label_table(b, c, width);
    buf_puts(b, "\nTrue labels down, predicted ones across:\n");
    put_confusion(b, c, width);
    report_text_intervals(b, a);
    free_names(c);
}
