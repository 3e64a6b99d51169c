/*
 * trainer.h - the steps of a run: gradients of a window of records, clipping, update, evaluation.
 */
#ifndef TRAINER_H
#define TRAINER_H

#include "train_records.h"
#include "metrics.h"
#include "model/lora.h"
#include "order.h"
#include "schedule.h"

struct trainer {
    const struct train_options *opt;
    struct model *model;
    struct lora_set *lora;
    const struct train_sets *sets;
    const struct order *order;
    const struct schedule *schedule;
    const char *base; /* name of the model, for adapters saved on the way */
};

/* The largest batch of the run, in tokens: what the memory plan is made for. */
int64_t trainer_batch_tokens(const struct trainer *t);

/* Trains T->lora. The model already uses it and has room for trainer_batch_tokens. A loss or a
 * gradient that is not finite is EXIT_NUMERIC and names the step. */
MUST_USE int trainer_run(const struct trainer *t, struct metrics *metrics);

#endif
