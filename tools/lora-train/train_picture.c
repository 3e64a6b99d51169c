#include "train_picture.h"

#include "curve.h"
#include "plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CURVE_ROWS = 6, RATES = 1000 };

/* The rate at RATES steps, or at all of them. */
struct rates {
    double step[RATES], value[RATES];
    size_t n;
};

static void take_rates(struct rates *r, const struct schedule *s, int64_t steps)
{
    const int64_t n = steps < RATES ? steps : RATES;

    r->n = (size_t)n;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = n > 1 ? (int64_t)((double)i / (double)(n - 1) * (double)(steps - 1)) : 0;

        r->step[i] = (double)(at + 1);
        r->value[i] = schedule_rate(s, at);
    }
}

static size_t put_series(struct plot_series *to, const struct history *h, const struct rates *rates)
{
    const struct history_points *loss = &h->curve[HISTORY_LOSS];
    const struct history_points *eval = &h->curve[HISTORY_EVAL_LOSS];
    size_t n = 0;

    to[n++] = (struct plot_series){
        .name = "loss", .n = (size_t)loss->n, .x = loss->step, .y = loss->value, .colour = 1
    };
    if (eval->n)
        to[n++] = (struct plot_series){ .name = "evaluation loss",
                                        .mark = PLOT_LINE_POINTS,
                                        .n = (size_t)eval->n,
                                        .x = eval->step,
                                        .y = eval->value,
                                        .colour = 2 };
    to[n++] = (struct plot_series){ .name = "learning rate",
                                    .n = rates->n,
                                    .x = rates->step,
                                    .y = rates->value,
                                    .right = true,
                                    .colour = 3 };
    return n;
}

int train_picture_write(struct outfile *f, const struct history *h, const struct schedule *schedule,
                        const char *base)
{
    const struct history_points *loss = &h->curve[HISTORY_LOSS];
    struct rates *rates = xmalloc(sizeof *rates);
    struct plot_series series[3];
    struct buf title = BUF_INIT, b = BUF_INIT;

    take_rates(rates, schedule, loss->n ? (int64_t)loss->step[loss->n - 1] : 0);
    buf_printf(&title, "Training%s%s", *base ? " of " : "", base);
    const struct plot p = {
        .id = "training",
        .title = title.p,
        .x = { .name = "step", .whole = true },
        .y = { .name = "loss", .unit = "nats a token" },
        .right = { .name = "learning rate", .zero = true },
        .series = series,
        .n = put_series(series, h, rates),
    };

    plot_svg(&b, &p, true);
    const int rc = outfile_write(f, b.p, b.n);

    buf_free(&b);
    buf_free(&title);
    free(rates);
    return rc;
}

void train_picture_say(const struct history *h)
{
    const struct history_points *loss = &h->curve[HISTORY_LOSS];
    struct buf b = BUF_INIT;
    struct term t;

    term_of(&t, STDERR_FILENO);
    if (t.shown)
        curve_text(&b, &t, "loss", "step", loss->step, loss->value, (size_t)loss->n, CURVE_ROWS);
    if (b.n)
        (void)fputs(b.p, stderr);
    buf_free(&b);
}
