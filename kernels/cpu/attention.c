/*
 * Causal attention in tiles of queries by keys, softmax carried from tile to tile (Dao et al. 2022,
 * arXiv 2205.14135); every product is gemm.h's. A query's result depends on the keys it sees alone:
 * tiles of keys are cut by the key's number in the sequence, and what a query does not see adds
 * zeros. Tiles that no query of theirs sees are not made.
 */
#include "cpu_impl.h"
#include "gemm.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { QUERIES = 128, KEYS = 256 }; /* of a tile: its scores take 128 KB */

struct inputs {
    const float *q, *k, *v;
    int64_t H, K, D, q_ld, kv_ld, window;
    float scale;
};

static struct inputs inputs_of(const struct dev *q, const struct dev *k, const struct dev *v,
                               const struct attention *shape)
{
    return (struct inputs){ .q = const_f32(q),
                            .k = const_f32(k),
                            .v = const_f32(v),
                            .H = shape->heads,
                            .K = shape->kv_heads,
                            .D = shape->head_dim,
                            .q_ld = shape->q_ld,
                            .kv_ld = shape->kv_ld,
                            .window = shape->window,
                            .scale = shape->scale };
}

/* A thread's memory. */
struct tile {
    float *scores, *slopes; /* (QUERIES, KEYS) */
    float *keys, *values;   /* (KEYS, D), where a tile is not in one piece */
    float *work;
};

/* Where the keys of a tile are: rows LD apart. */
struct keys {
    const float *k, *v;
    int64_t n, ld;
};

static size_t tile_floats(int64_t D, size_t *work)
{
    *work = gemm_work(KEYS, max_i64(KEYS, D), 0, DT_F32) / sizeof(float);
    return 2 * QUERIES * KEYS + 2 * KEYS * (size_t)D + *work;
}

static struct tile tile_at(float *memory, int64_t D)
{
    size_t work;
    float *const at =
        memory + (size_t)omp_get_thread_num() * ((tile_floats(D, &work) + 15) / 16 * 16);

    return (struct tile){ .work = at,
                          .scores = at + work,
                          .slopes = at + work + QUERIES * KEYS,
                          .keys = at + work + 2 * QUERIES * KEYS,
                          .values = at + work + 2 * QUERIES * KEYS + KEYS * D };
}

size_t cpu_attention_scratch(int64_t D)
{
    size_t work;

    return (tile_floats(D, &work) + 15) / 16 * 16 * sizeof(float) * (size_t)omp_get_max_threads();
}

/* The first key behind those that query i of S sees. */
static int64_t visible(const struct seq *s, int64_t i)
{
    return s->shared_len + s->k_len - s->q_len + i + 1;
}

/* The first key that it sees. */
static int64_t first_visible(const struct inputs *a, const struct seq *s, int64_t i)
{
    return a->window ? max_i64(visible(s, i) - a->window, 0) : 0;
}

/* Where the first tile of keys begins that it sees any of. */
static int64_t first_tile(const struct inputs *a, const struct seq *s, int64_t i)
{
    return first_visible(a, s, i) / KEYS * KEYS;
}

/* Keys J.. (N of them) of S as key head KH has them: in place where they follow one another, copied
 * where the tile begins among the shared ones and ends behind them. */
static struct keys keys_at(const struct inputs *a, const struct seq *s, int64_t j, int64_t n,
                           int64_t kh, const struct tile *t)
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

/* to (M, N), rows LDC apart, = or += by * a (a_trans: transposed) times b or its transpose. */
struct product {
    float *to;
    int64_t M, N, K, ldc;
    const float *a, *b;
    int64_t lda, ldb;
    bool a_trans, b_trans, add;
    float by;
    enum gemm_part part; /* what of it the queries see */
    int64_t seen;
};

