/*
 * arch.h - what an architecture adds to the engine: the defaults of its config, the names of its
 * weights, and the way through one pass. Everything else (files, batches, head, loss, memory, LoRA)
 * is the same for all of them. A new one is arch_X.c and a row in arch.c.
 */
#ifndef ARCH_H
#define ARCH_H

#include "config.h"
#include "json.h"
#include "model.h"

enum { ARCH_MODULES_MAX = 8, ARCH_NORMS_MAX = 2 };

struct pass; /* pass.h */

struct arch {
    const char *name;       /* config.json: "model_type" */
    struct config defaults; /* of keys that config.json may leave out */
    double rotary;          /* default of partial_rotary_factor */
    /* Keys that only this architecture has, after the common ones were read into C. */
    int (*configure)(struct config *c, const cJSON *json);

    /* Names of weights without their last part (".weight", ".bias"). */
    const char *embed, *final_norm, *head;
    const char *layer_prefix;          /* "%d" is the layer */
    const char *norms[ARCH_NORMS_MAX]; /* inside a layer */
    int n_norms;
    enum norm norm;
    /* The linears of a layer in the order of their calls; gives how many. */
    int (*modules)(struct module_info *out, const struct config *c);

    /* Ids to the residual stream that enters the final norm, acts.x_out. Of the pass it leaves the
     * rows that the stream has: the tail's where there is one. */
    int (*forward)(struct pass *p);
    /* Gradient of that stream in acts.dx to the gradients of the lora_set. */
    int (*backward)(const struct pass *p);
};

/* The architecture that config.json calls MODEL_TYPE, or NULL with the error set. */
const struct arch *arch_find(const char *model_type);

extern const struct arch arch_phi;

#endif
