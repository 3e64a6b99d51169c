/*
 * run_identity.h - what makes two runs the same one: program, options, model, records, order, device
 * and the weights they begin with. A checkpoint is good for the run it was made by and for no other.
 */
#ifndef RUN_IDENTITY_H
#define RUN_IDENTITY_H

#include "order.h"
#include "train_records.h"
#include "lora/lora.h"

/* Appends a JSON object, "name":"value": options with all their values, digests of the rest; MODEL is that
 * of the model. LORA has not learned yet. Options that change no number (threads, saving, paths) are not in it. */
MUST_USE int run_identity_put(struct buf *b, const struct train_options *o,
                          const uint8_t model[SHA256_BYTES], const struct train_sets *sets, const struct order *order,
                          const struct lora_set *lora);

/* EXIT_DATA says what differs, with both values. THEIRS comes from a file and may be anything. */
MUST_USE int run_identity_check(const char *theirs, const char *ours);

#endif
