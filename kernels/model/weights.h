/*
 * weights.h - the frozen weights of a model on its device, named and shaped as the architecture and
 * the config say.
 *
 * Matrices stay as they are stored (float32, float16, bfloat16 or bitsandbytes' NF4) and are
 * adopted where they lie in the mapped file. Biases, norms and nested scales are turned into
 * float32 once.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "arch.h"
#include "tensors.h"

struct norm_weights {
    const struct dev *gain, *bias; /* (C) f32 */
};

struct linear_weights {
    struct weight w;
    const struct dev *bias; /* (O) f32 */
};

struct layer_weights {
    struct norm_weights norm[ARCH_NORMS_MAX];
    struct linear_weights linear[ARCH_MODULES_MAX];
};

struct weights {
    struct weight embed;        /* (V, C), dense */
    struct linear_weights head; /* (V, C), dense; w is embed where they are tied */
    struct norm_weights final_norm;
    struct layer_weights *layer; /* (L) */
    size_t mapped, owned;        /* bytes used in place; bytes made here */

    /* What weights_free releases. */
    const struct ops *ops;
    struct tensors *files;
    const struct dev **adopted;
    void **buffers;
    int n_adopted, n_buffers;
};

/* Loads what C's architecture needs from P. A missing tensor, a wrong shape or dtype, a value that
 * is not finite is an error that names the tensor (EXIT_DATA); fp4 is EXIT_NODEVICE. A tensor that
 * nothing asks for is a warning. ROUND: of the linears and the head, see struct weight. */
MUST_USE int weights_load(struct weights *w, const struct pack *p, const struct config *c,
                          const struct module_info *modules, int n_modules, const struct ops *ops,
                          enum dtype round);
void weights_free(struct weights *w);

#endif