static void multiply(const struct product *p, float *work)
{
    const struct weight b = dense(p->b, p->b_trans ? p->N : p->K, p->b_trans ? p->K : p->N);
    const struct gemm g = { .M = p->M,
                            .N = p->N,
                            .terms = 1,
                            .c = p->to,
                            .ldc = p->ldc,
                            .add = p->add,
                            .part = p->part,
                            .seen = p->seen,
                            .term = { { .a = p->a,
                                        .lda = p->lda,
                                        .a_trans = p->a_trans,
                                        .a_scale = p->by,
                                        .b = &b,
                                        .b_ld = p->ldb,
                                        .b_trans = p->b_trans,
                                        .K = p->K } } };

    gemm_run_alone(&g, work);
}

/* scores (m, n) = by * x (m, D) y^T, rows of x and y LDX and LDY apart; of row r at least the first
 * SEEN + r. */
static void score(float *scores, const float *x, int64_t ldx, int64_t m, const float *y,
                  int64_t ldy, int64_t n, int64_t D, float by, int64_t seen, float *work)
{
    multiply(&(struct product){ .to = scores,
                                .M = m,
                                .N = n,
                                .K = D,
                                .ldc = KEYS,
                                .a = x,
                                .lda = ldx,
                                .b = y,
                                .ldb = ldy,
                                .b_trans = true,
                                .by = by,
                                .part = GEMM_COLUMNS,
                                .seen = seen },
             work);
}

/* The work on all heads together, as elements of an op that does little with each. */
static int64_t elements(const struct inputs *a, const struct packed *rows)
{
    int64_t pairs = 0;

    for (int64_t s = 0; s < rows->seqs; s++)
        pairs += rows->seq[s].q_len * (int64_t)(rows->seq[s].shared_len + rows->seq[s].k_len);
    return pairs * a->H * a->D / 16;
}

/* ---- forward ---- */

/* The first of the N keys from J on lie before what query i sees: how many; their scores become
 * 0. */
static int64_t hide(float *scores, const struct inputs *a, const struct seq *s, int64_t i,
                    int64_t j, int64_t n)
{
    const int64_t hidden = min_i64(n, max_i64(first_visible(a, s, i) - j, 0));

    memset(scores, 0, (size_t)hidden * sizeof *scores);
    return hidden;
}

/* Rows of a tile that read one key head: queries of one head, or heads of one query, so that keys
 * and values are packed once for all of them. */
struct readers {
    int64_t i, h;        /* query and head of the first row */
    int64_t rows;        /* of these */
    int64_t query, head; /* how far apart the rows' queries and heads are: 1 and 0, or 0 and 1 */
};

static void forward_tile(float *out, float *lse, const struct inputs *a, const struct seq *s,
                         const struct readers *x, const struct tile *t)
{
    const struct isa *const isa = cpu_isa();
    const int64_t D = a->D, width = a->H * D, row = s->q_start + x->i;
    const int64_t ld = x->query * width + x->head * D, q_ld = x->query * a->q_ld + x->head * D;
    const int64_t keys = visible(s, x->i + x->query * (x->rows - 1)),
                  first = first_tile(a, s, x->i);
    const float *const q = a->q + row * a->q_ld + x->h * D;
    float *const to = out + row * width + x->h * D;
    float most[QUERIES], sum[QUERIES];

    for (int64_t r = 0; r < x->rows; r++) {
        most[r] = -INFINITY;
        sum[r] = 0;
    }
    for (int64_t j = first; j < keys; j += KEYS) {
        const struct keys k = keys_at(a, s, j, min_i64(KEYS, keys - j), x->h / (a->H / a->K), t);
        const int64_t seen = visible(s, x->i) - j; /* of these keys, by the first query */

        score(t->scores, q, q_ld, x->rows, k.k, k.ld, k.n, D, a->scale, seen, t->work);
        for (int64_t r = 0; r < x->rows; r++) {
            const int64_t i = x->i + r * x->query;
            const int64_t hidden = hide(t->scores + r * KEYS, a, s, i, j, k.n);
            const float change = isa->softmax_tile(t->scores + r * KEYS + hidden, k.n - hidden,
                                                   visible(s, i) - j - hidden, &most[r], &sum[r]);

            if (j > first && change != 1)
                isa->scale(to + r * ld, change, D);
        }
        multiply(&(struct product){ .to = to,
                                    .M = x->rows,
                                    .N = D,
                                    .K = k.n,
                                    .ldc = ld,
                                    .a = t->scores,
                                    .lda = KEYS,
                                    .b = k.v,
                                    .ldb = k.ld,
                                    .by = 1,
                                    .part = GEMM_FIRST_K,
                                    .seen = seen,
                                    .add = j > first },
                 t->work);
    }
    for (int64_t r = 0; r < x->rows; r++) {
        isa->scale(to + r * ld, 1 / sum[r], D);
        if (lse)
            lse[(row + r * x->query) * a->H + x->h + r * x->head] = most[r] + logf(sum[r]);
    }
}

