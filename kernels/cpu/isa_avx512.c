/* The kernels for avx512; which flags that means is in the Makefile. */
#define MR_LARGE 1
#include "vec_dropout.h"
#include "vec_pack.h"
#include "vec_tile.h"

const struct isa isa_avx512 = {
    .name = "avx512",
    .mr = MR,
    .nr = NR,
    .tile = tile,
    .pack_b = pack_b,
    .span = span,
    .dropout = dropout,
};
