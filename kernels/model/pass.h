/*
 * pass.h - the inside of a model, and one batch on its way through it. For the files of this
 * folder.
 */
#ifndef PASS_H
#define PASS_H

#include "acts.h"
#include "weights.h"

struct model {
    const struct pack *pack;
    const struct ops *ops;
    struct config config;
    struct weights weights;
    struct module_info module[ARCH_MODULES_MAX];
    int n_modules;
    struct dev *cos, *sin; /* (positions, rot/2) f32, parts of ROTARY */
    struct dev *rotary;
    const struct lora_set *lora;
    float resid_pdrop;
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
    const struct model *model;
    struct packed rows;
    bool train;                /* dropout is drawn, gradients are added to the lora_set */
    uint64_t seed;             /* of dropout */
    struct kv_cache *kv;       /* NULL: sequences see their own rows of the batch */
    const struct dev *kv_rows; /* (N) i32: where each token's key and value go */
    /* What the last layer is asked for beside keys and values: these rows of the batch become its
     * only ones. No tokens: all. */
    struct packed tail;
    const struct dev *tail_row; /* (tail.tokens) i32 */
};

/* Puts B on the device and describes it in PASS. */
MUST_USE int pass_begin(struct pass *p, const struct model *m, const struct batch *b);

/* y (N, O) = the linear MODULE of LAYER, with LoRA where there is one. */
MUST_USE int pass_linear(const struct pass *p, int layer, int module, struct dev *y,
                         const struct dev *x);
/* Its gradients: LoRA's are added to the lora_set, dx (NULL: not wanted) is set, or added to when
 * ADD. */
MUST_USE int pass_linear_back(const struct pass *p, int layer, int module, struct dev *dx,
                              const struct dev *dy, const struct dev *x, bool add);
/* Puts the batch's K and V of LAYER into the cache; gives the rows that struct seq counts. */
MUST_USE int pass_cache(const struct pass *p, int layer, const struct dev **k,
                        const struct dev **v);
/* True when MODULE of LAYER carries LoRA. */
bool pass_adapted(const struct pass *p, int layer, int module);
/* The lowest layer that carries LoRA: nothing below it needs a gradient. The number of layers when
 * none does. */
int pass_first_adapted(const struct pass *p);

/* The first layer whose input is not finite, or -1: who is to blame for a bad loss. */
MUST_USE int pass_find_bad_layer(const struct pass *p, int *layer);

/* Where dropout of a layer is drawn beside the linears, which count from 0. */
enum { SITE_ATTENTION = 14, SITE_MLP = 15 };
struct dropout pass_residual_dropout(const struct pass *p, int layer, int site);

/* The rows of a batch that the head looks at, on the host. */
struct picked {
    int64_t n;
    int32_t *row, *target; /* (n) */
    float *weight;         /* (n) */
};

/* Final norm and head of the picked rows: losses in acts.nll, most likely ids in acts.best (BEST).
 * GRADIENT: also the gradient of the stream, in acts.dx. */
MUST_USE int head_loss_pass(const struct pass *p, const struct picked *k, bool best, bool gradient);
/* Final norm and logits of N rows (acts_logit_rows at most), in acts.logits. */
MUST_USE int head_logits_pass(const struct pass *p, const int32_t *row, int64_t n);

#endif
