/*
 * Output head with cross-entropy. A chunk of the vocabulary at a time for a block of rows: logits,
 * their exponentials over the largest so far, and those times the weight added to the gradient, all
 * scaled back when a larger logit comes. So the weight is read once, no logits are kept, and the
 * gradient costs the one more product it must.
 */
#include "cpu_impl.h"
#include "gemm.h"

#include <math.h>
#include <string.h>

enum {
    ROWS = 768,   /* of a block */
    CHUNK = 1024, /* logits of a row at a time: part of the result's definition */
};

/* What is known of a row after some chunks. */
struct state {
    float most, sum; /* largest logit, sum of exp(logit - most) */
    float target;    /* the target's logit */
    float best;      /* largest logit again, and where it is first */
    int32_t best_at;
};

struct head {
    const float *h;
    const struct weight *w;
    const float *bias, *weight;
    const int32_t *target;
    float *nll, *dh;
    int32_t *best;
    /* Working memory for ROWS rows. */
    int32_t *row; /* (M) which rows of h there is work for */
    struct state *state;
    float *logits, *slope; /* (ROWS, CHUNK), (ROWS, C) */
    float *work;
};

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Points T's memory into BASE for M rows of C channels and returns its size; BASE NULL only
 * measures. */
static size_t layout(struct head *t, char *base, int64_t M, int64_t C, bool slope, enum dtype round)
{
    const size_t rows = (size_t)min_i64(M, ROWS), C_ = (size_t)C;
    const size_t row = aligned((size_t)M * sizeof *t->row),
                 state = aligned(rows * sizeof *t->state);
    const size_t logits = rows * CHUNK * sizeof(float),
                 slopes = slope ? aligned(rows * C_ * sizeof(float)) : 0;

    if (base) {
        t->row = (int32_t *)(void *)base;
        t->state = (struct state *)(void *)(base + row);
        t->logits = (float *)(void *)(base + row + state);
        t->slope = (float *)(void *)(base + row + state + logits);
        t->work = (float *)(void *)(base + row + state + logits + slopes);
    }
    return row + state + logits + slopes + gemm_work(ROWS, max_i64(C, CHUNK), 0, round);
}

size_t cpu_head_scratch(int64_t M, int64_t C, enum dtype round)
{
    struct head t;

    return layout(&t, NULL, M, C, true, round);
}

/* Row I of the block takes in the logits V.. (n of them), which become exponentials. */
static void take(const struct head *t, const int32_t *row, int64_t i, int64_t v, int64_t n)
{
    const struct isa *const isa = cpu_isa();
    struct state *const s = &t->state[i];
    float *const x = t->logits + i * CHUNK;
    const int32_t target = t->target[row[i]];

    if (t->best) {
        const int64_t at = isa->first_largest(x, n);

        if (v == 0 || x[at] > s->best) {
            s->best = x[at];
            s->best_at = (int32_t)(v + at);
        }
    }
    if (target >= v && target < v + n)
        s->target = x[target - v];

    const float change = isa->softmax_tile(x, n, n, &s->most, &s->sum);

    if (t->dh && v > 0 && change != 1)
        isa->scale(t->slope + i * t->w->cols, change, t->w->cols);
}

static void run_chunk(const struct head *t, const int32_t *row, int64_t m, int64_t v, int64_t n)
{
    const int64_t C = t->w->cols;
    const struct gemm logits = {
        .M = m,
        .N = n,
        .terms = 1,
        .c = t->logits,
        .ldc = CHUNK,
        .bias = t->bias ? t->bias + v : NULL,
        .term = { { .a = t->h,
                    .lda = C,
                    .a_rows = row,
                    .a_scale = 1,
                    .b = t->w,
                    .b_trans = true,
                    .b_first = v,
                    .K = C } },
    };
    const struct gemm slope = {
        .M = m,
        .N = C,
        .terms = 1,
        .c = t->slope,
        .ldc = C,
        .add = v > 0,
        .term = { { .a = t->logits, .lda = CHUNK, .a_scale = 1, .b = t->w, .b_first = v, .K = n } },
    };

    gemm_run(&logits, 1, t->work);
#pragma omp parallel for schedule(static) if (worth_threads(m * n))
    for (int64_t i = 0; i < m; i++)
        take(t, row, i, v, n);
    if (t->dh)
        gemm_run(&slope, 1, t->work);
}

/* dh = weight (sum of softmax times the weight's rows - the target's row). */
static void finish_slope(const struct head *t, int64_t i, int32_t row)
{
    const int64_t C = t->w->cols;
    const float over = 1 / t->state[i].sum, by = t->weight[row];
    float *const dh = t->dh + row * C;

    cpu_isa()->span(dh, t->w, t->target[row] * C, C);
    for (int64_t c = 0; c < C; c++)
        dh[c] = by * (t->slope[i * C + c] * over - dh[c]);
}

static void run_rows(const struct head *t, const int32_t *row, int64_t m)
{
    const int64_t V = t->w->rows;

    for (int64_t i = 0; i < m; i++)
        t->state[i] = (struct state){ .most = -INFINITY };
    for (int64_t v = 0; v < V; v += CHUNK)
        run_chunk(t, row, m, v, min_i64(CHUNK, V - v));
#pragma omp parallel for schedule(static) if (worth_threads(m * V))
    for (int64_t i = 0; i < m; i++) {
        const struct state *const s = &t->state[i];

        if (t->best)
            t->best[row[i]] = s->best_at;
        if (t->target[row[i]] < 0)
            continue;
        t->nll[row[i]] = (float)(s->most + log(s->sum) - s->target);
        if (t->dh)
            finish_slope(t, i, row[i]);
    }
}

static int head_loss(struct dev *nll, struct dev *dh, struct dev *best, const struct dev *h,
                     const struct weight *w, const struct dev *bias, const struct dev *target,
                     const struct dev *weight, int64_t M)
{
    struct head t = { .h = const_f32(h),
                      .w = w,
                      .bias = bias ? const_f32(bias) : NULL,
                      .weight = weight ? const_f32(weight) : NULL,
                      .target = const_i32(target),
                      .nll = f32(nll),
                      .dh = dh ? f32(dh) : NULL,
                      .best = (int32_t *)(void *)best };
    char *const memory = cpu_scratch(layout(&t, NULL, M, w->cols, dh != NULL, w->round));
    int64_t n = 0;

    if (!memory)
        return -1;
    layout(&t, memory, M, w->cols, dh != NULL, w->round);
    for (int64_t i = 0; i < M; i++)
        if (best || t.target[i] >= 0)
            t.row[n++] = (int32_t)i;
    memset(t.nll, 0, (size_t)M * sizeof *t.nll);
    if (dh)
        memset(t.dh, 0, (size_t)(M * w->cols) * sizeof *t.dh);
    for (int64_t i = 0; i < n; i += ROWS)
        run_rows(&t, t.row + i, min_i64(ROWS, n - i));
    return 0;
}

void cpu_head_ops(struct ops *o)
{
    o->head_loss = head_loss;
}
