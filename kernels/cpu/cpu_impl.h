/* cpu_impl.h - what the drivers of the CPU backend share; nobody else includes it. */
#ifndef CPU_IMPL_H
#define CPU_IMPL_H

#include "isa.h"
#include "ref/ref.h"

/* The instruction set chosen at start: the fastest this machine has, or what the environment's
 * SLMTOOLS_CPU names. cpu_bf16: its instructions for products that round to DT_BF16, or are split
 * for DT_BF16X3 (bf16.h); NULL where isa's are used. */
const struct isa *cpu_isa(void);
const struct bf16_isa *cpu_bf16(enum dtype round);

/* Working memory of at least BYTES, 64-byte aligned, good until the next call: ops run one at a
 * time and share it. NULL and err_set when there is no room. */
void *cpu_scratch(size_t bytes);

/* One file a family of ops; each replaces entries of the reference table. */
void cpu_linear_ops(struct ops *o);
void cpu_attention_ops(struct ops *o);
void cpu_attention_back_ops(struct ops *o);
void cpu_head_ops(struct ops *o);
void cpu_select_ops(struct ops *o);
void cpu_rows_ops(struct ops *o);

/* Whether any of n elements is not finite; dtype F32, F16, BF16. */
bool cpu_any_nonfinite(const uint8_t *x, enum dtype dtype, int64_t n);

/* Working memory these take: N rows of the widest input or output and a rank; all threads' for
 * heads of D; M rows of C channels; the same and V logits of some. */
size_t cpu_linear_scratch(int64_t N, int64_t width, int64_t R, enum dtype round);
size_t cpu_attention_scratch(int64_t D);
size_t cpu_head_scratch(int64_t M, int64_t C, enum dtype round);
size_t cpu_select_scratch(int64_t M, int64_t C, int64_t V, enum dtype round);

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

static inline struct mask mask_of(const struct dropout *d, const struct packed *rows)
{
    return (struct mask){ d, const_i32(rows->pos), (const uint32_t *)(const void *)rows->sample };
}

/* A dense float matrix as the weight operand of a product. */
static inline struct weight dense(const float *x, int64_t rows, int64_t cols)
{
    return (struct weight){
        .dtype = DT_F32, .data = (const struct dev *)(const void *)x, .rows = rows, .cols = cols
    };
}

#endif
