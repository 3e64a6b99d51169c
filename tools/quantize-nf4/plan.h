/*
 * plan.h - what becomes of each tensor of a model, and the scales of those that are quantised.
 *
 * A safetensors file holds its widest types first, so all scales stand before the first code: they
 * are computed beforehand, in one pass over the weights, and kept (1/16 byte a weight). The codes
 * follow in a second pass, piece by piece.
 */
#ifndef QUANTIZE_PLAN_H
#define QUANTIZE_PLAN_H

#include "kernels.h"
#include "nf4_nest.h"
#include "progress.h"
#include "tensors.h"

/* Weights worked on at a time: a multiple of every block size, and few enough that what was looked
 * through for NaN is still in the cache when it is quantised. */
enum { PIECE = 1 << 19 };

struct nf4_options {
    int64_t block;
    bool nested;
    enum nest_compat compat;
    const char *skip; /* "a,b": modules that stay as they are */
};

struct item { /* one tensor of the input */
    const struct tensor *t;
    bool quantised;
    int64_t blocks;
    float *absmax; /* (blocks) as a reader will see them: nested ones coded and expanded */
    uint8_t *q;    /* (blocks) nested: their codes */
    float *nested; /* ((blocks + 255) / 256) */
    char *state;   /* quant_state as JSON */
};

struct plan {
    const struct ops *ops;
    struct nf4_options opt;
    struct item *item; /* in the order of their names */
    int n;
    struct room *room; /* one for each thread */
    int rooms;
};

struct room { /* of one piece */
    struct dev *codes, *scales;
    uint8_t *host; /* the codes again */
};

/* Computes all scales of MODEL; P has ops and opt. -1 names the tensor: values that are not finite
 * (EXIT_NUMERIC), a type that cannot be quantised. plan_free releases what was made in both cases.
 */
MUST_USE int plan_make(struct plan *p, const struct tensors *model, struct progress *progress);
void plan_free(struct plan *p);

/* Quantises weights FROM .. FROM + N of the item into ROOM: (N + 1) / 2 bytes of codes. Several
 * threads may do so, each with its own. */
MUST_USE int plan_codes(const struct plan *p, const struct room *room, const struct item *it,
                        int64_t from, int64_t n);

#endif
