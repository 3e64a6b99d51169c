/* phi.h - what a Phi model (1, 1.5, 2) consists of: its config.json and its tensors in order. */
#ifndef MKMODEL_PHI_H
#define MKMODEL_PHI_H

#include "dtype.h"
#include "mem.h"

#include <stdbool.h>

struct phi {
    int64_t hidden, layers, heads, kv_heads, inner, vocab, positions;
    double partial_rotary, resid_pdrop;
    int64_t bos, eos;
    enum dtype dtype;
};

/* Phi-2 as published (its real config.json). */
extern const struct phi phi_2;

/* How a tensor is drawn: mean + spread * normal. */
struct phi_tensor {
    char name[80];
    int rank;
    int64_t shape[2], n;
    float mean, spread;
    uint32_t stream; /* names the tensor to the generator: the same for any number of layers */
    bool zero_block; /* the first 64 values are 0, so that a block has no scale */
};

int phi_tensors(const struct phi *m); /* how many */
struct phi_tensor phi_tensor(const struct phi *m,
                             int i); /* in the order of transformers' state dict */

/* Appends config.json and generation_config.json as transformers 4.37 writes them. */
void phi_put_config(struct buf *b, const struct phi *m);
void phi_put_generation_config(struct buf *b, const struct phi *m);

#endif
