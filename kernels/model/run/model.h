/*
 * model.h - a causal language model over the op table: weights, forward, backward, cached
 * inference.
 *
 * The model is written once, of blocks (blocks/) that every family (archs/) orders, and calls ops
 * only. Letters as in kernels.h.
 */
#ifndef MODEL_H
#define MODEL_H

#include "config.h"
#include "modules.h"
#include "run/batch.h"

#include "kernels.h"
#include "pack.h"

#include <stdbool.h>

struct model;
struct lora_set; /* lora/lora.h */
struct weights;  /* files/weights.h */

/*
 * Loads config and weights of P (float32, float16, bfloat16 or bitsandbytes 4-bit; kept as stored,
 * mapped where the device allows) for OPS. Names and shapes are checked against the config, values
 * for NaN and infinity (the tensor is named). P must outlive M. COMPUTE, DT_F32,
 * DT_BF16, DT_F16 or DT_BF16X3: what all linears and the head round to (struct weight). Errors are
 * those of weights_open.
 */
MUST_USE int model_open(struct model **m, const struct pack *p, const struct ops *ops,
                        enum dtype compute);
void model_close(struct model *m); /* NULL is fine; what is asked of M below is lent until then */
const struct pack *model_pack(const struct model *m); /* P */
const struct config *model_config(const struct model *m);
const struct ops *model_ops(const struct model *m);

/* Its linears, all of which may carry LoRA; what lora/lora.h and files/adapter.h ask for. */
const struct modules *model_modules(const struct model *m);
const struct weights *model_weights(const struct model *m);

/* From now on forward and backward go through L (NULL: base model). L must outlive its use. What
 * was reserved is given back, for the ranks count: model_reserve comes after this. */
void model_use_lora(struct model *m, const struct lora_set *l);

/* Whether a record of N ids, and MORE tokens to come after them, can go through the model at all;
 * EXIT_DATA: none, too long, or an id outside the vocabulary. */
MUST_USE int model_check_ids(const struct model *m, const uint32_t *ids, int64_t n, int64_t more);

/* Residual dropout in training; the default is the config's. */
void model_set_resid_pdrop(struct model *m, float p);
/* From now on model_train_batch differentiates and gives, for each target, (1 - share) nll + share
 * times the mean of -log softmax over the vocabulary; SHARE within 0 (off) .. 1. PyTorch's
 * CrossEntropyLoss(label_smoothing), Szegedy et al. 2016 (arXiv 1512.00567). */
MUST_USE int model_set_label_smoothing(struct model *m, float share);

/*
 * Forward with everything kept, loss, backward: adds the gradients of sum(weight * nll) to the
 * lora_set. NLL (tokens) gets each token's loss on the host, smoothed as it may be, 0 where there
 * is no target. Dropout is on, under SEED. Needs model_reserve(tokens, true) after model_use_lora
 * of a set with gradients. A loss that is not finite is EXIT_NUMERIC and names the first layer that
 * is to blame.
 */
MUST_USE int model_train_batch(struct model *m, const struct batch *b, uint64_t seed, float *nll);
/* Forward and loss only, no dropout; any reservation that is large enough will do. BEST (tokens)
 * the most likely next id, -1 where there is no target; NULL: not wanted. */
MUST_USE int model_loss_batch(struct model *m, const struct batch *b, float *nll, int32_t *best);

/* Memory by plan. TRAIN: activations are kept for the backward pass. */
struct memory_plan {
    size_t weights_mapped; /* bytes of the model's files that stay mapped */
    size_t weights_owned;  /* un-nested scales and converted tensors */
    size_t activations;    /* kept for max_tokens */
    size_t scratch;        /* of the ops and of one layer */
    size_t lora;           /* parameters, gradients, optimiser states */
};
void model_plan(const struct model *m, int64_t max_tokens, bool train, const struct lora_set *l,
                struct memory_plan *plan);
/* Under -v: how many passes of inference the device played from a recording, if any. */
void model_note_passes(const struct model *m);
/* All memory that batches of up to MAX_TOKENS need; nothing happens when there is enough already.
 * Comes after what else is to have its place on the device: LoRA, caches. Under -v a line says what
 * takes the device's memory then, where it has its own. -1 when it has not as much. */
MUST_USE int model_reserve(struct model *m, int64_t max_tokens, bool train);

/*
 * Keys and values of ROWS tokens. The first KEPT of them last: every layer has its own. The others
 * are there for one batch, which uses one memory for all layers.
 */
struct kv_cache; /* of M, which must outlive it; -1 when the device has no memory */
MUST_USE int kv_cache_new(struct kv_cache **kv, const struct model *m, int64_t kept, int64_t rows);
void kv_cache_free(struct kv_cache *kv);

/*
 * Runs the new tokens of B (batch_add_cached), putting their keys and values at the cache rows
 * k_start + k_len - q_len .. of each sequence, and gives what the head says at N_OUT rows of the
 * batch: LOGITS (n_out, V) on the host. OUT_ROWS are batch rows. KV NULL: whole sequences
 * (batch_add) that see only themselves. Needs model_reserve(tokens, false). A logit that is not
 * finite is EXIT_NUMERIC.
 */
MUST_USE int model_infer(struct model *m, const struct batch *b, struct kv_cache *kv,
                         const int32_t *out_rows, int64_t n_out, float *logits);

/* What is asked of the logits of a row, without the row itself: BEST (n_out), the first most likely
 * id, and LOGP (n_out, n), the log-probabilities of IDS (n_out, n), 0 where an id is negative. N 0:
 * LOGP and IDS are NULL. N is MODEL_SELECT_MAX at most. */
enum { MODEL_SELECT_MAX = 1 << 16 };
struct selected {
    int64_t n;
    const int32_t *ids;
    double *logp;
    int32_t *best;
};
/* model_loss_batch that also says S of N_OUT rows of the batch, none twice: what model_select
 * would. */
MUST_USE int model_loss_select(struct model *m, const struct batch *b, float *nll,
                               const int32_t *out_rows, int64_t n_out, const struct selected *s);
/* The same as model_infer, but for what it gives. */
MUST_USE int model_select(struct model *m, const struct batch *b, struct kv_cache *kv,
                          const int32_t *out_rows, int64_t n_out, const struct selected *s);

#endif
