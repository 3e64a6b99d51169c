/* The kernels for avx2. */
#define MR_LARGE 0
#define ISA      isa_avx2
#define ISA_NAME "avx2"
#include "isa_table.h"
