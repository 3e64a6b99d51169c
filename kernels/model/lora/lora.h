/*
 * lora.h - trainable LoRA weights of a whole model in one flat device array.
 *
 * One array for parameters, one for gradients, two for the optimiser: clipping, AdamW and clearing
 * are one op each. A table says where each tensor lies. Files: files/adapter.h.
 */
#ifndef LORA_H
#define LORA_H

#include "modules.h"

#include "kernels.h"

struct lora_options {
    int64_t rank;
    double alpha, dropout;
    bool rslora;
    const char *targets; /* "q_proj,k_proj" or "all-linear"; only lora_new reads it */
    const char *init;    /* "true", "gaussian", "false" */
};

struct lora_tensor {   /* one linear of one layer */
    int layer, module; /* module: index of modules.at */
    size_t a_at, b_at; /* element offsets in the flat arrays, multiples of 64: A (R, C), B (O, R) */
    int64_t rank;
    float scale;
};

struct lora_set {
    const struct ops *ops;
    const struct modules *modules; /* of the model; outlives the set */
    struct lora_options opt;
    int n; /* tensors (pairs), layer by layer in module order */
    struct lora_tensor *tensor;
    int *place;            /* (layers * modules) index into tensor, -1: not adapted */
    int64_t params;        /* elements in each flat array */
    struct dev *p;         /* parameters */
    struct dev *g, *m, *v; /* gradients, the optimiser's states; NULL when only predicting */
};

/* New weights for training, drawn from SEED as PEFT draws them from torch's CPU generator (true and
 * false: to the last bit); EXIT_USAGE when a target names no module. */
MUST_USE int lora_new(struct lora_set **l, const struct ops *ops, const struct modules *m,
                      const struct lora_options *opt, uint32_t seed);
/* Several adapters of one model (N >= 1) as a new set: ranks joined, SCALE[i] multiplied in. IN may be
 * freed then. For prediction: without gradients. -1 when the device has no memory. */
MUST_USE int lora_join(struct lora_set **out, struct lora_set *const *in, const double *scale,
                       int n);
void lora_free(struct lora_set *l);

/* The pair of LAYER and MODULE, or NULL when that linear is not adapted. */
const struct lora_tensor *lora_find(const struct lora_set *l, int layer, int module);

int64_t lora_largest_rank(const struct lora_set *l); /* 0: an empty one */

/* What an update reads and changes, params elements each: with these a run goes on where it was. */
enum lora_array { LORA_WEIGHTS, LORA_FIRST_MOMENT, LORA_SECOND_MOMENT, LORA_ARRAYS };
/* N elements of an array, from FROM on, a multiple of 64. The moments are there for training only.
 */
MUST_USE int lora_get(const struct lora_set *l, enum lora_array which, int64_t from, float *host,
                      int64_t n);
MUST_USE int lora_put(struct lora_set *l, enum lora_array which, int64_t from, const float *host,
                      int64_t n);

/* Whether two sets for one model hold the same weights, bit for bit: 1 or 0. */
MUST_USE int lora_same(const struct lora_set *a, const struct lora_set *b);

/* This and the next two: -1 when an op fails. */
MUST_USE int lora_zero_grad(struct lora_set *l);
/* Root of the sum of squares of all gradients; EXIT_NUMERIC names the tensor that is not finite. */
MUST_USE int lora_grad_norm(const struct lora_set *l, double *norm);
/* Updates by the gradients over SCALE, whose norm then is NORM: clips by max_norm / (norm + 1e-6) when
 * that is below 1 (max_norm <= 0: never) and counts step->t up. */
MUST_USE int lora_step(struct lora_set *l, double norm, double max_norm, double scale,
                       struct optim_step *step);

#endif
