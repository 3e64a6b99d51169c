/* The kernels for avx512. */
#define MR_LARGE 1
#define ISA      isa_avx512
#define ISA_NAME "avx512"
#include "isa_table.h"
