#include "page_parts.h"

#include <math.h>
#include <string.h>

/* The last number of a field, and the step it is of. */
static bool last_of(const struct training_field *f, double *step, double *value)
{
    for (size_t i = f ? f->n : 0; i > 0; i--)
        if (isfinite(f->value[i - 1])) {
            *step = f->step[i - 1];
            *value = f->value[i - 1];
            return true;
        }
    return false;
}

/* The best number of a field, the first of equal ones. */
static bool best_of(const struct training_field *f, bool highest, double *step, double *value)
{
    bool found = false;

    for (size_t i = 0; f && i < f->n; i++)
        if (isfinite(f->value[i]) &&
            (!found || (highest ? f->value[i] > *value : f->value[i] < *value))) {
            *step = f->step[i];
            *value = f->value[i];
            found = true;
        }
    return found;
}

/* Pictures of one or two fields over the steps. */
static const struct picture {
    struct plot plot;
    const char *field[2], *name[2]; /* NULL: no second one; no name, which a single one needs not */
    const char *caption;
} pictures[] = {
    { { .id = "loss",
        .title = "Loss over the steps of training",
        .y = { .name = "loss", .unit = "nats/token" } },
      { "loss", "eval_loss" },
      { "training records", "evaluation records" },
      "Lower is better. A curve of evaluation that rises while the other falls says that the model "
      "learns its records by heart." },
    { { .id = "eval-accuracy",
        .title = "Accuracy on evaluation records",
        .y = { .name = "accuracy", .percent = true } },
      { "eval_accuracy" },
      { NULL },
      "Share of evaluation records whose label is right." },
    { { .id = "learning-rate",
        .title = "Learning rate over the steps",
        .y = { .name = "learning rate", .unit = "per step", .zero = true } },
      { "lr" },
      { NULL },
      "How far each step goes." },
    { { .id = "gradient",
        .title = "Norm of the gradient over the steps",
        .y = { .name = "gradient norm", .zero = true } },
      { "grad_norm" },
      { NULL },
      "How steep the loss is, before clipping; peaks are hard batches." },
};

/* Nothing where the log has none of the fields. */
static void put_picture(struct buf *b, const struct page *p, const struct picture *picture)
{
    struct plot_series series[2];
    struct plot plot = picture->plot;

    for (int i = 0; i < 2 && picture->field[i]; i++) {
        const struct training_field *f = training_log_field(p->log, picture->field[i]);

        if (!f || !f->n)
            continue;
        /* an evaluation is rare: its points are seen */
        const bool points = f->n <= 60 && !strncmp(picture->field[i], "eval", 4);

        series[plot.n++] = (struct plot_series){ .name = picture->name[i],
                                                 .mark = points ? PLOT_LINE_POINTS : PLOT_LINE,
                                                 .n = f->n,
                                                 .x = f->step,
                                                 .y = f->value };
    }
    if (!plot.n)
        return;
    plot.series = series;
    plot.x = (struct plot_axis){ .name = "optimiser step", .whole = true };
    buf_puts(b, "<figure>");
    plot_svg(b, &plot, false);
    html_put(b, "<figcaption>%s</figcaption></figure>\n", picture->caption);
}

static void put_words(struct buf *b, const struct page *p)
{
    const struct training_field *loss = training_log_field(p->log, "loss");
    const struct training_field *eval = training_log_field(p->log, "eval_loss");
    double step = 0, value = 0;

    buf_puts(b, "<p>");
    if (last_of(loss, &step, &value)) {
        html_put(b, "The last loss on training records, at step %d, is ", (int64_t)step);
        html_figure(b, HTML_FIGURE, value);
        buf_puts(b, " nats a token. ");
    }
    if (best_of(eval, false, &step, &value)) {
        buf_puts(b, "The lowest loss on evaluation records is ");
        html_figure(b, HTML_FIGURE, value);
        html_put(b, " nats a token, at step %d. ", (int64_t)step);
    }
    if (best_of(training_log_field(p->log, "eval_accuracy"), true, &step, &value)) {
        buf_puts(b, "The highest accuracy on evaluation records is ");
        html_figure(b, HTML_SHARE, value);
        html_put(b, ", at step %d. ", (int64_t)step);
    }
    buf_puts(b, "</p>\n");
}

void page_training(struct buf *b, const struct page *p)
{
    put_words(b, p);
    buf_puts(b, "<div class=\"figures\">\n");
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        put_picture(b, p, &pictures[i]);
    buf_puts(b, "</div>\n");
}
