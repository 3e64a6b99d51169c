/*
 * weights.h - a model's files on its device: config, and the frozen weights, named and shaped as
 * the family and the config say.
 *
 * Matrices stay as they are stored (float32, float16, bfloat16, bitsandbytes' NF4 or the blocks of
 * a GGUF file) and are adopted where they lie in the mapped file. Biases, norms and nested scales
 * are turned into float32 once.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "archs/arch.h"
#include "parts.h"
#include "tensors.h"

struct weights {
    struct config config;
    struct modules modules;
    struct parts parts;
    const struct pack *pack; /* where all is from; outlives this */
    const struct ops *ops;
    size_t mapped, owned; /* bytes used in place; bytes made here */

    /* What weights_close releases. */
    struct tensors *files;
    const struct dev **adopted;
    void **buffers;
    int n_adopted, n_buffers;
};

/* Loads config and weights of P for OPS. A missing tensor, a wrong shape or dtype, a value that is
 * not finite is an error that names the tensor (EXIT_DATA, EXIT_NUMERIC); fp4 is EXIT_NODEVICE. A
 * tensor that nothing asks for is a warning. ROUND: of the linears and the head, see struct weight.
 */
MUST_USE int weights_open(struct weights *w, const struct pack *p, const struct ops *ops,
                          enum dtype round);
void weights_close(struct weights *w);
/* Gives the same errors, but for values: nothing is computed, no device is needed, nothing is kept. */
MUST_USE int weights_check(const struct pack *p);

#endif
