/*
 * What is asked of logits, from whole rows of them: those of a few rows of h at a time in working
 * memory. The sum of exponentials is over a double each, in order, and with the C library's exp: a
 * label's probability is to be what its definition says, to the last bit.
 */
#include "cpu_impl.h"
#include "gemm.h"

#include <math.h>

enum { ROWS_MIN = 16, ROWS_MAX = 64, LOGITS = 4 << 20 }; /* of a block */

struct select {
    const int32_t *ids; /* (M, n) */
    int64_t n, vocab;
    double *logp; /* (M, n) */
    int32_t *best;
    const float *logits; /* of the block */
};

static int64_t block_rows(int64_t M, int64_t V)
{
    return min_i64(M, min_i64(ROWS_MAX, max_i64(ROWS_MIN, LOGITS / V)));
}

static size_t logits_bytes(int64_t M, int64_t V)
{
    return ((size_t)(block_rows(M, V) * V) * sizeof(float) + 63) / 64 * 64;
}

size_t cpu_select_scratch(int64_t M, int64_t C, int64_t V, enum dtype round)
{
    return logits_bytes(M, V) + gemm_work(block_rows(M, V), C, 0, round);
}

static double log_sum(const float *x, float most, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - most);
    return most + log(sum);
}

/* Row I of the block is row ROW of h. */
static void look(const struct select *t, int64_t i, int64_t row)
{
    const float *const x = t->logits + i * t->vocab;
    const bool finite = !cpu_any_nonfinite((const uint8_t *)(const void *)x, DT_F32, t->vocab);
    const int64_t best = finite ? cpu_isa()->first_largest(x, t->vocab) : -1;
    const double whole = finite && t->n ? log_sum(x, x[best], t->vocab) : NAN;

    if (t->best)
        t->best[row] = (int32_t)best;
    for (int64_t k = row * t->n; k < (row + 1) * t->n; k++)
        t->logp[k] = finite && t->ids[k] < 0 ? 0 : finite ? x[t->ids[k]] - whole : NAN;
}

static int head_select(struct dev *logp, struct dev *best, const struct dev *h,
                       const struct weight *w, const struct dev *bias, const struct dev *ids,
                       int64_t M, int64_t n)
{
    const int64_t C = w->cols, V = w->rows, rows = block_rows(M, V);
    char *const memory = cpu_scratch(cpu_select_scratch(M, C, V, w->round));
    struct select t = { .ids = n ? const_i32(ids) : NULL,
                        .n = n,
                        .vocab = V,
                        .logp = (double *)(void *)logp,
                        .best = (int32_t *)(void *)best };

    if (!memory)
        return -1;
    t.logits = (float *)(void *)memory;
    for (int64_t first = 0; first < M; first += rows) {
        const int64_t m = min_i64(rows, M - first);
        const struct gemm g = { .M = m,
                                .N = V,
                                .terms = 1,
                                .c = (float *)(void *)memory,
                                .ldc = V,
                                .bias = bias ? const_f32(bias) : NULL,
                                .term = { { .a = const_f32(h) + first * C,
                                            .lda = C,
                                            .a_scale = 1,
                                            .b = w,
                                            .b_trans = true,
                                            .K = C } } };

        gemm_run(&g, 1, (float *)(void *)(memory + logits_bytes(M, V)));
#pragma omp parallel for schedule(static) if (worth_threads(m * V))
        for (int64_t i = 0; i < m; i++)
            look(&t, i, first + i);
    }
    return 0;
}

void cpu_select_ops(struct ops *o)
{
    o->head_select = head_select;
}
