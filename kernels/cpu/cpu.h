/* cpu.h - the CPU backend: the reference ops with the hot ones replaced. */
#ifndef CPU_H
#define CPU_H

#include "kernels.h"

/* Fills O with the best ops this machine can run, or those for the instruction set that the
 * environment's SLMTOOLS_CPU names (portable, avx2, avx512, avx512bf16, amxbf16); -1 when it does
 * not have that one. The last two are avx512 but for products that round to bfloat16. COMPUTE: what
 * scratch_bytes takes the weights to round to; the ops themselves take any. */
MUST_USE int cpu_ops(struct ops *o, enum dtype compute);

#endif
