/*
 * order.h - which records each optimiser step uses, and after which steps the model is evaluated.
 *
 * The whole run is laid out beforehand, draw by draw as Hugging Face's Trainer does it on the CPU
 * (transformers 4.36, accelerate 0.25; NUMERICS D.5, D.6, H1): --plan prints it, the trainer obeys
 * it.
 */
#ifndef ORDER_H
#define ORDER_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

enum evaluate_when { EVALUATE_NEVER, EVALUATE_EPOCH, EVALUATE_STEPS };

struct order_options {
    int64_t batch; /* records of a micro-batch */
    int64_t accum; /* micro-batches of an optimiser step */
    bool group;    /* LengthGroupedSampler, else RandomSampler */
    bool flush;    /* a window ends with its epoch; else it carries over into the next */
    uint32_t seed;
    double epochs;
    int64_t max_steps; /* above 0: it says how long, and not EPOCHS */
    enum evaluate_when evaluate;
    int64_t eval_steps; /* above 0 under EVALUATE_STEPS */
};

struct order_step {        /* one optimiser step */
    int64_t first, micros; /* its micro-batches */
    int64_t divisor; /* the mean over the window divides by this: ACCUM under carry, MICROS under
                        flush */
    double epoch;    /* epochs that are done after it */
    bool evaluate;   /* an evaluation follows */
};

struct order {
    int64_t uses, *record;  /* positions in the list of training records, in the order of use */
    int64_t micros, *micro; /* (micros + 1) where each micro-batch starts in RECORD */
    int64_t steps;
    struct order_step *step;
};

/* Records 0..N-1 of LENGTH tokens each, N above 0, reshuffled every epoch. A run of more than 2^31
 * uses is refused (EXIT_USAGE). */
MUST_USE int order_draw(struct order *o, const struct order_options *opt, const int64_t *length,
                        int64_t n);

/* The same steps over an order that is given: USE (N_USE) positions in a list of N records. All of
 * it is used; MAX_STEPS stops earlier, and asking for more than there is is EXIT_DATA. */
MUST_USE int order_follow(struct order *o, const struct order_options *opt, const int64_t *use,
                          int64_t n_use, int64_t n);

void order_free(struct order *o);

#endif
