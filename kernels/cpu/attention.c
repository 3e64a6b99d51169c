/* attention.c - causal attention in tiles of queries by keys, softmax carried from tile to tile
 * (Dao et al. 2022, arXiv 2205.14135). */
#include "attention_tile.h"

#include <math.h>
#include <string.h>

enum { ROWS = 512 }; /* of all heads that are done together */

/* Where the keys of a tile are: rows LD apart. */
struct keys {
    const float *k, *v;
    int64_t n, ld;
};

/* Keys J.. (N of them) of S as key head KH has them: in place where they follow one another, copied
 * where the tile begins among the shared ones and ends behind them. */
static struct keys keys_at(const struct inputs *a, const struct seq *s, int64_t j, int64_t n,
                           int64_t kh, struct tile *t)
{
    const int64_t ld = a->kv_ld, own = s->k_start - s->shared_len;

    if (j + n <= s->shared_len || j >= s->shared_len) {
        const int64_t at = ((j < s->shared_len ? s->shared_start : own) + j) * ld + kh * a->D;

        return (struct keys){ a->k + at, a->v + at, n, ld };
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t at =
            ((j + i < s->shared_len ? s->shared_start : own) + j + i) * ld + kh * a->D;

        memcpy(t->keys + i * a->D, a->k + at, (size_t)a->D * sizeof(float));
        memcpy(t->values + i * a->D, a->v + at, (size_t)a->D * sizeof(float));
    }
    return (struct keys){ t->keys, t->values, n, a->D };
}

/* Rows that read one key head: QUERIES queries of HEADS heads, head after head. */
struct readers {
    int64_t i, queries, h, heads;
};

/* One of them: its query, where its q begins, and which head it is of all tokens'. */
struct reader {
    int64_t i, q, head;
};

static struct reader reader_of(const struct readers *x, int64_t r, const struct inputs *a,
                               const struct seq *s)
{
    const int64_t i = x->i + r % x->queries, h = x->h + r / x->queries, row = s->q_start + i;

    return (struct reader){ i, row * a->q_ld + h * a->D, row * a->H + h };
}

struct softmax {
    float most[ROWS], sum[ROWS];
};

/* Rows R0.. (m of them), keys J.. */
static void forward_panel(float *out, struct softmax *softmax, const struct inputs *a,
                          const struct seq *s, const struct readers *x, int64_t r0, int64_t m,
                          int64_t j, const struct packed_b *keys, const struct packed_b *values,
                          struct tile *t)
{
    const struct isa *const isa = cpu_isa();
    const bool add = j > attend_first_tile(a, s, x->i);
    struct reader row[MR_MAX];
    float change[MR_MAX];
    int64_t seen = 0;

    for (int64_t r = 0; r < m; r++) {
        row[r] = reader_of(x, r0 + r, a, s);
        attend_take(t->x, r, a->q + row[r].q, a->D, a->scale);
        seen = max_i64(seen, min_i64(values->K, attend_seen(s, row[r].i) - j));
    }
    if (seen == 0)
        return;
    attend_multiply(t->scores, ROW_LD, m, seen, t->x, a->D, keys, &t->ahead);
    for (int64_t r = 0; r < m; r++) {
        float *const scores = t->scores + r * ROW_LD;
        const int64_t hidden = attend_hide(scores, a, s, row[r].i, j, seen);

        change[r] =
            isa->softmax_tile(scores + hidden, seen - hidden, attend_seen(s, row[r].i) - j - hidden,
                              &softmax->most[r0 + r], &softmax->sum[r0 + r]);
    }
    attend_multiply(t->sums, round_up(a->D, NR_MAX), m, a->D, t->scores, seen, values, &t->ahead);
    for (int64_t r = 0; r < m; r++) {
        const int64_t left = attend_seen(s, row[r].i) - j;
        const float *sums = t->sums + r * round_up(a->D, NR_MAX);
        float *const to = out + row[r].head * a->D;

        if (left <= 0)
            continue;
        if (add && change[r] != 1)
            isa->scale(to, change[r], a->D);
        if (add) {
            isa->put_rows(to, 0, 1, a->D, sums, 0, to, 0, NULL, 0, 1);
            sums = to;
        }
        isa->keep(to, sums, a->D, NULL, left > KEYS ? 1 : 1 / softmax->sum[r0 + r]);
    }
}

