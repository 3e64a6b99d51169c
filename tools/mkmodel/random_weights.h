/* random_weights.h - the random weights of a model as files, split as transformers splits large ones. */
#ifndef RANDOM_WEIGHTS_H
#define RANDOM_WEIGHTS_H

#include "cli.h"
#include "pack.h"
#include "phi.h"

/* model.safetensors, or shards of at most 5 GB and their index. */
MUST_USE int weights_write(struct pack_writer *out, const struct phi *m,
                           const struct cli_common *common);

#endif
