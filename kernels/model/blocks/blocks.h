/*
 * blocks.h - one batch on its way through a model, and what the blocks of every family are made of.
 *
 * The blocks call ops only, and find everything they need in the pass, which owns nothing. All give
 * -1 with the error of the op that failed.
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "blocks/acts.h"
#include "parts.h"

struct engine { /* what is the same for every pass of a model */
    const struct ops *ops;
    const struct config *config;
    const struct modules *modules;
    const struct parts *parts;
    struct dev *cos, *sin; /* (positions, rot/2) f32 */
    enum norm norm;
    bool float16;                /* products are of it, beyond whose range is infinity */
    const struct lora_set *lora; /* NULL: the base model alone */
    float resid_pdrop;
    float smoothing;       /* of labels, in training; 0: none */
    struct dev *head_mean; /* (C) f32, of the head's rows; NULL without smoothing */
    struct acts acts;
};

struct kv_cache {
    const struct ops *ops;
    int64_t kept, rows;
    struct dev *memory;
    struct dev **k, **v;       /* (L) of (kept, K, D) */
    struct dev *all_k, *all_v; /* (rows, K, D) of the layer at hand; NULL when all are kept */
};

/* One batch: what to compute and for whom. */
struct pass {
    const struct engine *e;
    struct packed rows; /* that are computed at the moment: all of the batch, or the tail */
    struct packed all;
    const struct dev *ids;     /* (N) i32 */
    bool train;                /* dropout is drawn, gradients are added to the lora_set */
    uint64_t seed;             /* of dropout */
    struct kv_cache *kv;       /* NULL: sequences see their own rows of the batch */
    const struct dev *kv_rows; /* (N) i32: where each token's key and value go */
    /* What the last layer is asked for: these rows of the batch become its only ones, behind keys
     * and values where the tail has sequences, behind attention where it has none. No tokens: all.
     */
    struct packed tail;
    const struct dev *tail_row; /* (tail.tokens) i32 */
    /* Of the layer at hand: queries (at NULL: not made yet), and the keys and values they see. */
    struct rows q;
    const struct dev *k, *v;
    int64_t kv_ld;
    /* The rows of the stream that the head looks at, and what is asked of them. */
    int64_t picks;
    const struct dev *pick_row, *pick_target; /* (picks) i32 */
    const struct dev *pick_weight;            /* (picks) f32 */
};

/* ---- linear_block.c ---- */

/* y (N, O) = each of N linears of LAYER, that read the same x, with LoRA where there is one. */
struct output {
    enum role role;
    struct dev *y;
};
MUST_USE int block_linears(const struct pass *p, int layer, const struct output *out, int n,
                           const struct dev *x);
MUST_USE int block_linear(const struct pass *p, int layer, enum role role, struct dev *y,
                          const struct dev *x);
/* Its gradients: LoRA's are added to the lora_set, dx (NULL: not wanted) is set, or added to when
 * ADD. */
MUST_USE int block_linear_back(const struct pass *p, int layer, int module, struct dev *dx,
                               const struct dev *dy, const struct dev *x, bool add);
/* True when MODULE of LAYER carries LoRA. */
bool block_adapted(const struct pass *p, int layer, int module);
/* The index of the module that does ROLE, -1: there is none. */
static inline int block_module(const struct pass *p, enum role role)
{
    return p->e->modules->place[role];
}

/* ---- norm_block.c ---- */

/* h (N, C) = the norm WHICH of LAYER of x; mean and rstd may be NULL. */
MUST_USE int block_norm(const struct pass *p, int layer, enum layer_norm which, struct dev *h,
                        struct dev *mean, struct dev *rstd, const struct dev *x);
/* dx += dh through it. */
MUST_USE int block_norm_back(const struct pass *p, int layer, enum layer_norm which, struct dev *dx,
                             const struct dev *dh, const struct dev *x, const struct dev *mean,
                             const struct dev *rstd);
/* Where dropout of a layer is drawn beside the linears, which count from 0. */
enum { SITE_ATTENTION = 14, SITE_MLP = 15 };
struct dropout block_residual_dropout(const struct pass *p, int layer, int site);

/* ---- attention_block.c ---- */

/* Keys and values of all rows from the normed stream h, into the cache where there is one. Fused
 * projections give the queries, too. */
MUST_USE int block_keys(struct pass *p, int layer, const struct dev *h);
/* What the heads of h's rows see, in the layer's o. */
MUST_USE int block_attention(struct pass *p, int layer, const struct dev *h);
/* out (N, C) = attention's output projection. */
MUST_USE int block_output(const struct pass *p, int layer, struct dev *out);
/* From da, the gradient of its output, to that of o. */
MUST_USE int block_output_back(const struct pass *p, int layer, const struct dev *da);
/* From there to what is added to dh (NULL: not wanted), or set unless ADD. */
MUST_USE int block_attention_back(const struct pass *p, int layer, struct dev *dh, bool add);

/* ---- tail_block.c ---- */

/* Where LAYER goes on with the tail alone: before attention, or behind it. */
enum narrowing { NARROWS_NOT, NARROWS_BEFORE, NARROWS_BEHIND };
enum narrowing block_narrowing(const struct pass *p, int layer);
/* Where WHEN is that place: goes on with the rows of the tail, their stream in *X, normed in *H. */
MUST_USE int block_narrow(struct pass *p, int layer, enum narrowing when, const struct dev **x,
                          const struct dev **h);
/* Back to all rows from those behind attention: gradients of what it gave, of the stream (acts.dx)
 * and, with H, of the normed one (acts.dh) are 0 for the others. */
MUST_USE int block_widen(struct pass *p, bool h);
/* out = the tail's rows of x, WIDTH values each. */
MUST_USE int block_take_tail(const struct pass *p, struct dev *out, const struct dev *x,
                             int64_t width);
/* ---- mlp_block.c ---- */

/* out (N, C) = down(act(up h)), or down(act(gate h) * up h). */
MUST_USE int block_mlp(const struct pass *p, int layer, struct dev *out, const struct dev *h);
/* From dm, the gradient of its output, to dh (NULL: not wanted), which is set. H is in acts.h. */
MUST_USE int block_mlp_back(const struct pass *p, int layer, struct dev *dh, const struct dev *dm);

/* ---- head_block.c ---- */

/* Ids to the stream that enters the first layer. */
MUST_USE int block_embed(const struct pass *p);
/* Final norm and head of the picked rows: losses in acts.result, after them the most likely ids
 * (BEST). GRADIENT: also the gradient of the stream, in acts.dx. */
MUST_USE int block_head_loss(const struct pass *p, bool best, bool gradient);
/* Final norm and logits of picks FROM.. (N of them, acts_logit_rows at most), in acts.logits. */
MUST_USE int block_head_logits(const struct pass *p, int64_t from, int64_t n);
/* Final norm and what head_select says of picks FROM.. (M of them). */
MUST_USE int block_head_select(const struct pass *p, int64_t from, int64_t M, struct dev *logp,
                               struct dev *best, const struct dev *ids, int64_t n);

#endif
