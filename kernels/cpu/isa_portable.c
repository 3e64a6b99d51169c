/* The kernels for portable; which flags that means is in the Makefile. */
#define MR_LARGE 0
#include "vec_dropout.h"
#include "vec_pack.h"
#include "vec_tile.h"

const struct isa isa_portable = {
    .name = "portable",
    .mr = MR,
    .nr = NR,
    .tile = tile,
    .pack_b = pack_b,
    .span = span,
    .dropout = dropout,
};
