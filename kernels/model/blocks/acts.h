/*
 * acts.h - the activations of one batch: which are kept, in one allocation that is measured before
 * it is made. Letters as in kernels.h; I is the inner size of the MLP.
 *
 * Kept for the backward pass, per layer and token: the stream x (C) and what stands between
 * attention and MLP (C, where they follow one another), mean and rstd of the norms, queries, keys
 * and values after the rotation (and before their norms, where they have any), the attention's
 * output and log-sum, the MLP before its activation (I, or 2 I with a gate) and LoRA's u (R a
 * module) with a bit for each element of its input where some are dropped: 9 C values for Phi. Made
 * again from these, because that is one pass over memory: the normed input h and the activation
 * itself. Masks of what is added to the stream are drawn again. Without training there is one
 * layer's set that all layers use.
 */
#ifndef ACTS_H
#define ACTS_H

#include "config.h"
#include "lora/lora.h"
#include "modules.h"

/* Rows that stand LD elements apart: of their own, or a column range of a fused product. */
struct rows {
    struct dev *at;
    int64_t ld;
};

struct layer_acts {
    struct dev *x;           /* (N, C) stream that enters the layer */
    struct dev *mid;         /* (N, C) between attention and MLP; NULL where one norm feeds both */
    struct dev *mean, *rstd; /* (N) of the attention's norm; NULL without training */
    struct dev *mid_mean, *mid_rstd;
    struct dev *qkv;               /* what q, k and v are ranges of; NULL: of their own */
    struct rows q, k, v;           /* (N, H, D), (N, K, D) */
    struct dev *raw_q, *raw_k;     /* before their norms; NULL: they have none */
    struct dev *q_rstd, *k_rstd;   /* (N, H), (N, K); NULL without training */
    struct dev *o;                 /* (N, H, D) attention's output */
    struct dev *lse;               /* (N, H) f32; NULL without training */
    struct dev *gate_up;           /* what gate and up are ranges of; NULL: of their own */
    struct rows gate, up;          /* (N, I) before the activation; gate.at NULL: there is none */
    struct dev *u[MODULES_MAX];    /* (N, R) f32; NULL where the linear is not adapted */
    struct dev *kept[MODULES_MAX]; /* struct lora's; NULL where nothing is dropped */
};

struct acts {
    struct dev *memory; /* what the others are parts of */
    int64_t max_tokens; /* 0: nothing reserved */
    bool train;
    struct layer_acts *layer; /* (L) */
    struct dev *x_out;        /* (N, C) stream that leaves the last layer */

    /* Scratch of one layer. */
    struct dev *h;     /* (N, C) normed stream */
    struct dev *a, *m; /* (N, C) what attention and MLP add to the stream; their gradients */
    struct dev *g;     /* (N, I) activation; the MLP's own memory where it can be */
    struct dev *tail; /* (N, H, D) rows of o that the last layer goes on with, in the place of dq or
                       * q; where q, k and v are one product and this is no training, of qkv */
    /* Training only. dg lives until the MLP is done, do_ .. dv after that, in the place of g and
     * dg. */
    struct dev *dx, *dh; /* (N, C) */
    struct dev *dg;      /* (N, I) */
    struct dev *do_, *dqkv;
    struct rows dq, dk, dv;
    struct dev *attn; /* (N, H) f32 */
    struct dev *low;  /* (N, R) f32 */

    struct dev *mean, *rstd; /* (N) f32 of the final norm */
    struct dev *batch;       /* (acts_batch_bytes) what the batch is, put at once */
    struct dev *result;      /* (N) twice 4 bytes a row: nll and best, fetched at once */
    struct dev *logits;      /* (acts_logit_rows, V) f32; NULL in training */
    struct dev *select;      /* ACTS_SELECT bytes of what is asked of rows of logits */
};

struct acts_shape { /* what decides how much is needed */
    const struct config *config;
    const struct modules *modules;
    const struct lora_set *lora; /* NULL: none */
    int64_t tokens;
    size_t batch_bytes;        /* of acts.batch */
    bool one_norm, head_norms; /* one norm a layer; norms of queries and keys */
    bool train;
};

struct acts_size {
    size_t kept; /* bytes that stay from forward to backward */
    size_t scratch;
};

/* Points A into MEMORY and returns the bytes; MEMORY NULL: only measures. A->layer is there. */
size_t acts_layout(struct acts *a, struct dev *memory, const struct ops *ops,
                   const struct acts_shape *shape, struct acts_size *size);
enum { ACTS_SELECT = 1 << 20 };
/* Rows of logits that are made at a time. */
int64_t acts_logit_rows(int64_t tokens);

#endif
