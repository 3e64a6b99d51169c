/*
 * adapter.h - adapters as files, as PEFT has them (NUMERICS C): adapter_config.json and
 * adapter_model.safetensors.
 */
#ifndef ADAPTER_H
#define ADAPTER_H

#include "files/weights.h"
#include "lora/lora.h"
#include "pack.h"

#define ADAPTER_PREFIX   "base_model.model." /* in front of every tensor's name */
#define ADAPTER_BASE_KEY "base_sha256"       /* of the tensors' __metadata__ */

enum lora_how {                    /* a set of these: what lora_load makes, and what it lets pass */
                LORA_TRAIN = 1,    /* gradients and states are made too */
                LORA_PARTIAL = 2,  /* linears that the config names may have no tensors */
                LORA_ANY_BASE = 4, /* it may have been trained on other weights (base_digest.h) */
};
/* An adapter as PEFT saves it, names both ways (with and without ".default"). Tensors that fit
 * nothing or that the config does not name, linears that it names and that have none, shapes that
 * do not fit, NaN, and other weights under it than those it was trained on, where it says so, are
 * errors (EXIT_DATA) that name them. */
MUST_USE int lora_load(struct lora_set **l, const struct weights *base, const struct pack *adapter,
                       unsigned how);
/* adapter_config.json, adapter_model.safetensors, README.md: the same bytes for the same weights.
 * The digest of the base goes into the __metadata__ of the tensors, which PEFT does not look at:
 * all its versions up to 0.13 fail on a key in adapter_config.json that they do not know. */
MUST_USE int lora_save(const struct lora_set *l, const struct weights *base,
                       struct pack_writer *out, const char *base_name);
extern const char *const lora_files[]; /* the names of what it writes, NULL behind the last */
/* What lora_save puts, in bytes, to a few thousand. */
uint64_t lora_bytes(const struct lora_set *l);

#endif
