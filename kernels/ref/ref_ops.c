#include "ref_impl.h"

#include <omp.h>
#include <string.h>

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The ops that take most: a strip of linear_backward, two key gradients of attention_backward, a
 * chunk of head_loss; and once, the rounded operand. */
static size_t scratch_bytes(const struct op_sizes *s)
{
    enum { HEAD_SIZE_MAX = 256 };
    const size_t N = (size_t)s->tokens, C = (size_t)s->width, V = (size_t)s->vocab;
    const size_t linear = (N > C ? N : C) * REF_TILE * sizeof(double);
    const size_t attention = 2 * N * HEAD_SIZE_MAX * sizeof(double);
    const size_t head = HEAD_CHUNK * (V * sizeof(float) + C * sizeof(double));

    return (size_t)omp_get_max_threads() *
               (max_size(max_size(linear, attention), head) + C * sizeof(float)) +
           N * sizeof(int64_t) + N * C * sizeof(float);
}

/* Memory is taken as it is needed: what nobody touches costs nothing. */
static int reserve(const struct op_sizes *s)
{
    (void)s;
    return 0;
}

/* A pass is nothing of its own here, and weights stay as they are. */
static int begin(uint64_t key)
{
    (void)key;
    return 0;
}

static int end(bool done)
{
    (void)done;
    return 0;
}

static int keep_weight(struct weight *w)
{
    (void)w;
    return 0;
}

static void forget_weight(struct weight *w)
{
    (void)w;
}

void ref_ops(struct ops *o)
{
    memset(o, 0, sizeof *o);
    o->name = "ref";
    o->act = DT_F32;
    o->act_bytes = sizeof(float);
    o->callers = SIZE_MAX;
    o->begin = begin;
    o->end = end;
    o->weight_load = keep_weight;
    o->weight_free = forget_weight;
    ref_memory_ops(o);
    ref_nf4_ops(o);
    ref_weight_ops(o);
    ref_rows_ops(o);
    ref_norm_ops(o);
    ref_linear_ops(o);
    ref_rope_ops(o);
    ref_attention_ops(o);
    ref_act_ops(o);
    ref_residual_ops(o);
    ref_head_ops(o);
    ref_smooth_ops(o);
    ref_optim_ops(o);
    o->scratch_bytes = scratch_bytes;
    o->reserve = reserve;
}
