/*
 * parts.h - the frozen weights of a model on its device, as the blocks see them. files/weights.h fills
 * them and owns what they point to.
 */
#ifndef PARTS_H
#define PARTS_H

#include "modules.h"

#include "kernels.h"

struct norm_weights {
    const struct dev *gain, *bias; /* (C) f32; bias NULL: none */
};

struct linear_weights {
    struct weight w;
    const struct dev *bias; /* (O) f32; NULL: none */
};

enum layer_norm {
    NORM_ATTENTION, /* in front of attention, and of the MLP where that has none of its own */
    NORM_MLP,
    NORM_QUERY,
    NORM_KEY, /* of every head (D) */
    LAYER_NORMS
};

struct layer_weights {
    struct norm_weights norm[LAYER_NORMS]; /* gain NULL: there is none */
    struct linear_weights linear[MODULES_MAX];
};

struct parts {
    struct weight embed;        /* (V, C) */
    struct linear_weights head; /* (V, C); w is embed where they are tied */
    struct norm_weights final_norm;
    struct layer_weights *layer; /* (L) */
};

#endif
