/* The kernels for portable. */
#define MR_LARGE 0
#define ISA      isa_portable
#define ISA_NAME "portable"
#include "isa_table.h"
