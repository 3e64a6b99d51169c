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

struct key_name { /* a key of config.json that a family spells in its own way */
    const char *common, *own;
};

/* Where files have a linear: rows ROW.. of the ROWS that are at PATH inside a layer. */
struct stored_rows {
    const char *path;
    int64_t row, rows;
};

struct arch {
    const char *name;            /* config.json: "model_type" */
    struct config defaults;      /* of keys that config.json may leave out; inner 0: 4 times dim */
    double rotary;               /* default of partial_rotary_factor */
    const struct key_name *keys; /* up to one without names; NULL: all as in Hugging Face's own */
    /* Reads the keys that only this family has, after the common ones were read into C. -1: EXIT_DATA
     * or EXIT_NODEVICE, naming the key. */
    int (*configure)(struct config *c, const cJSON *json);

    /* Names of weights in files, without their last part (".weight", ".bias"). In final_norm and head
     * "%d" is the number that follows the last layer's. */
    const char *embed, *final_norm, *head;
    bool head_bias;
    const char *layer_prefix;       /* "%d" is the layer */
    int first_layer;                /* its number */
    const char *adapter_prefix;     /* the same as PEFT names it; NULL: as in files */
    const char *norms[LAYER_NORMS]; /* inside a layer; NULL: there is none */
    enum norm norm;                 /* NORM_LAYER has biases, NORM_RMS has none */
    /* The linears of a layer, ordered as struct modules says; gives how many. */
    int (*modules)(struct module_info *out, const struct config *c);
    /* Changes OUT, where each has a tensor of its own, for a family whose files have it otherwise;
     * may be NULL. */
    void (*stored)(struct stored_rows *out, const struct module_info *m);
    const struct layer_order *order;
};

/* The family that config.json calls MODEL_TYPE; NULL with EXIT_NODEVICE, naming those there are. */
const struct arch *arch_find(const char *model_type);
/* The family's own name of a key of config.json; COMMON itself where it has none. */
const char *arch_key(const struct arch *arch, const char *common);
/* The linears of a model of C's family and size; texts are the family's. */
void arch_modules(struct modules *out, const struct config *c);
/* OUT (N): where the files of ARCH have each of the N linears M of a layer. */
void arch_stored(struct stored_rows *out, const struct arch *arch, const struct module_info *m,
                 int n);

extern const struct arch arch_phi, arch_phi_msft, arch_mixformer, arch_llama, arch_mistral,
    arch_qwen2, arch_qwen3, arch_phi3;

#endif
