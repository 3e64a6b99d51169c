/* Logs of training: what is read can be drawn, as a picture and on a terminal. */
#include "curve.h"
#include "fuzz.h"
#include "plot.h"
#include "training_log.h"

static void draw(const struct training_field *f)
{
    const struct term narrow = { .shown = true, .utf8 = true, .width = 20 };
    const struct plot_series s = {
        .name = f->name, .mark = PLOT_LINE_POINTS, .n = f->n, .x = f->step, .y = f->value
    };
    const struct plot p = { .id = "log", .title = f->name, .series = &s, .n = 1 };
    struct buf b = BUF_INIT;

    plot_svg(&b, &p, true);
    must_hold(!strstr(b.p, "nan") || strstr(f->name, "nan"), "a place in a picture is a number");
    curve_text(&b, &narrow, f->name, "step", f->step, f->value, f->n, 3);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct training_log log;

    if (says_why(training_log_read(&log, fuzz_file("log.jsonl", data, size))) == 0)
        for (size_t i = 0; i < log.n; i++)
            draw(&log.fields[i]);
    training_log_free(&log);
    return 0;
}
