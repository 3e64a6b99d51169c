/* drawn.h - the tensors of a model in the order of transformers' state dict, and how each is drawn. */
#ifndef MKMODEL_DRAWN_H
#define MKMODEL_DRAWN_H

#include "archs/arch.h"

/* mean + spread * normal */
struct drawn {
    char name[80];
    int rank;
    int64_t shape[2], n;
    float mean, spread;
    uint32_t stream; /* names the tensor to the generator: the same for any number of layers */
    bool zero_block; /* the first 64 values are 0, so that a block has no scale */
};

/* All tensors of a model of C's family and size, *N of them; to be freed. */
struct drawn *drawn_list(const struct config *c, int *n);

#endif