/* All queries of one sequence in head H; a single one in the first head that reads a key head does
 * it for the others too. */
static void forward_head(float *out, float *lse, const struct inputs *a, const struct seq *s,
                         int64_t h, const struct tile *t)
{
    const int64_t group = a->H / a->K;

    if (s->q_len == 1) {
        for (int64_t g = h; h % group == 0 && g < h + group; g += QUERIES)
            forward_tile(
                out, lse, a, s,
                &(struct readers){ .h = g, .rows = min_i64(QUERIES, h + group - g), .head = 1 }, t);
        return;
    }
    for (int64_t i = 0; i < s->q_len; i += QUERIES)
        forward_tile(
            out, lse, a, s,
            &(struct readers){ .i = i, .h = h, .rows = min_i64(QUERIES, s->q_len - i), .query = 1 },
            t);
}

static int attention_forward(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             const struct attention *shape)
{
    const struct inputs a = inputs_of(q, k, v, shape);
    float *const memory = cpu_scratch(cpu_attention_scratch(a.D));

    if (!memory)
        return -1;
#pragma omp parallel for collapse(2) schedule(dynamic) if (worth_threads(elements(&a, rows)))
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t h = 0; h < a.H; h++) {
            const struct tile t = tile_at(memory, a.D);

            forward_head(f32(out), lse ? f32(lse) : NULL, &a, &rows->seq[s], h, &t);
        }
    return 0;
}

/* ---- backward ---- */

struct slopes {
    float *dq, *dk, *dv, *along; /* along (N, H): dout . out */
    const float *dout, *out, *lse;
};

/*
 * Queries I..I+m-1 of S, head h, against keys J..J+n-1. With p the softmax:
 *   dv += p^T dout,  ds = scale p (dout v^T - along),  dq += ds k,  dk += ds^T q.
 */
