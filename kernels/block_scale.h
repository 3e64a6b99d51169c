/* block_scale.h - whether the scales of block formats (block_code.h) are numbers. */
#ifndef BLOCK_SCALE_H
#define BLOCK_SCALE_H

#include "dtype.h"

#include <stdint.h>

/* The first of N blocks of host memory, in block format T, with a half float that is infinite or
 * NaN; -1 when there is none: then every element is finite, for no other block can be larger than
 * 65504 * 63 * 32. Reads the halves only, with all threads. */
int64_t blocks_first_bad(const void *blocks, enum dtype t, int64_t n);

#endif
