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
    KC = 256, /* terms of a product added in one chain: part of the result's definition */
    MR_MAX = 14,
    NR_MAX = 32, /* largest tile of any instruction set */
    FEW = 4,     /* rows up to which a weight is not expanded into a panel first */
};

/* Dropout over the elements (token, channel) of an activation. */
struct mask {
    const struct dropout *drop;
    const int32_t *pos;     /* (N) */
    const uint32_t *sample; /* (N) */
};

struct isa {
    const char *name;
    int mr, nr; /* rows and columns of a tile */

    /* c (mr, nr) = base + sum over k < kc of a[k][i] * b[k][j], one chain of multiply-adds from 0
     * and then added to base: init (nr), or c itself when ADD, or nothing. a (kc, mr), b (kc, nr).
     */
    void (*tile)(int mr, int64_t kc, const float *a, const float *b, float *c, int64_t ldc,
                 const float *init, bool add);
    /* The same for mr <= FEW, with what pack_b would make of W's rows n0.. and columns k0..; only
     * if few_can_read(w, kc) and W is not rounded. */
    void (*tile_few)(int mr, int64_t kc, const float *a, const struct weight *w, int64_t k0,
                     int64_t n0, float *c, int64_t ldc, const float *init, bool add);
    /* to (kc, m) = the m <= isa.mr rows transposed. */
    void (*pack_a)(float *to, const float *const *row, int m, int64_t kc);
    /* dst (kc, nr) = columns n0.. of the matrix B, rows k0..: B is w transposed (trans) or w, whose
     * rows are LD apart (NF4: LD is its width). Columns from w's end on hold anything finite. */
    void (*pack_b)(float *dst, const struct weight *w, int64_t ld, bool trans, int64_t k0,
                   int64_t kc, int64_t n0);
    /* out (n) = elements FIRST.. of the flattened weight. */
    void (*span)(float *out, const struct weight *w, int64_t first, int64_t n);
    /* out[i] = x[i] / (1 - p) where channel FIRST + i of TOKEN is kept, else 0, i < n: the bytes of
     * ref_dropout. FIRST is a multiple of 4, p is not 0, out may be x. */
    void (*dropout)(float *out, const float *x, int64_t n, int64_t first, const struct mask *m,
                    int64_t token);

    /* One tile of a softmax over many: s (n) becomes exp(s - m) where the first VALID count, 0 from
     * there on. *MOST grows to m, the largest so far, *SUM to the sum of all exp(s - m) so far.
     * Returns what earlier tiles' values must be multiplied with. Start with -infinity and 0. */
    float (*softmax_tile)(float *s, int64_t n, int64_t valid, float *most, float *sum);
    /* s (n) becomes p = exp(s - lse) where valid, else 0; g (n) becomes scale * p * (g - along). */
    void (*softmax_slope)(float *s, float *g, int64_t n, int64_t valid, float lse, float along,
                          float scale);
    int64_t (*first_largest)(const float *x, int64_t n);
    /* out[i * STEP] = row i of a times row i of b, i < ROWS, rows of n, LD apart: what a product's
     * element is (gemm.h), so that equal operands give an equal number here and there. */
    void (*row_dots)(float *out, int64_t step, const float *a, const float *b, int64_t ld,
                     int64_t rows, int64_t n);
    void (*scale)(float *x, float by, int64_t n);

    void (*gelu)(float *y, const float *x, int64_t n);
    void (*gelu_slope)(float *dx, const float *dy, const float *x, int64_t n); /* dy * gelu'(x) */

    /* One row of norm_forward and norm_backward; sums in double. */
    void (*norm)(float *y, float *mean, float *rstd, const float *x, const float *gain,
                 const float *bias, int64_t n, float eps);
    void (*norm_slope)(float *dx, const float *dy, const float *x, float mean, float rstd,
                       const float *gain, int64_t n, bool add);
    /* out (n) = a + b + x, in this order; out may be x. */
    void (*add3)(float *out, const float *a, const float *b, const float *x, int64_t n);
    double (*sum_squares)(const float *x, int64_t n);

    /* Elements FIRST.. (n) of the flattened dense weight, where a block of w->block begins, into
     * their places among its codes (NULL: not wanted) and scales; as nf4_quantize says. */
    void (*nf4_blocks)(uint8_t *codes, float *absmax, const struct weight *w, int64_t first,
                       int64_t n, int zero_code);
};

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
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
    return nf4_by_eight(w) ? kc % 8 == 0
                           : (w->dtype == DT_F16 || w->dtype == DT_BF16) && kc % 16 == 0;
}

extern const struct isa isa_portable;
#ifdef __x86_64__
extern const struct isa isa_avx2, isa_avx512;
#endif

#endif