static void backward_tile(const struct slopes *g, const struct inputs *a, const struct seq *s,
                          int64_t h, int64_t i, int64_t m, int64_t j, int64_t n,
                          const struct tile *t)
{
    const int64_t ld = a->H * a->D, kd = a->kv_ld;
    const int64_t at = (s->q_start + i) * ld + h * a->D;
    const int64_t q = (s->q_start + i) * a->q_ld + h * a->D;
    const int64_t key = (s->k_start + j) * kd + h / (a->H / a->K) * a->D;

    const int64_t seen = i + 1 - j;

    score(t->scores, a->q + q, a->q_ld, m, a->k + key, kd, n, a->D, a->scale, seen, t->work);
    score(t->slopes, g->dout + at, ld, m, a->v + key, kd, n, a->D, 1, seen, t->work);
    for (int64_t r = 0; r < m; r++) {
        const int64_t row = (s->q_start + i + r) * a->H + h;
        const int64_t hidden = hide(t->scores + r * KEYS, a, s, i + r, j, n);

        (void)hide(t->slopes + r * KEYS, a, s, i + r, j, n);
        cpu_isa()->softmax_slope(t->scores + r * KEYS + hidden, t->slopes + r * KEYS + hidden,
                                 n - hidden, i + r + 1 - j - hidden, g->lse[row], g->along[row],
                                 a->scale);
    }
    multiply(&(struct product){ .to = g->dv + key,
                                .M = n,
                                .N = a->D,
                                .K = m,
                                .ldc = kd,
                                .a = t->scores,
                                .lda = KEYS,
                                .a_trans = true,
                                .b = g->dout + at,
                                .ldb = ld,
                                .by = 1,
                                .part = GEMM_LAST_K,
                                .seen = seen,
                                .add = true },
             t->work);
    multiply(&(struct product){ .to = g->dk + key,
                                .M = n,
                                .N = a->D,
                                .K = m,
                                .ldc = kd,
                                .a = t->slopes,
                                .lda = KEYS,
                                .a_trans = true,
                                .b = a->q + q,
                                .ldb = a->q_ld,
                                .by = 1,
                                .part = GEMM_LAST_K,
                                .seen = seen,
                                .add = true },
             t->work);
    multiply(&(struct product){ .to = g->dq + q,
                                .M = m,
                                .N = a->D,
                                .K = n,
                                .ldc = a->q_ld,
                                .a = t->slopes,
                                .lda = KEYS,
                                .b = a->k + key,
                                .ldb = kd,
                                .by = 1,
                                .part = GEMM_FIRST_K,
                                .seen = seen,
                                .add = j > first_tile(a, s, i) },
             t->work);
}

/* One key head of one sequence with all query heads that read it. */
static void backward_key_head(const struct slopes *g, const struct inputs *a, const struct seq *s,
                              int64_t kh, const struct tile *t)
{
    const int64_t group = a->H / a->K, D = a->D;

    for (int64_t i = 0; i < s->q_len; i++) {
        const int64_t at = (s->k_start + i) * a->kv_ld + kh * D;

        memset(g->dk + at, 0, (size_t)D * sizeof(float));
        memset(g->dv + at, 0, (size_t)D * sizeof(float));
    }
    for (int64_t h = kh * group; h < (kh + 1) * group; h++) {
        const int64_t row = s->q_start * a->H + h;

        /* a query that sees one key has its value for a result: its slopes are then exactly 0 */
        cpu_isa()->row_dots(g->along + row, a->H, g->dout + row * D, g->out + row * D, a->H * D,
                            s->q_len, D);
        for (int64_t i = 0; i < s->q_len; i += QUERIES) {
            const int64_t m = min_i64(QUERIES, s->q_len - i);

            for (int64_t j = first_tile(a, s, i); j < i + m; j += KEYS)
                backward_tile(g, a, s, h, i, m, j, min_i64(KEYS, i + m - j), t);
        }
    }
}

static int attention_backward(struct dev *dq, struct dev *dk, struct dev *dv, struct dev *scratch,
                              const struct dev *dout, const struct dev *out, const struct dev *lse,
                              const struct dev *q, const struct dev *k, const struct dev *v,
                              const struct packed *rows, const struct attention *shape)
{
    const struct inputs a = inputs_of(q, k, v, shape);
    const struct slopes g = { f32(dq),         f32(dk),        f32(dv),       f32(scratch),
                              const_f32(dout), const_f32(out), const_f32(lse) };
    float *const memory = cpu_scratch(cpu_attention_scratch(a.D));

    if (!memory)
        return -1;
#pragma omp parallel for collapse(2) schedule(dynamic) if (worth_threads(elements(&a, rows)))
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < a.K; kh++) {
            const struct tile t = tile_at(memory, a.D);

            backward_key_head(&g, &a, &rows->seq[s], kh, &t);
        }
    return 0;
}

void cpu_attention_ops(struct ops *o)
{
    o->attention_forward = attention_forward;
    o->attention_backward = attention_backward;
}
