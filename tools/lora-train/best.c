#include "best.h"

#include "mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_better(const struct best *b, const struct train_options *o, double value)
{
    return !b->step || (o->best_is_accuracy ? value > b->value : value < b->value);
}

static int keep_weights(struct best *b, const struct lora_set *l)
{
    if (!b->weights)
        b->weights = xnmalloc((size_t)l->params, sizeof *b->weights);
    return lora_get(l, LORA_WEIGHTS, 0, b->weights, l->params);
}

int best_look(struct best *b, const struct train_options *o, const struct eval_report *r,
              const struct lora_set *l)
{
    const double value = o->best_is_accuracy ? eval_accuracy(r) : r->loss;
    const bool better = is_better(b, o, value);

    b->waited = better && (!b->step || fabs(value - b->value) > o->early_stopping_threshold)
                    ? 0
                    : b->waited + 1;
    if (!better)
        return 0;
    b->step = r->step;
    b->value = value;
    return o->load_best ? keep_weights(b, l) : 0;
}

bool best_is_enough(const struct best *b, const struct train_options *o)
{
    return o->early_stopping_patience && b->waited >= o->early_stopping_patience;
}

int best_load(const struct best *b, struct lora_set *l)
{
    return b->weights ? lora_put(l, LORA_WEIGHTS, 0, b->weights, l->params) : 0;
}

void best_say(const struct best *b, const struct train_options *o, int64_t step, int64_t steps)
{
    const char *const what = o->best_is_accuracy ? "accuracy" : "loss", *const tool = err_tool();

    if (step < steps) {
        (void)fprintf(stderr,
                      "%s: stopped early, after step %" PRId64 " of %" PRId64 ": the last %" PRId64
                      " evaluations did not better the %s",
                      tool, step, steps, b->waited, what);
        if (o->early_stopping_threshold > 0)
            (void)fprintf(stderr, " by more than %g", o->early_stopping_threshold);
        (void)fputc('\n', stderr);
    }
    if (o->load_best)
        (void)fprintf(stderr, "%s: the adapter is that of step %" PRId64 ", eval %s %.4f\n", tool,
                      b->step, what, b->value);
}

void best_put(const struct best *b, struct buf *to)
{
    buf_printf(to, "\"best\":{\"step\":%" PRId64 ",\"waited\":%" PRId64 ",\"value\":", b->step,
               b->waited);
    json_put_double(to, b->value);
    buf_putc(to, '}');
}

int best_take(struct best *b, const cJSON *from, int64_t steps)
{
    const cJSON *o;

    return json_object(from, "best", &o) > 0 && json_int(o, "step", &b->step, 0, steps) > 0 &&
                   json_int(o, "waited", &b->waited, 0, steps) > 0 &&
                   json_double(o, "value", &b->value) > 0 &&
                   (b->step > 0 || (b->waited == 0 && !b->weights))
               ? 0
               : -1;
}

void best_free(struct best *b)
{
    free(b->weights);
    b->weights = NULL;
}
