/*
 * trainer.h - the steps of a run: gradients of a window of records, clipping, update, evaluation.
 */
#ifndef TRAINER_H
#define TRAINER_H

#include "best.h"
#include "checkpoint.h"
#include "label_eval.h"
#include "metrics.h"
#include "files/adapter.h"
#include "lora/loss_scale.h"
#include "order.h"
#include "schedule.h"

struct begun {
    char *chain; /* that of --init-adapter, as JSON; NULL: there is none */
    struct stream_input input[2]; /* (inputs) --init-adapter and --order, where they are given */
    int inputs;
};

struct trainer {
    const struct train_options *opt;
    struct model *model;
    struct lora_set *lora;
    const struct train_sets *sets;
    const struct order *order;
    const struct schedule *schedule;
    struct lora_origin from;       /* of the adapters; job_run adds the chain */
    const struct begun *begun;     /* what the run begins with besides model and records */
    struct checkpoint *checkpoint; /* NULL: none is written */
    struct label_eval *labels;     /* NULL: evaluations are about the loss alone */
    struct outfile *picture;       /* NULL: none is drawn, or it has its name already */
};

/* How far a run has come; with the arrays of the lora_set and the metrics this is all its state: the
 * order is laid out beforehand, and dropout's numbers come from a counter. */
struct trainer_state {
    int64_t step;  /* that are done */
    bool evaluate; /* the evaluation behind the last of them is not */
    bool resumed;  /* by an earlier process; adapters saved behind STEP are replaced */
    struct best best;
    struct loss_scale scale; /* stays as it began but in float16 */
};

/* Whether all is done that a run does, early as it may be. */
bool trainer_is_done(const struct trainer *t, const struct trainer_state *s);

/* The largest batch of the run, in tokens: what the memory plan is made for. */
int64_t trainer_batch_tokens(const struct trainer *t);

/* Writes the checkpoint of a run that is at S. */
MUST_USE int trainer_keep(const struct trainer *t, const struct trainer_state *s,
                          const struct metrics *metrics);
/* Reads what trainer_keep wrote beside the arrays: S, whose best weights are there, and *METRICS for
 * metrics_open, lent by STATE. */
MUST_USE int trainer_take(const struct trainer *t, struct trainer_state *s, const cJSON **metrics,
                          const cJSON *state);

/*
 * Trains T->lora from S on. The model already uses it and has room for trainer_batch_tokens. A loss or
 * a gradient that is not finite is EXIT_NUMERIC and names the step; in float16 such a gradient is
 * one only where the loss is not scaled up any more, and skips the step else. Where a checkpoint is kept, it is
 * written after every --save-steps steps (0: at the end of each epoch), at the end, and when the
 * process is asked to stop: then this fails with EXIT_STOPPED, within a step or a batch of an
 * evaluation.
 */
MUST_USE int trainer_run(const struct trainer *t, struct trainer_state *s, struct metrics *metrics);

#endif
