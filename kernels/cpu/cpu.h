/* cpu.h - the CPU backend: the reference ops with the hot ones replaced. */
#ifndef CPU_H
#define CPU_H

#include "kernels.h"

/* Fills O with the best ops this machine can run. */
void cpu_ops(struct ops *o);

#endif
