/*
 * arch.h - what a family adds to the engine: the defaults of its config, the keys only it has, the
 * names of its weights, and the order of a layer's blocks. Everything else (files, batches, blocks,
 * head, loss, memory, LoRA) is the same for all. A new one is arch_X.c and a row in arch.c.
 */
#ifndef ARCH_H
#define ARCH_H

#include "blocks/layer.h"
#include "config.h"
#include "json.h"
#include "parts.h"

struct arch {
    const char *name;       /* config.json: "model_type" */
    struct config defaults; /* of keys that config.json may leave out */
    double rotary;          /* default of partial_rotary_factor */
    /* Keys that only this family has, after the common ones were read into C. */
    int (*configure)(struct config *c, const cJSON *json);
    const char *norm_eps_key;

    /* Names of weights without their last part (".weight", ".bias"). */
    const char *embed, *final_norm, *head;
    bool head_bias;
    const char *layer_prefix;       /* "%d" is the layer */
    const char *norms[LAYER_NORMS]; /* inside a layer; NULL: there is none */
    enum norm norm;                 /* NORM_LAYER has biases, NORM_RMS has none */
    /* The linears of a layer in the order of their calls; gives how many. */
    int (*modules)(struct module_info *out, const struct config *c);
    const struct layer_order *order;
};

/* The family that config.json calls MODEL_TYPE, or NULL with the error set. */
const struct arch *arch_find(const char *model_type);
/* The linears of a model of C's family and size. */
void arch_modules(struct modules *out, const struct config *c);

extern const struct arch arch_phi, arch_llama, arch_mistral, arch_qwen2, arch_qwen3, arch_phi3;

#endif
