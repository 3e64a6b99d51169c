/*
 * modules.h - the linears of a model that may carry LoRA: their names, shapes and places.
 */
#ifndef MODULES_H
#define MODULES_H

#include "mem.h"

#include <stdint.h>

/* What a linear does in a layer. Fused ones are column ranges of one output. */
enum role {
    ROLE_Q,
    ROLE_K,
    ROLE_V,
    ROLE_QKV, /* queries, keys and values in this order */
    ROLE_OUT,
    ROLE_GATE,
    ROLE_UP,
    ROLE_GATE_UP, /* gate, then up */
    ROLE_DOWN,
    ROLES
};

enum { MODULES_MAX = 8 };

struct module_info {
    enum role role;
    const char *path;   /* inside a layer, as Hugging Face names it: "self_attn.q_proj" */
    int64_t rows, cols; /* O, C */
    bool bias;
};

/* Of all layers alike, in the order in which transformers declares them: PEFT draws the first values
 * of adapters in it, and it names dropout's sites and LoRA's places. */
struct modules {
    const char *layer_prefix; /* in front of a path; "%d" is the layer: "model.layers.%d." */
    int layers, n;
    struct module_info at[MODULES_MAX];
    int place[ROLES]; /* index of the module of a role, -1: there is none */
};

/* The last part of the path, which --target-modules names, "q_proj"; points into it. */
const char *module_name(const struct module_info *info);
/* Appends "model.layers.3.self_attn.q_proj". */
void module_path(struct buf *b, const struct modules *m, int layer, int module);
/* The places of all modules of all layers: layers * n. */
static inline int modules_places(const struct modules *m)
{
    return m->layers * m->n;
}

#endif
