/*
 * isa.h - the vector kernels of one instruction set: what isa_avx2.c, isa_avx512.c and
 * isa_portable.c each compile from the same vec_*.h, and the drivers call through.
 *
 * Kernels are single-threaded and see plain pointers. Each element of a result depends on its own
 * row, column and the sizes alone.
 */
#ifndef ISA_H
#define ISA_H

#include "kernels.h"

enum {
    KC = 256,                   /* terms of a product added in one chain: part of the result's definition */
    MR_MAX = 14, NR_MAX = 32,   /* largest tile of any instruction set */
};

/* Dropout over the elements (token, channel) of an activation. */
struct mask {
    const struct dropout *drop;
    const int32_t *pos;         /* (N) */
    const uint32_t *sample;     /* (N) */
};

struct isa {
    const char *name;
    int mr, nr;                 /* rows and columns of a tile */

    /* c (mr, nr) = base + sum over k < kc of a[k][i] * b[k][j], one chain of multiply-adds from 0 and
     * then added to base: init (nr), or c itself when ADD, or nothing. a (kc, isa.mr), b (kc, nr). */
    void (*tile)(int mr, int64_t kc, const float *a, const float *b, float *c, int64_t ldc,
                 const float *init, bool add);
    /* dst (kc, nr) = columns n0.. of the matrix B, rows k0..: B is w transposed (trans) or w. Columns
     * from w's end on hold anything finite. */
    void (*pack_b)(float *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc, int64_t n0);
    /* out (n) = elements FIRST.. of the flattened weight. */
    void (*span)(float *out, const struct weight *w, int64_t first, int64_t n);
    /* out[i] = x[i] / (1 - p) where channel FIRST + i of TOKEN is kept, else 0, i < n: the bytes of
     * ref_dropout. FIRST is a multiple of 4, p is not 0, out may be x. */
    void (*dropout)(float *out, const float *x, int64_t n, int64_t first, const struct mask *m,
                    int64_t token);
};

extern const struct isa isa_portable;
#ifdef __x86_64__
extern const struct isa isa_avx2, isa_avx512;
#endif

#endif
