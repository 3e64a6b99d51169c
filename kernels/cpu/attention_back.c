/* attention_back.c - attention's gradients, a tile of keys at a time. */
#include "attention_tile.h"

#include <string.h>

struct slopes {
    float *dq, *dk, *dv, *along; /* along (N, H): dout . out */
    const float *dout, *out, *lse;
};

/* A tile's keys and values, as its products want them. */
struct key_tile {
    int64_t j, n;
    struct packed_b keys_t, values_t, keys;
};

/* Rows R0.. (m of them) of the queries from I on: p, ds and dq. */
static void backward_panel(const struct slopes *g, const struct inputs *a, const struct seq *s,
                           int64_t h, int64_t i, int64_t m, float *p, float *ds,
                           const struct key_tile *k, struct tile *t)
{
    const struct isa *const isa = cpu_isa();
    const int64_t D = a->D, ld = a->H * D, width = round_up(D, NR_MAX);
    const int64_t at = (s->q_start + i) * ld + h * D, q = (s->q_start + i) * a->q_ld + h * D;
    const int64_t seen = min_i64(k->n, i + m - k->j);
    const int64_t n = min_i64(k->n, round_up(seen, OUTER_ROWS)); /* zeros behind what is seen */

    for (int64_t r = 0; r < m; r++) {
        attend_take(t->x, r, a->q + q + r * a->q_ld, D, a->scale);
        attend_take(t->y, r, g->dout + at + r * ld, D, 1);
    }
    attend_multiply(p, ROW_LD, m, n, t->x, D, &k->keys_t, &t->ahead);
    attend_multiply(ds, ROW_LD, m, n, t->y, D, &k->values_t, &t->ahead);
    for (int64_t r = 0; r < m; r++, p += ROW_LD) {
        const int64_t row = (s->q_start + i + r) * a->H + h;
        const int64_t hidden = attend_hide(p, a, s, i + r, k->j, n);
        float *const slope = ds + r * ROW_LD;

        (void)attend_hide(slope, a, s, i + r, k->j, n);
        isa->softmax_slope(p + hidden, slope + hidden, n - hidden, i + r + 1 - k->j - hidden,
                           g->lse[row], g->along[row], a->scale);
    }
    attend_multiply(t->sums, width, m, D, ds, seen, &k->keys, &t->ahead);
    isa->put_rows(g->dq + q, a->q_ld, m, D, t->sums, width,
                  k->j > attend_first_tile(a, s, i / QUERIES * QUERIES) ? g->dq + q : NULL, a->q_ld,
                  NULL, 0, 1);
}

/*
 * Queries I..I+m-1 of S, head h, against a tile of keys. With p the softmax:
 *   dv += p^T dout,  ds = scale p (dout v^T - along),  dq += ds k,  dk += ds^T q.
 */
static void backward_tile(const struct slopes *g, const struct inputs *a, const struct seq *s,
                          int64_t h, int64_t i, int64_t m, const struct key_tile *k, struct tile *t)
{
    const struct isa *const isa = cpu_isa();
    const int64_t D = a->D, ld = a->H * D, kd = a->kv_ld;

    for (int64_t r = 0; r < m; r += isa->mr)
        backward_panel(g, a, s, h, i + r, min_i64(isa->mr, m - r), t->scores + r * ROW_LD,
                       t->slopes + r * ROW_LD, k, t);
    for (int64_t c = 0; c < k->n; c += OUTER_ROWS) {
        const int64_t from = max_i64(0, k->j + c - i); /* the first query that sees it */
        const int64_t n = min_i64(OUTER_ROWS, k->n - c), row = s->q_start + i + from;
        const int64_t key = (s->k_start + k->j + c) * kd + h / (a->H / a->K) * D;

        isa->outer(n, m - from, t->scores + from * ROW_LD + c, ROW_LD, g->dout + row * ld + h * D,
                   ld, D, NULL, 0, 1, g->dv + key, kd);
        isa->outer(n, m - from, t->slopes + from * ROW_LD + c, ROW_LD, a->q + row * a->q_ld + h * D,
                   a->q_ld, D, NULL, 0, 1, g->dk + key, kd);
    }
}

