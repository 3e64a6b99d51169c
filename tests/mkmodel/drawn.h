/* drawn.h - the tensors of a model in the order of transformers' state dict, and their random values. */
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
    int shard;       /* the file that it is in */
};

/* All tensors of a model of C's family and size, *N of them; to be freed. */
struct drawn *drawn_list(const struct config *c, int *n);

enum { DRAWN_STEP = 1 << 20 }; /* a multiple of what one counter of the generator gives */

/* OUT (N of type DTYPE: F32, F16 or BF16) = values FROM.. of T, which depend on seed, stream and place
 * alone; FROM a multiple of DRAWN_STEP. */
void drawn_fill(void *out, enum dtype dtype, const struct drawn *t, int64_t from, int64_t n,
                uint64_t seed);

#endif
