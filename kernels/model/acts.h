/*
 * acts.h - the activations of one batch: which are kept, in one allocation that is measured before
 * it is made. Letters as in kernels.h; I is the inner size of the MLP.
 *
 * Kept for the backward pass, per layer and token: the stream x (C), mean and rstd of its norm, q,
 * k and v after the rotation, the attention's output and log-sum, the MLP before its activation (I)
 * and LoRA's u (R a module): 9 C floats for Phi. Made again from these, because that is one pass
 * over memory: the normed input h and the activation itself. Dropout masks are drawn again. Without
 * training there is one layer's set that all layers use.
 */
#ifndef ACTS_H
#define ACTS_H

#include "arch.h"
#include "lora.h"

struct layer_acts {
    struct dev *x;                   /* (N, C) stream that enters the layer */
    struct dev *mean, *rstd;         /* (N); NULL without training */
    struct dev *q, *k, *v;           /* (N, H, D), (N, K, D) */
    struct dev *o;                   /* (N, H, D) attention's output */
    struct dev *lse;                 /* (N, H); NULL without training */
    struct dev *f;                   /* (N, I) before the activation */
    struct dev *u[ARCH_MODULES_MAX]; /* (N, R); NULL where the linear is not adapted */
};

struct acts {
    struct dev *memory; /* what the others are parts of */
    int64_t max_tokens; /* 0: nothing reserved */
    bool train;
    struct layer_acts *layer; /* (L) */
    struct dev *x_out;        /* (N, C) stream behind the last layer */

    /* Scratch of one layer. */
    struct dev *h;     /* (N, C) normed stream */
    struct dev *a, *m; /* (N, C) what attention and MLP add to the stream; their gradients */
    struct dev *g;     /* (N, I) activation; f itself without training */
    /* Training only. dg lives until the MLP is done, do_ .. dv after that, in the place of g and
     * dg. */
    struct dev *dx, *dh; /* (N, C) */
    struct dev *dg;      /* (N, I) */
    struct dev *do_, *dq, *dk, *dv;
    struct dev *attn; /* (N, H) */
    struct dev *low;  /* (N, R) */

    /* The batch itself. */
    struct dev *ids, *pos, *sample, *rows, *target; /* (N) 32 bits each */
    struct dev *weight, *nll, *best;
    struct dev *mean, *rstd;                    /* (N) of the final norm */
    struct dev *seq;                            /* (N) struct seq */
    struct dev *logits;                         /* (acts_logit_rows, V) */
    struct dev *tail_row, *tail_pos, *tail_seq; /* of struct pass's tail; NULL in training */
};

struct acts_shape { /* what decides how much is needed */
    const struct config *config;
    const struct lora_set *lora; /* NULL: none */
    int modules;                 /* linears of a layer */
    int64_t tokens;
    bool train;
};

struct acts_size {
    size_t kept; /* bytes that stay from forward to backward */
    size_t scratch;
};

/* Points A into MEMORY and returns the bytes; MEMORY NULL: only measures. A->layer is there. */
size_t acts_layout(struct acts *a, struct dev *memory, const struct ops *ops,
                   const struct acts_shape *shape, struct acts_size *size);
/* Rows of logits that are made at a time. */
int64_t acts_logit_rows(int64_t tokens);

#endif
