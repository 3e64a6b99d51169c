/*
 * arch_keys.h - keys of config.json that several families have, for their configure functions. All
 * keep the value when the key is absent; EXIT_DATA and EXIT_NODEVICE name the key.
 */
#ifndef ARCH_KEYS_H
#define ARCH_KEYS_H

#include "archs/arch.h"

/* A probability within [0, 1). */
MUST_USE int keys_dropout(float *p, const cJSON *json, const char *key);
/* The small number in a norm's root, a float between 0 and 1. */
MUST_USE int keys_eps(struct config *c, const cJSON *json, const char *key);
/* hidden_act has to be one that this build knows. */
MUST_USE int keys_activation(struct config *c, const cJSON *json, const char *fallback);
/* sliding_window (0: off): layers FIRST.. have it, or those that layer_types names. */
MUST_USE int keys_window(struct config *c, const cJSON *json, int64_t first);
/* What Llama and its kin share: hidden_act, rms_norm_eps, attention_dropout. */
MUST_USE int keys_llama(struct config *c, const cJSON *json);

/* What Llama and its kin call their weights, and the order of their blocks, for struct arch. */
#define ARCH_LLAMA_NAMES                                                                           \
    .rotary = 1, .embed = "model.embed_tokens", .final_norm = "model.norm", .head = "lm_head",     \
    .layer_prefix = "model.layers.%d.", .norm = NORM_RMS, .order = &layer_sequential
#define ARCH_LLAMA_NORMS                                                                           \
    [NORM_ATTENTION] = "input_layernorm", [NORM_MLP] = "post_attention_layernorm"

/* OUT = the seven linears of Llama and its kin, or the six of Phi, of C's sizes; give how many. */
int modules_gated(struct module_info *out, const struct config *c);
int modules_phi(struct module_info *out, const struct config *c);

#endif
