/*
 * lora_set.h - how a lora_set is put together; for lora_draws.c (new), lora_table.c (joined)
 * and files/adapter.c.
 */
#ifndef LORA_SET_H
#define LORA_SET_H

#include "lora/lora.h"

/* An empty set for the linears M, which must outlive it, without device memory; lora_free releases it. */
struct lora_set *lora_set_begin(const struct ops *ops, const struct modules *m,
                                const struct lora_options *opt);
/* The next pair; pairs come layer by layer in module order. */
void lora_set_add(struct lora_set *l, int layer, int module, int64_t rank, float scale);
/* Makes the device arrays of all pairs and puts the parameters HOST (params elements) into them; TRAIN:
 * those of gradients and moments, too. -1 when the device has no memory. */
MUST_USE int lora_set_fill(struct lora_set *l, const float *host, bool train);

/* alpha / R, or alpha / sqrt(R) under rsLoRA. */
float lora_scale(double alpha, int64_t rank, bool rslora);

/* Whether PATH is NAME or ends in ".NAME": how PEFT reads a target module. */
bool lora_path_matches(const char *path, const char *name, size_t name_len);

#endif
