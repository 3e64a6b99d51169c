/* Causal attention over packed sequences; each (sequence, head) is a task of its own. */
#include "ref_impl.h"
#include "mem.h"

#include <math.h>
#include <stdlib.h>

struct attention {
    const float *q, *k, *v;
    int64_t H, K, D;
    double scale;
};

/* Row of k and v that key j of S is, j from 0 over the shared rows and then its own. */
static int64_t key_row(const struct seq *s, int64_t j)
{
    return j < s->shared_len ? s->shared_start + j : s->k_start + j - s->shared_len;
}

/* How many keys query i of S sees. */
static int64_t visible(const struct seq *s, int64_t i)
{
    return s->shared_len + s->k_len - s->q_len + i + 1;
}

static const float *query(const struct attention *a, const struct seq *s, int64_t i, int64_t h)
{
    return a->q + ((s->q_start + i) * a->H + h) * a->D;
}

/* Offset into k and v of key j as query head h sees it. */
static int64_t key_at(const struct attention *a, const struct seq *s, int64_t j, int64_t h)
{
    return (key_row(s, j) * a->K + h / (a->H / a->K)) * a->D;
}

/* p[j] = softmax over the N keys that query i sees; returns the log of the sum of exponentials. */
static double softmax_row(double *p, const struct attention *a, const struct seq *s, int64_t i,
                          int64_t h)
{
    const int64_t n = visible(s, i);
    double most = -INFINITY, sum = 0;

    for (int64_t j = 0; j < n; j++) {
        p[j] = a->scale * dot(query(a, s, i, h), a->k + key_at(a, s, j, h), a->D);
        most = fmax(most, p[j]);
    }
    for (int64_t j = 0; j < n; j++) {
        p[j] = exp(p[j] - most);
        sum += p[j];
    }
    for (int64_t j = 0; j < n; j++)
        p[j] /= sum;
    return most + log(sum);
}

static void forward_head(struct dev *out, struct dev *lse, const struct attention *a,
                         const struct seq *s, int64_t h)
{
    double *const p = xnmalloc((size_t)visible(s, s->q_len - 1), sizeof *p);
    double *const sum = xnmalloc((size_t)a->D, sizeof *sum);

    for (int64_t i = 0; i < s->q_len; i++) {
        const int64_t at = (s->q_start + i) * a->H + h;
        const double log_sum = softmax_row(p, a, s, i, h);

        if (lse)
            f32(lse)[at] = (float)log_sum;
        for (int64_t d = 0; d < a->D; d++)
            sum[d] = 0;
        for (int64_t j = 0; j < visible(s, i); j++)
            add_scaled(sum, p[j], a->v + key_at(a, s, j, h), a->D);
        for (int64_t d = 0; d < a->D; d++)
            f32(out)[at * a->D + d] = (float)sum[d];
    }
    free(p);
    free(sum);
}

static int attention_forward(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             int64_t H, int64_t K, int64_t D, float scale)
{
    const struct attention a = { const_f32(q), const_f32(k), const_f32(v), H, K, D, scale };

    assert(K > 0 && H % K == 0);
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t h = 0; h < H; h++)
            forward_head(out, lse, &a, &rows->seq[s], h);
    return 0;
}

/* Gradients of one sequence's keys and values of one key head, summed over its query heads. */
struct key_gradient {
    double *k, *v; /* (q_len, D) */
};

/*
 * Query i of head h. With p the softmax and o its output:
 *   dv_j += p_j do,  ds_j = p_j (do . v_j - do . o),  dq = scale sum_j ds_j k_j,  dk_j += scale
 * ds_j q.
 */
static void backward_query(double *dq, struct key_gradient *g, const struct attention *a,
                           const struct seq *s, const float *dout, double log_sum, double along,
                           int64_t i, int64_t h)
{
    const float *const qi = query(a, s, i, h);

    for (int64_t d = 0; d < a->D; d++)
        dq[d] = 0;
    for (int64_t j = 0; j <= i; j++) {
        const float *const kj = a->k + key_at(a, s, j, h), *const vj = a->v + key_at(a, s, j, h);
        const double p = exp(a->scale * dot(qi, kj, a->D) - log_sum);
        const double ds = a->scale * p * (dot(dout, vj, a->D) - along);

        add_scaled(g->v + j * a->D, p, dout, a->D);
        add_scaled(g->k + j * a->D, ds, qi, a->D);
        add_scaled(dq, ds, kj, a->D);
    }
}

struct attention_grad {
    struct dev *dq, *dk, *dv, *along;
    const float *dout, *out, *lse;
};

static void store_row(struct dev *to, const double *x, int64_t at, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        f32(to)[at + i] = (float)x[i];
}

static void backward_key_head(const struct attention_grad *b, const struct attention *a,
                              const struct seq *s, int64_t kh)
{
    const int64_t D = a->D, group = a->H / a->K;
    double *const dq = xnmalloc((size_t)D, sizeof *dq);
    struct key_gradient g = { xcalloc((size_t)(s->q_len * D), sizeof(double)),
                              xcalloc((size_t)(s->q_len * D), sizeof(double)) };

    for (int64_t h = kh * group; h < (kh + 1) * group; h++)
        for (int64_t i = 0; i < s->q_len; i++) {
            const int64_t at = (s->q_start + i) * a->H + h;
            const float *const dout = b->dout + at * D;

            f32(b->along)[at] = (float)dot(dout, b->out + at * D, D);
            backward_query(dq, &g, a, s, dout, b->lse[at], f32(b->along)[at], i, h);
            store_row(b->dq, dq, at * D, D);
        }
    for (int64_t j = 0; j < s->q_len; j++) {
        const int64_t at = key_at(a, s, j, kh * group);

        store_row(b->dk, g.k + j * D, at, D);
        store_row(b->dv, g.v + j * D, at, D);
    }
    free(dq);
    free(g.k);
    free(g.v);
}

static int attention_backward(struct dev *dq, struct dev *dk, struct dev *dv, struct dev *scratch,
                              const struct dev *dout, const struct dev *out, const struct dev *lse,
                              const struct dev *q, const struct dev *k, const struct dev *v,
                              const struct packed *rows, int64_t H, int64_t K, int64_t D,
                              float scale)
{
    const struct attention a = { const_f32(q), const_f32(k), const_f32(v), H, K, D, scale };
    const struct attention_grad b = {
        dq, dk, dv, scratch, const_f32(dout), const_f32(out), const_f32(lse)
    };

    assert(K > 0 && H % K == 0);
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < K; kh++) {
            assert(rows->seq[s].shared_len == 0 && rows->seq[s].k_len == rows->seq[s].q_len);
            assert(rows->seq[s].k_start == rows->seq[s].q_start);
            backward_key_head(&b, &a, &rows->seq[s], kh);
        }
    return 0;
}

void ref_attention_ops(struct ops *o)
{
    o->attention_forward = attention_forward;
    o->attention_backward = attention_backward;
}
