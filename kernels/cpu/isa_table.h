/* isa_table.h - the table of one instruction set, called ISA. Included by isa_*.c only; which flags
 * one means is in the Makefile. */
#include "vec_act.h"
#include "vec_dropout.h"
#include "vec_low_rank.h"
#include "vec_math.h"
#include "vec_pack.h"
#include "vec_quantize.h"
#include "vec_rows.h"
#include "vec_tile.h"
#include "vec_tile_few.h"

const struct isa ISA = {
    .name = ISA_NAME,
    .mr = MR,
    .nr = NR,
#define KERNEL(type, name, arguments) .name = name,
#include "isa_list.h"
#undef KERNEL
};
