/* holder.h - a model, an adapter or one safetensors file, opened with its tensors. */
#ifndef HOLDER_H
#define HOLDER_H

#include "mem.h"
#include "pack.h"
#include "tensors.h"

struct holder {
    struct pack *pack;
    struct tensors *tensors;
};

MUST_USE int holder_open(struct holder *h, const char *path);
void holder_close(struct holder *h);
/* Appends "[51200,2560]". */
void put_shape(struct buf *b, const struct tensor *t);

#endif
