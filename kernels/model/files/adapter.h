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
/* The chain of programs that made an adapter, as JSON (chain.h): 1, and the caller frees it; 0 where it
 * keeps none, as PEFT's do. */
MUST_USE int lora_chain(char **json, const struct pack *adapter);

struct lora_origin { /* what an adapter says of itself */
    const char *base;  /* name of the model it was trained on */
    const char *chain; /* of the programs that made it, as JSON; NULL: it keeps none */
};
/* adapter_config.json, adapter_model.safetensors, README.md: the same bytes for the same weights and
 * origin. The chain and the digest of the base go into the __metadata__ of the tensors, which PEFT does
 * not look at: all its versions up to 0.13 fail on a key in adapter_config.json that they do not know. */
MUST_USE int lora_save(const struct lora_set *l, const struct weights *base,
                       struct pack_writer *out, const struct lora_origin *from);
extern const char *const lora_files[]; /* the names of what it writes, NULL behind the last */
/* What lora_save puts, in bytes, to a few thousand. */
uint64_t lora_bytes(const struct lora_set *l, const struct lora_origin *from);

#endif
