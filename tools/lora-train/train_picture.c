#include "train_picture.h"

#include "curve.h"
#include "plot.h"

#include <stdio.h>
#include <unistd.h>

enum { CURVE_ROWS = 6 };

static size_t put_series(struct plot_series *to, const struct history *h)
{
    const struct history_points *loss = &h->curve[HISTORY_LOSS];
    const struct history_points *eval = &h->curve[HISTORY_EVAL_LOSS];
    const struct history_points *rate = &h->curve[HISTORY_RATE];
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
                                    .n = (size_t)rate->n,
                                    .x = rate->step,
                                    .y = rate->value,
                                    .right = true,
                                    .colour = 3 };
    return n;
}

int train_picture_write(struct outfile *f, const struct history *h, const char *base)
{
    struct plot_series series[3];
    struct buf title = BUF_INIT, b = BUF_INIT;

    buf_printf(&title, "Training%s%s", *base ? " of " : "", base);
    const struct plot p = {
        .id = "training",
        .title = title.p,
        .x = { .name = "step", .whole = true },
        .y = { .name = "loss", .unit = "nats a token" },
        .right = { .name = "learning rate", .zero = true },
        .series = series,
        .n = put_series(series, h),
    };

    plot_svg(&b, &p, true);
    const int rc = outfile_write(f, b.p, b.n);

    buf_free(&b);
    buf_free(&title);
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
