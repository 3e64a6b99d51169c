/* The linear layer: a frozen weight in any storage, bias, and LoRA (Hu et al. 2021, arXiv
 * 2106.09685). */
#include "ref_impl.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* A copy of x (n) as W's other operand; to be freed. */
static float *operand(const struct dev *x, int64_t n, const struct weight *w)
{
    float *const copy = xnmalloc((size_t)n, sizeof *copy);

    ref_rounded(copy, const_f32(x), n, w->round);
    return copy;
}

/* u (N, R) = drop(x) A^T. */
static void project(struct dev *u, const struct dev *x, const struct lora *lora,
                    const struct packed *rows, int64_t N, int64_t C)
{
    const int64_t R = lora->rank;

#pragma omp parallel
    {
        float *const kept = xnmalloc((size_t)C, sizeof *kept);

#pragma omp for schedule(static)
        for (int64_t n = 0; n < N; n++) {
            ref_dropout(kept, const_f32(x) + n * C, C, 0, &lora->drop, rows, n);
            for (int64_t r = 0; r < R; r++)
                f32(u)[n * R + r] = (float)dot(kept, const_f32(lora->a) + r * C, C);
        }
        free(kept);
    }
}

static void one_linear(const struct linear *l, const struct dev *x, const struct packed *rows,
                       int64_t N)
{
    const struct weight *const w = l->w;
    const struct lora *const lora = l->lora;
    const int64_t O = w->rows, C = w->cols, R = lora ? lora->rank : 0;
    float *const left = operand(x, N * C, w);

    if (lora)
        project(l->u, x, lora, rows, N, C);
#pragma omp parallel
    {
        float *const row = xnmalloc((size_t)C, sizeof *row);

#pragma omp for schedule(static)
        for (int64_t o = 0; o < O; o++) {
            ref_weight_span(row, w, o * C, C);
            for (int64_t n = 0; n < N; n++) {
                double sum = dot(left + n * C, row, C);

                if (l->bias)
                    sum += const_f32(l->bias)[o];
                if (lora)
                    sum +=
                        lora->scale * dot(const_f32(l->u) + n * R, const_f32(lora->b) + o * R, R);
                f32(l->y)[n * O + o] = (float)sum;
            }
        }
        free(row);
    }
    free(left);
}

static int linear_forward(const struct linear *l, int n_linears, const struct dev *x,
                          const struct packed *rows, int64_t N)
{
    for (int i = 0; i < n_linears; i++)
        one_linear(&l[i], x, rows, N);
    return 0;
}

/* down (N, R) = scale * dy B, the gradient of u; db (O, R) += scale * dy^T u. */
static void project_backward(struct dev *down, struct dev *db, const struct dev *dy,
                             const struct dev *u, const struct lora *lora, int64_t N, int64_t O)
{
    const int64_t R = lora->rank;
    const float *const b = const_f32(lora->b), *const g = const_f32(dy);

#pragma omp parallel
    {
        double *const sum = xnmalloc((size_t)R, sizeof *sum);

#pragma omp for schedule(static)
        for (int64_t n = 0; n < N; n++) {
            memset(sum, 0, (size_t)R * sizeof *sum);
            for (int64_t o = 0; o < O; o++)
                add_scaled(sum, g[n * O + o], b + o * R, R);
            for (int64_t r = 0; r < R; r++)
                f32(down)[n * R + r] = (float)(lora->scale * sum[r]);
        }
#pragma omp for schedule(static)
        for (int64_t o = 0; o < O; o++) {
            memset(sum, 0, (size_t)R * sizeof *sum);
            for (int64_t n = 0; n < N; n++)
                add_scaled(sum, g[n * O + o], const_f32(u) + n * R, R);
            for (int64_t r = 0; r < R; r++)
                f32(db)[o * R + r] = (float)(f32(db)[o * R + r] + lora->scale * sum[r]);
        }
        free(sum);
    }
}

/* What is left runs over columns of x: a thread owns a strip of TILE of them, for all rows. */
enum { TILE = REF_TILE };

struct strip {
    int64_t first, cols;
    float *row;  /* (TILE) part of a row */
    double *sum; /* (max(N, R), TILE) */
};