/* All queries of the heads HEAD.. (GROUP of them) that see any of keys J.. (n of them). */
static void backward_keys(const struct slopes *g, const struct inputs *a, const struct seq *s,
                          int64_t head, int64_t group, int64_t j, int64_t n, struct tile *t)
{
    const int64_t at = (s->k_start + j) * a->kv_ld + head / group * a->D;
    const float *const k = a->k + at, *const v = a->v + at;
    const struct key_tile tile = { j, n, attend_pack(t->keys_t, k, a->kv_ld, n, a->D, true),
                                   attend_pack(t->values_t, v, a->kv_ld, n, a->D, true),
                                   attend_pack(t->keys_straight, k, a->kv_ld, n, a->D, false) };

    for (int64_t h = head; h < head + group; h++)
        for (int64_t i = j; i < s->q_len && attend_first_tile(a, s, i) <= j; i += QUERIES)
            backward_tile(g, a, s, h, i, min_i64(QUERIES, s->q_len - i), &tile, t);
}

/* One key head of one sequence with all query heads that read it. */
static void backward_key_head(const struct slopes *g, const struct inputs *a, const struct seq *s,
                              int64_t kh, struct tile *t)
{
    const int64_t group = a->H / a->K, D = a->D;

    for (int64_t i = 0; i < s->q_len; i++) {
        const int64_t at = (s->k_start + i) * a->kv_ld + kh * D;

        memset(g->dk + at, 0, (size_t)D * sizeof(float));
        memset(g->dv + at, 0, (size_t)D * sizeof(float));
    }
    /* a query that sees one key has its value for a result: its slopes are then exactly 0 */
    for (int64_t h = kh * group; h < (kh + 1) * group; h++) {
        const int64_t row = s->q_start * a->H + h;

        cpu_isa()->row_dots(g->along + row, a->H, g->dout + row * D, g->out + row * D, a->H * D,
                            s->q_len, D);
    }
    for (int64_t j = 0; j < s->q_len; j += KEYS)
        backward_keys(g, a, s, kh * group, group, j, min_i64(KEYS, s->q_len - j), t);
}

static struct ahead backward_ahead(const struct slopes *g, const struct inputs *a,
                                   const struct seq *s, int64_t kh)
{
    const int64_t ld = a->H * a->D, group = a->H / a->K * a->D;
    const int64_t q = s->q_start * a->q_ld + (kh + 1) * group,
                  row = s->q_start * ld + (kh + 1) * group,
                  k = s->k_start * a->kv_ld + (kh + 1) * a->D;
    struct ahead x = { .rows = kh + 1 < a->K ? min_i64(KEYS, s->q_len) : 0 };

    ahead_add(&x, g->dout + row, ld, group);
    ahead_add(&x, g->out + row, ld, group);
    ahead_add(&x, a->k + k, a->kv_ld, a->D);
    ahead_add(&x, a->v + k, a->kv_ld, a->D);
    ahead_add(&x, a->q + q, a->q_ld, group);
    ahead_add(&x, g->dk + k, a->kv_ld, a->D);
    ahead_add(&x, g->dv + k, a->kv_ld, a->D);
    ahead_add(&x, g->dq + q, a->q_ld, group);
    return x;
}

static int attention_backward(struct dev *dq, struct dev *dk, struct dev *dv, struct dev *scratch,
                              const struct dev *dout, const struct dev *out, const struct dev *lse,
                              const struct dev *q, const struct dev *k, const struct dev *v,
                              const struct packed *rows, const struct attention *shape)
{
    const struct inputs a = attend_inputs(q, k, v, shape);
    const struct slopes g = { f32(dq),         f32(dk),        f32(dv),       f32(scratch),
                              const_f32(dout), const_f32(out), const_f32(lse) };
    float *const memory = cpu_scratch(cpu_attention_scratch(a.D));

    if (!memory)
        return -1;
    const int chunk = attend_together(rows->seqs * a.K);

#pragma omp parallel for collapse(2)                                                               \
    schedule(dynamic, chunk) if (worth_threads(attend_elements(&a, rows)))
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < a.K; kh++) {
            struct tile t = attend_memory(memory, a.D);

            t.ahead = backward_ahead(&g, &a, &rows->seq[s], kh);
            backward_key_head(&g, &a, &rows->seq[s], kh, &t);
        }
    return 0;
}

void cpu_attention_back_ops(struct ops *o)
{
    o->attention_backward = attention_backward;
}