static void forward_rows(float *out, float *lse, const struct inputs *a, const struct seq *s,
                         const struct readers *x, struct tile *t)
{
    const struct isa *const isa = cpu_isa();
    const int64_t rows = x->queries * x->heads, keys = attend_seen(s, x->i + x->queries - 1);
    struct softmax softmax;

    for (int64_t r = 0; r < rows; r++) {
        softmax.most[r] = -INFINITY;
        softmax.sum[r] = 0;
    }
    for (int64_t j = attend_first_tile(a, s, x->i); j < keys; j += KEYS) {
        const struct keys k = keys_at(a, s, j, min_i64(KEYS, keys - j), x->h / (a->H / a->K), t);
        const struct packed_b keys_t = attend_pack(t->keys_t, k.k, k.ld, k.n, a->D, true),
                              values = attend_pack(t->values_t, k.v, k.ld, k.n, a->D, false);

        for (int64_t r = 0; r < rows; r += isa->mr)
            forward_panel(out, &softmax, a, s, x, r, min_i64(isa->mr, rows - r), j, &keys_t,
                          &values, t);
    }
    for (int64_t r = 0; lse && r < rows; r++)
        lse[reader_of(x, r, a, s).head] = softmax.most[r] + logf(softmax.sum[r]);
}

/* Queries I.. of S in all heads that read key head KH. */
static void forward_task(float *out, float *lse, const struct inputs *a, const struct seq *s,
                         int64_t kh, int64_t i, struct tile *t)
{
    const int64_t group = a->H / a->K, queries = min_i64(QUERIES, s->q_len - i);
    const int64_t heads = ROWS / queries;

    for (int64_t g = 0; g < group; g += heads)
        forward_rows(out, lse, a, s,
                     &(struct readers){ i, queries, kh * group + g, min_i64(heads, group - g) }, t);
}

/* What the task behind wants, if it is the same head's or the next one's. */
static struct ahead forward_ahead(const float *out, const struct inputs *a, const struct seq *s,
                                  int64_t kh, int64_t i)
{
    const int64_t group = a->H / a->K * a->D;
    struct ahead x = { .parts = 0 };

    i += QUERIES;
    if (i >= s->q_len) {
        i = 0;
        kh++;
    }
    if (kh == a->K)
        return x;
    x.rows = min_i64(QUERIES, s->q_len - i);

    const int64_t q = s->q_start + i, own = s->k_start + s->k_len - s->q_len + i;

    ahead_add(&x, a->q + q * a->q_ld + kh * group, a->q_ld, group);
    ahead_add(&x, out + q * a->H * a->D + kh * group, a->H * a->D, group);
    ahead_add(&x, a->k + own * a->kv_ld + kh * a->D, a->kv_ld, a->D);
    ahead_add(&x, a->v + own * a->kv_ld + kh * a->D, a->kv_ld, a->D);
    return x;
}

static int attention_forward(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             const struct attention *shape)
{
    const struct inputs a = attend_inputs(q, k, v, shape);
    float *const memory = cpu_scratch(cpu_attention_scratch(a.D));
    int64_t longest = 0;

    if (!memory)
        return -1;
    for (int64_t s = 0; s < rows->seqs; s++)
        longest = max_i64(longest, rows->seq[s].q_len);

    const int chunk = attend_together(rows->seqs * a.K * ((longest + QUERIES - 1) / QUERIES));

#pragma omp parallel for collapse(3)                                                               \
    schedule(dynamic, chunk) if (worth_threads(attend_elements(&a, rows)))
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < a.K; kh++)
            for (int64_t i = 0; i < longest; i += QUERIES) {
                struct tile t = attend_memory(memory, a.D);

                t.ahead = forward_ahead(f32(out), &a, &rows->seq[s], kh, i);
                if (i < rows->seq[s].q_len)
                    forward_task(f32(out), lse ? f32(lse) : NULL, &a, &rows->seq[s], kh, i, &t);
            }
    return 0;
}

void cpu_attention_ops(struct ops *o)
{
    o->attention_forward = attention_forward;
}
