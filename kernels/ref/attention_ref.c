/* Causal attention over packed sequences; each (sequence, head) is a task of its own. */
#include "ref_impl.h"
#include "mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct inputs {
    const float *q, *k, *v;
    const struct attention *of;
};

/* Row of k and v that key j of S is, j from 0 over the shared rows and then its own. */
static int64_t key_row(const struct seq *s, int64_t j)
{
    return j < s->shared_len ? s->shared_start + j : s->k_start + j - s->shared_len;
}

/* The first key behind those that query i of S sees. */
static int64_t visible(const struct seq *s, int64_t i)
{
    return s->shared_len + s->k_len - s->q_len + i + 1;
}

/* The first key that it sees. */
static int64_t first_visible(const struct inputs *a, const struct seq *s, int64_t i)
{
    const int64_t end = visible(s, i), window = a->of->window;

    return window && end > window ? end - window : 0;
}

static const float *query(const struct inputs *a, const struct seq *s, int64_t i, int64_t h)
{
    return a->q + (s->q_start + i) * a->of->q_ld + h * a->of->head_dim;
}

/* Offset into k and v of key j as query head h sees it. */
static int64_t key_at(const struct inputs *a, const struct seq *s, int64_t j, int64_t h)
{
    return key_row(s, j) * a->of->kv_ld + h / (a->of->heads / a->of->kv_heads) * a->of->head_dim;
}

/* p[j] = softmax over the keys j that query i sees; returns the log of the sum of exponentials. */
static double softmax_row(double *p, const struct inputs *a, const struct seq *s, int64_t i,
                          int64_t h)
{
    const int64_t first = first_visible(a, s, i), n = visible(s, i), D = a->of->head_dim;
    double most = -INFINITY, sum = 0;

    for (int64_t j = first; j < n; j++) {
        p[j] = a->of->scale * dot(query(a, s, i, h), a->k + key_at(a, s, j, h), D);
        most = fmax(most, p[j]);
    }
    for (int64_t j = first; j < n; j++) {
        p[j] = exp(p[j] - most);
        sum += p[j];
    }
    for (int64_t j = first; j < n; j++)
        p[j] /= sum;
    return most + log(sum);
}

static void store_row(struct dev *to, int64_t at, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        f32(to)[at + i] = (float)x[i];
}

static void forward_head(struct dev *out, struct dev *lse, const struct inputs *a,
                         const struct seq *s, int64_t h)
{
    const int64_t D = a->of->head_dim;
    double *const p = xnmalloc((size_t)visible(s, s->q_len - 1), sizeof *p);
    double *const sum = xnmalloc((size_t)D, sizeof *sum);

    for (int64_t i = 0; i < s->q_len; i++) {
        const int64_t at = (s->q_start + i) * a->of->heads + h;
        const double log_sum = softmax_row(p, a, s, i, h);

        if (lse)
            f32(lse)[at] = (float)log_sum;
        memset(sum, 0, (size_t)D * sizeof *sum);
        for (int64_t j = first_visible(a, s, i); j < visible(s, i); j++)
            add_scaled(sum, p[j], a->v + key_at(a, s, j, h), D);
        store_row(out, at * D, sum, D);
    }
    free(p);
    free(sum);
}

static void check_shape(const struct attention *a)
{
    assert(a->kv_heads > 0 && a->heads % a->kv_heads == 0 && a->window >= 0);
    assert(a->q_ld >= a->heads * a->head_dim && a->kv_ld >= a->kv_heads * a->head_dim);
    (void)a;
}

static int attention_forward(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             const struct attention *shape)
{
    const struct inputs a = { const_f32(q), const_f32(k), const_f32(v), shape };

    check_shape(shape);
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t h = 0; h < shape->heads; h++)
            forward_head(out, lse, &a, &rows->seq[s], h);
    return 0;
}

/* What backward_query works in: the gradients of one sequence's keys and values of one key head,
 * summed over its query heads, and a row of each kind for one query. */
struct backward {
    double *dk, *dv; /* (q_len, D) */
    double *dq;      /* (D) */
    double *p, *dp;  /* (q_len) softmax, and the gradient of each of its entries */
};

/*
 * Query i of head h. With p the softmax of its scores:
 *   dv_j += p_j do,  dp_j = do . v_j,  ds_j = scale p_j (dp_j - sum_j p_j dp_j),
 *   dq = sum_j ds_j k_j,  dk_j += ds_j q.
 */
static void backward_query(struct backward *b, const struct inputs *a, const struct seq *s,
                           const float *dout, int64_t i, int64_t h)
{
    const int64_t first = first_visible(a, s, i), D = a->of->head_dim;
    double along = 0;

    (void)softmax_row(b->p, a, s, i, h);
    for (int64_t j = first; j <= i; j++) {
        b->dp[j] = dot(dout, a->v + key_at(a, s, j, h), D);
        along += b->p[j] * b->dp[j];
    }
    memset(b->dq, 0, (size_t)D * sizeof *b->dq);
    for (int64_t j = first; j <= i; j++) {
        const double ds = a->of->scale * b->p[j] * (b->dp[j] - along);

        add_scaled(b->dv + j * D, b->p[j], dout, D);
        add_scaled(b->dk + j * D, ds, query(a, s, i, h), D);
        add_scaled(b->dq, ds, a->k + key_at(a, s, j, h), D);
    }
}

static void backward_key_head(struct dev *dq, struct dev *dk, struct dev *dv, const float *dout,
                              const struct inputs *a, const struct seq *s, int64_t kh)
{
    const int64_t D = a->of->head_dim, H = a->of->heads, group = H / a->of->kv_heads, n = s->q_len;
    double *const memory = xcalloc((size_t)(2 * n * D + D + 2 * n), sizeof *memory);
    struct backward b = { .dk = memory, .dv = memory + n * D, .dq = memory + 2 * n * D };

    b.p = b.dq + D;
    b.dp = b.p + n;
    for (int64_t h = kh * group; h < (kh + 1) * group; h++)
        for (int64_t i = 0; i < n; i++) {
            const int64_t row = s->q_start + i;

            backward_query(&b, a, s, dout + (row * H + h) * D, i, h);
            store_row(dq, row * a->of->q_ld + h * D, b.dq, D);
        }
    for (int64_t j = 0; j < n; j++) {
        store_row(dk, key_at(a, s, j, kh * group), b.dk + j * D, D);
        store_row(dv, key_at(a, s, j, kh * group), b.dv + j * D, D);
    }
    free(memory);
}

/* The softmax is made anew in double, so what the forward pass left is not needed here. */
static int attention_backward(struct dev *dq, struct dev *dk, struct dev *dv, struct dev *scratch,
                              const struct dev *dout, const struct dev *out, const struct dev *lse,
                              const struct dev *q, const struct dev *k, const struct dev *v,
                              const struct packed *rows, const struct attention *shape)
{
    const struct inputs a = { const_f32(q), const_f32(k), const_f32(v), shape };

    (void)scratch, (void)out, (void)lse;
    check_shape(shape);
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < shape->kv_heads; kh++) {
            assert(rows->seq[s].shared_len == 0 && rows->seq[s].k_len == rows->seq[s].q_len);
            assert(rows->seq[s].k_start == rows->seq[s].q_start);
            backward_key_head(dq, dk, dv, const_f32(dout), &a, &rows->seq[s], kh);
        }
    return 0;
}

void ref_attention_ops(struct ops *o)
{
    o->attention_forward = attention_forward;
    o->attention_backward = attention_backward;
}
