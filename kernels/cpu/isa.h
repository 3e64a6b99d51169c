/*
 * isa.h - the vector kernels of one instruction set: what isa_avx2.c, isa_avx512.c and
 * isa_portable.c each compile from the same vec_*.h, and the drivers call through. isa_list.h names
 * them.
 *
 * Kernels are single-threaded and see plain pointers. Each element of a result depends on its own
 * row, column and the sizes alone.
 */
#ifndef ISA_H
#define ISA_H

#include "kernels.h"

enum {
    KC = 256, /* terms of a product added in one chain: part of the result's definition */
    MR_MAX = 14,
    NR_MAX = 32,      /* largest tile of any instruction set */
    ROW_LD = KC + 16, /* from row to row of tile_unpacked's a: not a power of two */
    OUTER_ROWS = 16,  /* largest of outer's results */
    WANTED = 32,      /* floats asked for at a time: two lines of the cache */
    FEW = 4,          /* rows up to which a weight is not expanded into a panel first */
};

/* Dropout over the elements (token, channel) of an activation. */
struct mask {
    const struct dropout *drop;
    const int32_t *pos;     /* (N) */
    const uint32_t *sample; /* (N) */
};

/* Where step k of a product asks for WANTED floats in advance: at + k * ld while k < rows,
 * then + k * ld from there on. */
struct wanted {
    const float *at, *then;
    int64_t rows, ld;
};

struct isa {
    const char *name;
    int mr, nr; /* rows and columns of a tile */
#define KERNEL(type, name, arguments) type(*name) arguments;
#include "isa_list.h"
#undef KERNEL
};

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t round_up(int64_t x, int64_t to)
{
    return (x + to - 1) / to * to;
}

static inline const uint8_t *weight_bytes(const struct weight *w)
{
    return (const uint8_t *)(const void *)w->data;
}

static inline const float *weight_scales(const struct weight *w)
{
    return (const float *)(const void *)w->absmax;
}

/* Whether eight codes from a multiple of eight on always lie in one block, in whole bytes. */
static inline bool nf4_by_eight(const struct weight *w)
{
    return w->dtype == DT_NF4 && w->cols % 8 == 0 && w->block % 8 == 0;
}

/* Whether few rows can be multiplied with KC columns of such a weight where it lies. */
static inline bool few_can_read(const struct weight *w, int64_t kc)
{
    return dtype_is_blocks(w->dtype) ||
           (nf4_by_eight(w) ? kc % 8 == 0
                            : (w->dtype == DT_F16 || w->dtype == DT_BF16) && kc % 16 == 0);
}

extern const struct isa isa_portable;
#ifdef __x86_64__
extern const struct isa isa_avx2, isa_avx512;
#endif

#endif
