/*
 * layer.h - the orders in which a layer's blocks follow one another.
 */
#ifndef LAYER_H
#define LAYER_H

#include "err.h"

#include <stdbool.h>

struct pass; /* blocks.h */
struct dev;

struct layer_order {
    /* Both give -1 when an op fails. x_next (N, C) = the stream that leaves LAYER, from the one
     * that enters it (acts.layer[].x). */
    int (*forward)(struct pass *p, int layer, struct dev *x_next);
    /* Turns acts.dx, the gradient of the stream that leaves LAYER, into that of the one that enters
     * it; LOWEST: that is not wanted. LoRA's gradients are added. */
    int (*backward)(struct pass *p, int layer, bool lowest);
    bool one_norm; /* of attention and MLP; else the MLP has one of its own, and a stream between
                      them */
};

/* x <- drop(attention(h)) + drop(mlp(h)) + x, h = norm(x): Phi. */
extern const struct layer_order layer_parallel;
/* x <- drop(attention(norm(x))) + x, then x <- drop(mlp(norm'(x))) + x: Llama and its kin. */
extern const struct layer_order layer_sequential;

#endif
