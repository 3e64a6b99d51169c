/* The kernels for avx2; which flags that means is in the Makefile. */
#define MR_LARGE 0
#include "vec_dropout.h"
#include "vec_math.h"
#include "vec_pack.h"
#include "vec_quantize.h"
#include "vec_rows.h"
#include "vec_tile.h"
#include "vec_tile_few.h"

const struct isa isa_avx2 = {
    .name = "avx2",
    .mr = MR,
    .nr = NR,
    .tile = tile,
    .tile_few = tile_few,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .span = span,
    .dropout = dropout,
    .softmax_tile = softmax_tile,
    .softmax_slope = softmax_slope,
    .first_largest = first_largest,
    .row_dots = row_dots,
    .scale = scale_run,
    .gelu = gelu,
    .gelu_slope = gelu_slope,
    .norm = norm,
    .norm_slope = norm_slope,
    .add3 = add3,
    .sum_squares = sum_squares,
    .nf4_blocks = nf4_blocks,
};
