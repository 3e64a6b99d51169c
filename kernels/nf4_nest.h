/*
 * nf4_nest.h - double quantisation: the absmax of NF4 blocks, themselves in 8 bits (NUMERICS B.4).
 *
 * absmax[i] = map[q[i]] * nested_absmax[i / 256] + offset, all in float32. Host memory: this is
 * 1/64 of a weight and happens once, while quantising or loading.
 */
#ifndef NF4_NEST_H
#define NF4_NEST_H

#include <stdint.h>

enum { NEST_BLOCK = 256, NEST_MAP = 256 };

/* How the nearest map entry is searched: as bitsandbytes does on CUDA (binary search, ties toward
 * its pivot), by midpoints with ties to the lower entry, or by the 65,536-entry table of
 * bitsandbytes' CPU code. */
enum nest_compat { NEST_CUDA, NEST_MIDPOINT, NEST_BNB_CPU };

extern const float nest_map[NEST_MAP];      /* the signed dynamic map, ascending */

/* q (n), nested ((n+255)/256), *offset from absmax (n). */
void nest_quantize(uint8_t *q, float *nested, float *offset, const float *absmax, int64_t n,
                   enum nest_compat compat);
/* absmax (n) back, with the map that stands in the file. */
void nest_expand(float *absmax, const uint8_t *q, const float *nested, const float *map, float offset,
                 int64_t n, int block);

#endif
