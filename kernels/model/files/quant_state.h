/*
 * quant_state.h - the JSON that bitsandbytes puts beside the codes of a 4-bit weight (NUMERICS
 * B.5).
 */
#ifndef QUANT_STATE_H
#define QUANT_STATE_H

#include "tensors.h"

struct quant_state {
    int64_t rows, cols;
    int64_t block, nested_block; /* nested_block 0: scales are plain */
    double offset;
    enum dtype dtype; /* of the weight before it was quantised: F32, F16 or BF16 */
};

/* From tensor T, checked; a key that we do not know is an error (EXIT_DATA). */
MUST_USE int quant_state_parse(struct quant_state *q, const struct tensor *t);

#endif
