/*
 * best.h - the best evaluation of a run so far: what --load-best gives out at the end, and whether
 * it is time to stop (--early-stopping-patience). As transformers' Trainer and EarlyStoppingCallback
 * have it: better is less loss or more accuracy, and of equals the earlier one is the best.
 */
#ifndef BEST_H
#define BEST_H

#include "metrics.h"
#include "train_options.h"

struct best {
    int64_t step;   /* of the best evaluation; 0: there was none yet */
    double value;   /* its loss or accuracy */
    int64_t waited; /* evaluations behind the last one that was better by more than the threshold */
    float *weights; /* (params) the adapter then; NULL: it is not kept */
};

/* Looks at an evaluation, with the weights that L has for it. */
MUST_USE int best_look(struct best *b, const struct train_options *o, const struct eval_report *r,
                       const struct lora_set *l);
/* Whether so many evaluations were no better that the run ends. */
bool best_is_enough(const struct best *b, const struct train_options *o);
/* L gets the weights of the best evaluation, where they are kept. */
MUST_USE int best_load(const struct best *b, struct lora_set *l);
/* Which step the adapter is of, and why the run of STEPS ended before, on standard error. */
void best_say(const struct best *b, const struct train_options *o, int64_t step, int64_t steps);

/* Appends "best":{...}, and reads it back; the weights are the checkpoint's own (checkpoint.h). */
void best_put(const struct best *b, struct buf *to);
MUST_USE int best_take(struct best *b, const cJSON *from, int64_t steps);
void best_free(struct best *b);

#endif
