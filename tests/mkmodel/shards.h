/* shards.h - the random weights of a model as files, split as transformers splits large ones. */
#ifndef MKMODEL_SHARDS_H
#define MKMODEL_SHARDS_H

#include "cli.h"
#include "drawn.h"
#include "pack.h"

/* The N tensors T as DTYPE: model.safetensors, or shards of at most 5 GB and their index. Leaves T in
 * another order. */
MUST_USE int shards_write(struct pack_writer *out, struct drawn *t, int n, enum dtype dtype,
                          const struct cli_common *common);

#endif
