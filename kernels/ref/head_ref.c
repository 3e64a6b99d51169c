/* Output head with cross-entropy: logits exist for a few rows at a time. */
#include "ref_impl.h"
#include "mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct head {
    const float *h; /* as the weight's operand */
    const float *bias, *weight;
    const struct weight *w;
    const int32_t *target;
    float *nll, *dh; /* NULL: head_select */
    int32_t *best;
    const int32_t *ids; /* (M, ids_per_row) */
    int64_t ids_per_row;
    double *logp;
};

/* One thread's memory. */
struct head_chunk {
    const int64_t *row; /* (n) which rows of h */
    int64_t n;
    float *w;      /* (C) one row of the weight */
    float *logits; /* (HEAD_CHUNK, V) */
    double *dh;    /* (HEAD_CHUNK, C) */
};

static void make_logits(struct head_chunk *c, const struct head *t)
{
    const int64_t V = t->w->rows, C = t->w->cols;

    for (int64_t v = 0; v < V; v++) {
        ref_weight_span(c->w, t->w, v * C, C);
        for (int64_t i = 0; i < c->n; i++)
            c->logits[i * V + v] =
                (float)(dot(t->h + c->row[i] * C, c->w, C) + (t->bias ? t->bias[v] : 0));
    }
}

static int64_t first_largest(const float *x, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static double log_sum_exp(const float *x, int64_t n)
{
    const double most = x[first_largest(x, n)];
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    return most + log(sum);
}

/* Logits become the gradient with respect to them but for the row's weight: softmax - target. The
 * softmax is the operand that is rounded. */
static void slope_of_row(float *x, double log_sum, int64_t target, enum dtype round, int64_t n)
{
    for (int64_t v = 0; v < n; v++)
        x[v] = f32_rounded((float)exp(x[v] - log_sum), round) - (v == target ? 1.0f : 0.0f);
}

static void loss_of_row(float *logits, const struct head *t, int64_t row)
{
    const int64_t V = t->w->rows;
    const int32_t target = t->target[row];

    if (t->best)
        t->best[row] = (int32_t)first_largest(logits, V);
    if (target >= 0) {
        const double log_sum = log_sum_exp(logits, V);

        assert(target < V);
        t->nll[row] = (float)(log_sum - logits[target]);
        if (t->dh)
            slope_of_row(logits, log_sum, target, t->w->round, V);
    } else if (t->dh) {
        memset(logits, 0, (size_t)V * sizeof *logits);
    }
}

static void select_of_row(const float *logits, const struct head *t, int64_t row)
{
    const int64_t V = t->w->rows, n = t->ids_per_row;
    const int32_t *const id = n ? t->ids + row * n : NULL;
    const bool finite = all_finite(logits, V);
    const double log_sum = finite && n ? log_sum_exp(logits, V) : NAN;

    if (t->best)
        t->best[row] = finite ? (int32_t)first_largest(logits, V) : -1;
    for (int64_t i = 0; i < n; i++) {
        assert(id[i] < V);
        t->logp[row * n + i] = finite && id[i] < 0 ? 0 : finite ? logits[id[i]] - log_sum : NAN;
    }
}

static void make_gradient(struct head_chunk *c, const struct head *t)
{
    const int64_t V = t->w->rows, C = t->w->cols;

    memset(c->dh, 0, (size_t)(c->n * C) * sizeof *c->dh);
    for (int64_t v = 0; v < V; v++) {
        ref_weight_span(c->w, t->w, v * C, C);
        for (int64_t i = 0; i < c->n; i++)
            add_scaled(c->dh + i * C, c->logits[i * V + v], c->w, C);
    }
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t j = 0; j < C; j++)
            t->dh[c->row[i] * C + j] = (float)(t->weight[c->row[i]] * c->dh[i * C + j]);
}

static void run_chunk(struct head_chunk *c, const struct head *t)
{
    make_logits(c, t);
    for (int64_t i = 0; i < c->n; i++)
        if (t->nll)
            loss_of_row(c->logits + i * t->w->rows, t, c->row[i]);
        else
            select_of_row(c->logits + i * t->w->rows, t, c->row[i]);
    if (t->dh)
        make_gradient(c, t);
}

static void run_chunks(const struct head *t, const int64_t *row, int64_t n)
{
    const int64_t V = t->w->rows, C = t->w->cols;

#pragma omp parallel
    {
        struct head_chunk c = { .w = xnmalloc((size_t)C, sizeof *c.w),
                                .logits = xnmalloc((size_t)(HEAD_CHUNK * V), sizeof *c.logits),
                                .dh = xnmalloc((size_t)(HEAD_CHUNK * C), sizeof *c.dh) };

#pragma omp for schedule(static)
        for (int64_t first = 0; first < n; first += HEAD_CHUNK) {
            c.row = row + first;
            c.n = min_i64(HEAD_CHUNK, n - first);
            run_chunk(&c, t);
        }
        free(c.w);
        free(c.logits);
        free(c.dh);
    }
}

static int head_loss(struct dev *nll, struct dev *dh, struct dev *best, const struct dev *h,
                     const struct weight *w, const struct dev *bias, const struct dev *target,
                     const struct dev *weight, int64_t M)
{
    const size_t elements = (size_t)(M * w->cols);
    float *const left = xnmalloc(elements, sizeof *left);
    const struct head t = { .h = left,
                            .bias = const_f32(bias),
                            .weight = const_f32(weight),
                            .w = w,
                            .target = const_i32(target),
                            .nll = f32(nll),
                            .dh = f32(dh),
                            .best = (int32_t *)(void *)best };
    int64_t *const row = xnmalloc((size_t)M, sizeof *row);
    int64_t n = 0;

    ref_rounded(left, const_f32(h), (int64_t)elements, w->round);
    for (int64_t i = 0; i < M; i++)
        if (best || t.target[i] >= 0)
            row[n++] = i;
    memset(t.nll, 0, (size_t)M * sizeof *t.nll);
    if (dh)
        memset(t.dh, 0, elements * sizeof *t.dh);
    run_chunks(&t, row, n);
    free(row);
    free(left);
    return 0;
}

static int head_select(struct dev *logp, struct dev *best, const struct dev *h,
                       const struct weight *w, const struct dev *bias, const struct dev *ids,
                       int64_t M, int64_t n)
{
    const size_t elements = (size_t)(M * w->cols);
    float *const left = xnmalloc(elements, sizeof *left);
    const struct head t = { .h = left,
                            .bias = const_f32(bias),
                            .w = w,
                            .best = (int32_t *)(void *)best,
                            .ids = const_i32(ids),
                            .ids_per_row = n,
                            .logp = (double *)(void *)logp };
    int64_t *const row = xnmalloc((size_t)M, sizeof *row);

    ref_rounded(left, const_f32(h), (int64_t)elements, w->round);
    for (int64_t i = 0; i < M; i++)
        row[i] = i;
    run_chunks(&t, row, M);
    free(row);
    free(left);
    return 0;
}

void ref_head_ops(struct ops *o)
{
    o->head_loss = head_loss;
    o->head_select = head_select;
}