/* sum (N, TILE) = g W in the strip. */
static void weight_strip(struct strip *s, const float *g, const struct weight *w, int64_t N)
{
    memset(s->sum, 0, (size_t)(N * TILE) * sizeof *s->sum);
    for (int64_t o = 0; o < w->rows; o++) {
        ref_weight_span(s->row, w, o * w->cols + s->first, s->cols);
        for (int64_t n = 0; n < N; n++)
            add_scaled(s->sum + n * TILE, g[n * w->rows + o], s->row, s->cols);
    }
}

/* sum (N, TILE) += drop'(down A) in the strip: dropout's gradient is the same mask. */
static void lora_strip(struct strip *s, const struct dev *down, const struct lora *lora,
                       const struct packed *rows, int64_t N, int64_t C)
{
    const int64_t R = lora->rank;

    for (int64_t n = 0; n < N; n++) {
        for (int64_t c = 0; c < s->cols; c++) {
            double sum = 0;

            for (int64_t r = 0; r < R; r++)
                sum +=
                    (double)const_f32(down)[n * R + r] * const_f32(lora->a)[r * C + s->first + c];
            s->row[c] = (float)sum;
        }
        ref_dropout(s->row, s->row, s->cols, s->first, &lora->drop, rows, n);
        add_scaled(s->sum + n * TILE, 1, s->row, s->cols);
    }
}

static void store_strip(const struct strip *s, struct dev *dx, int64_t N, int64_t C, bool add)
{
    for (int64_t n = 0; n < N; n++) {
        float *const out = f32(dx) + n * C + s->first;

        for (int64_t c = 0; c < s->cols; c++)
            out[c] = (float)(s->sum[n * TILE + c] + (add ? out[c] : 0));
    }
}

/* da (R, C) += down^T drop(x) in the strip. */
static void a_gradient_strip(struct strip *s, struct dev *da, const struct dev *down,
                             const struct dev *x, const struct lora *lora,
                             const struct packed *rows, int64_t N, int64_t C)
{
    const int64_t R = lora->rank;

    memset(s->sum, 0, (size_t)(R * TILE) * sizeof *s->sum);
    for (int64_t n = 0; n < N; n++) {
        ref_dropout(s->row, const_f32(x) + n * C + s->first, s->cols, s->first, &lora->drop, rows,
                    n);
        for (int64_t r = 0; r < R; r++)
            add_scaled(s->sum + r * TILE, const_f32(down)[n * R + r], s->row, s->cols);
    }
    for (int64_t r = 0; r < R; r++)
        for (int64_t c = 0; c < s->cols; c++) {
            float *const out = f32(da) + r * C + s->first + c;

            *out = (float)(*out + s->sum[r * TILE + c]);
        }
}

static int linear_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                           const struct dev *x, const struct dev *u, struct dev *scratch,
                           const struct weight *w, const struct lora *lora,
                           const struct packed *rows, int64_t N, bool add)
{
    const int64_t C = w->cols, R = lora ? lora->rank : 0;
    float *const left = operand(dy, N * w->rows, w);

    if (lora)
        project_backward(scratch, db, dy, u, lora, N, w->rows);
#pragma omp parallel
    {
        struct strip s = { .row = xnmalloc(TILE, sizeof(float)),
                           .sum = xnmalloc((size_t)(N > R ? N : R), TILE * sizeof(double)) };

#pragma omp for schedule(static)
        for (int64_t first = 0; first < C; first += TILE) {
            s.first = first;
            s.cols = min_i64(TILE, C - first);
            if (dx) {
                weight_strip(&s, left, w, N);
                if (lora)
                    lora_strip(&s, scratch, lora, rows, N, C);
                store_strip(&s, dx, N, C, add);
            }
            if (lora)
                a_gradient_strip(&s, da, scratch, x, lora, rows, N, C);
        }
        free(s.row);
        free(s.sum);
    }
    free(left);
    return 0;
}

static int head_logits(struct dev *logits, const struct dev *h, const struct weight *w,
                       const struct dev *bias, int64_t M)
{
    return linear_forward(&(struct linear){ .y = logits, .w = w, .bias = bias }, 1, h, NULL, M);
}

void ref_linear_ops(struct ops *o)
{
    o->linear_forward = linear_forward;
    o->linear_backward = linear_backward;
    o->head_logits = head_logits;
}
