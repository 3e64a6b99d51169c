/* fill.h - random weights by counter: each value depends on seed, tensor and place alone. */
#ifndef MKMODEL_FILL_H
#define MKMODEL_FILL_H

#include "dtype.h"
#include "drawn.h"

enum { FILL_STEP = 1 << 20 }; /* a multiple of what one counter gives */

/* OUT (n of type DTYPE: F32, F16 or BF16) = values FROM.. of T; FROM a multiple of FILL_STEP. */
void fill(void *out, enum dtype dtype, const struct drawn *t, int64_t from, int64_t n,
          uint64_t seed);

#endif
