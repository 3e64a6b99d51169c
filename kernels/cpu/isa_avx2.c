/* The kernels for avx2; which flags that means is in the Makefile. */
#define MR_LARGE 0
#include "vec_dropout.h"
#include "vec_pack.h"
#include "vec_tile.h"

const struct isa isa_avx2 = {
    .name = "avx2",
    .mr = MR,
    .nr = NR,
    .tile = tile,
    .pack_b = pack_b,
    .span = span,
    .dropout = dropout,
};
