/* ref_impl.h - what the files of the reference backend share; nobody else includes it. */
#ifndef REF_IMPL_H
#define REF_IMPL_H

#include "ref.h"

#include <assert.h>

enum {
    REF_TILE = 64,  /* columns of x that a thread of linear_backward owns at a time */
    HEAD_CHUNK = 8, /* rows whose logits exist at a time, in each thread */
};

/* One file a family of ops; each fills its own entries. */
void ref_memory_ops(struct ops *o);
void ref_nf4_ops(struct ops *o);
void ref_weight_ops(struct ops *o);
void ref_rows_ops(struct ops *o);
void ref_norm_ops(struct ops *o);
void ref_linear_ops(struct ops *o);
void ref_rope_ops(struct ops *o);
void ref_attention_ops(struct ops *o);
void ref_act_ops(struct ops *o);
void ref_residual_ops(struct ops *o);
void ref_head_ops(struct ops *o);
void ref_smooth_ops(struct ops *o);
void ref_optim_ops(struct ops *o);

/* out (n) = elements FIRST .. FIRST+n-1 of the flattened weight as floats, rounded as it says. */
void ref_weight_span(float *out, const struct weight *w, int64_t first, int64_t n);
/* The same of a weight in a block format, not rounded. */
void ref_block_span(float *out, const struct weight *w, int64_t first, int64_t n);
/* out (n) = x rounded as the operand of a weight that rounds to TO; out may be x. */
void ref_rounded(float *out, const float *x, int64_t n, enum dtype to);

static inline float *f32(struct dev *d)
{
    return (float *)(void *)d;
}

static inline const float *const_f32(const struct dev *d)
{
    return (const float *)(const void *)d;
}

static inline const int32_t *const_i32(const struct dev *d)
{
    return (const int32_t *)(const void *)d;
}

/* Sum of a[i] * b[i]; eight partial sums keep the adder busy. */
static inline double dot(const float *a, const float *b, int64_t n)
{
    double part[8] = { 0 }, sum = 0;
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            part[j] += (double)a[i + j] * b[i + j];
    for (; i < n; i++)
        sum += (double)a[i] * b[i];
    for (int j = 0; j < 8; j++)
        sum += part[j];
    return sum;
}

/* acc (n) += scale * x (n). */
static inline void add_scaled(double *acc, double scale, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += scale * x[i];
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
