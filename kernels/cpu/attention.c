/*
 * Causal attention in tiles of queries by keys, softmax carried from tile to tile (Dao et al. 2022,
 * arXiv 2205.14135). A tile's keys and values are packed once for all queries at hand of all heads
 * that read them; then a panel of rows at a time goes the whole way, its scores in the first cache.
 * Each number is what gemm.h says of a product's. A query's result depends on the keys it sees
 * alone: tiles of keys are cut by the key's number in the sequence, and what a query does not see
 * adds zeros.
 */
#include "cpu_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    QUERIES = 128, /* of a head in a task */
    ROWS = 512,    /* of all heads that are done together */
    KEYS = 256,    /* of a tile */
    PANEL = MR_MAX * ROW_LD,
};

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

/* Rows that the thread likely wants next, short and far from each other, so that the machine does
 * not foresee them: asked for in pieces while others are multiplied. */
struct ahead {
    struct {
        const float *at;
        int64_t ld, n;
    } part[8];
    int parts;
    int64_t rows;
    int64_t done, line, row; /* parts that are done; of the next what comes next */
};

static void ahead_add(struct ahead *x, const float *at, int64_t ld, int64_t n)
{
    x->part[x->parts].at = at;
    x->part[x->parts].ld = ld;
    x->part[x->parts++].n = n;
}

/* The next N times WANTED floats, row after row, then the next of each; NONE: any address. */
static struct wanted ahead_take(struct ahead *x, int64_t n, const float *none)
{
    if (x->done == x->parts || x->rows == 0)
        return (struct wanted){ none, none, 0, 0 };

    const int64_t ld = x->part[x->done].ld, left = x->rows - x->row;
    const float *const at = x->part[x->done].at + x->line + x->row * ld;
    const struct wanted w = { at, at + WANTED - x->rows * ld, left, ld };

    x->row += n;
    if (n >= left) {
        x->row = min_i64(n - left, x->rows);
        x->line += WANTED;
    }
    if (x->line >= x->part[x->done].n) {
        x->done++;
        x->line = x->row = 0;
    }
    return w;
}

/* A thread's memory. Rows are ROW_LD apart; of x and y, chunks of KC columns PANEL apart. */
struct tile {
    float *scores, *slopes;                   /* (QUERIES, KEYS) */
    float *x, *y;                             /* (MR_MAX, D): rows of a product */
    float *sums;                              /* (MR_MAX, D): a product */
    float *keys, *values;                     /* (KEYS, D), where a tile is not in one piece */
    float *keys_t, *values_t, *keys_straight; /* packed */
    struct ahead ahead;
};

/* Where the keys of a tile are: rows LD apart. */
struct keys {
    const float *k, *v;
    int64_t n, ld;
};

static int64_t round_up(int64_t x, int64_t to)
{
    return (x + to - 1) / to * to;
}

/* Cuts a thread's memory for heads of D; its length. */
static int64_t cut(struct tile *t, float *memory, int64_t D)
{
    const int64_t width = round_up(D, NR_MAX), chunks = (D + KC - 1) / KC;
    const struct {
        float **part;
        int64_t floats;
    } parts[] = { { &t->scores, QUERIES * ROW_LD }, { &t->slopes, QUERIES * ROW_LD },
                  { &t->x, chunks * PANEL },        { &t->y, chunks * PANEL },
                  { &t->sums, MR_MAX * width },     { &t->keys, KEYS * width },
                  { &t->values, KEYS * width },     { &t->keys_t, KEYS * width },
                  { &t->values_t, KEYS * width },   { &t->keys_straight, KEYS * width } };
    int64_t at = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].part = memory ? memory + at : NULL;
        at += parts[i].floats;
    }
    return at;
}

static struct tile tile_at(float *memory, int64_t D)
{
    struct tile t = { .ahead.parts = 0 };

    (void)cut(&t, memory + omp_get_thread_num() * cut(&t, NULL, D), D);
    return t;
}

size_t cpu_attention_scratch(int64_t D)
{
    struct tile t;

    return (size_t)cut(&t, NULL, D) * sizeof(float) * (size_t)omp_get_max_threads();
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

/* ---- products ---- */

/* B (K, N) as a tile reads it: chunks of KC of k, in each panel after panel. */
struct packed_b {
    const float *at;
    int64_t K, N; /* N: of whole panels */
};

/* x (rows, cols), rows LD apart, or its transpose. */
static struct packed_b pack(float *to, const float *x, int64_t ld, int64_t rows, int64_t cols,
                            bool trans)
{
    const struct isa *const isa = cpu_isa();
    const struct weight w = dense(x, rows, cols);
    const int64_t K = trans ? cols : rows, N = round_up(trans ? rows : cols, isa->nr);
    float *at = to;

    for (int64_t k0 = 0; k0 < K; k0 += KC)
        for (int64_t n = 0; n < N; n += isa->nr) {
            const int64_t kc = min_i64(KC, K - k0);

            isa->pack_b(at, &w, ld, trans, k0, kc, n);
            at += kc * isa->nr;
        }
    return (struct packed_b){ to, K, N };
}

/* c (m, n), and what is left of a vector, = a (m, K) b, of which K rows count. */
static void multiply(float *c, int64_t ldc, int64_t m, int64_t n, const float *a, int64_t K,
                     const struct packed_b *b, struct ahead *ahead)
{
    const struct isa *const isa = cpu_isa();

    for (int64_t k0 = 0; k0 < K; k0 += KC, a += PANEL) {
        const int64_t kc = min_i64(KC, K - k0), packed = min_i64(KC, b->K - k0);

        for (int64_t n0 = 0; n0 < n; n0 += isa->nr) {
            const struct wanted soon = ahead_take(ahead, kc, a);

            isa->tile_unpacked((int)m, (int)min_i64(isa->nr, n - n0), kc, a,
                               b->at + k0 * b->N + n0 * packed, c + n0, ldc, k0 > 0, &soon);
        }
    }
}

/* Row R of x or y = x (D) * by. */
static void take(float *to, int64_t r, const float *x, int64_t D, float by)
{
    for (int64_t k0 = 0; k0 < D; k0 += KC, to += PANEL)
        cpu_isa()->keep(to + r * ROW_LD, x + k0, min_i64(KC, D - k0), NULL, by);
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
    const bool add = j > first_tile(a, s, x->i);
    struct reader row[MR_MAX];
    float change[MR_MAX];
    int64_t seen = 0;

    for (int64_t r = 0; r < m; r++) {
        row[r] = reader_of(x, r0 + r, a, s);
        take(t->x, r, a->q + row[r].q, a->D, a->scale);
        seen = max_i64(seen, min_i64(values->K, visible(s, row[r].i) - j));
    }
    if (seen == 0)
        return;
    multiply(t->scores, ROW_LD, m, seen, t->x, a->D, keys, &t->ahead);
    for (int64_t r = 0; r < m; r++) {
        float *const scores = t->scores + r * ROW_LD;
        const int64_t hidden = hide(scores, a, s, row[r].i, j, seen);

        change[r] =
            isa->softmax_tile(scores + hidden, seen - hidden, visible(s, row[r].i) - j - hidden,
                              &softmax->most[r0 + r], &softmax->sum[r0 + r]);
    }
    multiply(t->sums, round_up(a->D, NR_MAX), m, a->D, t->scores, seen, values, &t->ahead);
    for (int64_t r = 0; r < m; r++) {
        const int64_t left = visible(s, row[r].i) - j;
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
    const int64_t rows = x->queries * x->heads, keys = visible(s, x->i + x->queries - 1);
    struct softmax softmax;

    for (int64_t r = 0; r < rows; r++) {
        softmax.most[r] = -INFINITY;
        softmax.sum[r] = 0;
    }
    for (int64_t j = first_tile(a, s, x->i); j < keys; j += KEYS) {
        const struct keys k = keys_at(a, s, j, min_i64(KEYS, keys - j), x->h / (a->H / a->K), t);
        const struct packed_b keys_t = pack(t->keys_t, k.k, k.ld, k.n, a->D, true),
                              values = pack(t->values_t, k.v, k.ld, k.n, a->D, false);

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

/* Tasks that follow one another are a thread's as long as there are many. */
static int together(int64_t tasks)
{
    return (int)max_i64(1, min_i64(16, tasks / (4 * omp_get_max_threads())));
}

static int attention_forward(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             const struct attention *shape)
{
    const struct inputs a = inputs_of(q, k, v, shape);
    float *const memory = cpu_scratch(cpu_attention_scratch(a.D));
    int64_t longest = 0;

    if (!memory)
        return -1;
    for (int64_t s = 0; s < rows->seqs; s++)
        longest = max_i64(longest, rows->seq[s].q_len);

    const int chunk = together(rows->seqs * a.K * ((longest + QUERIES - 1) / QUERIES));

#pragma omp parallel for collapse(3) schedule(dynamic, chunk) if (worth_threads(elements(&a, rows)))
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < a.K; kh++)
            for (int64_t i = 0; i < longest; i += QUERIES) {
                struct tile t = tile_at(memory, a.D);

                t.ahead = forward_ahead(f32(out), &a, &rows->seq[s], kh, i);
                if (i < rows->seq[s].q_len)
                    forward_task(f32(out), lse ? f32(lse) : NULL, &a, &rows->seq[s], kh, i, &t);
            }
    return 0;
}

/* ---- backward ---- */

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
        take(t->x, r, a->q + q + r * a->q_ld, D, a->scale);
        take(t->y, r, g->dout + at + r * ld, D, 1);
    }
    multiply(p, ROW_LD, m, n, t->x, D, &k->keys_t, &t->ahead);
    multiply(ds, ROW_LD, m, n, t->y, D, &k->values_t, &t->ahead);
    for (int64_t r = 0; r < m; r++, p += ROW_LD) {
        const int64_t row = (s->q_start + i + r) * a->H + h;
        const int64_t hidden = hide(p, a, s, i + r, k->j, n);
        float *const slope = ds + r * ROW_LD;

        (void)hide(slope, a, s, i + r, k->j, n);
        isa->softmax_slope(p + hidden, slope + hidden, n - hidden, i + r + 1 - k->j - hidden,
                           g->lse[row], g->along[row], a->scale);
    }
    multiply(t->sums, width, m, D, ds, seen, &k->keys, &t->ahead);
    isa->put_rows(g->dq + q, a->q_ld, m, D, t->sums, width,
                  k->j > first_tile(a, s, i / QUERIES * QUERIES) ? g->dq + q : NULL, a->q_ld, NULL,
                  0, 1);
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
    const struct key_tile tile = { j, n, pack(t->keys_t, k, a->kv_ld, n, a->D, true),
                                   pack(t->values_t, v, a->kv_ld, n, a->D, true),
                                   pack(t->keys_straight, k, a->kv_ld, n, a->D, false) };

    for (int64_t h = head; h < head + group; h++)
        for (int64_t i = j; i < s->q_len && first_tile(a, s, i) <= j; i += QUERIES)
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
    const struct inputs a = inputs_of(q, k, v, shape);
    const struct slopes g = { f32(dq),         f32(dk),        f32(dv),       f32(scratch),
                              const_f32(dout), const_f32(out), const_f32(lse) };
    float *const memory = cpu_scratch(cpu_attention_scratch(a.D));

    if (!memory)
        return -1;
    const int chunk = together(rows->seqs * a.K);

#pragma omp parallel for collapse(2) schedule(dynamic, chunk) if (worth_threads(elements(&a, rows)))
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t kh = 0; kh < a.K; kh++) {
            struct tile t = tile_at(memory, a.D);

            t.ahead = backward_ahead(&g, &a, &rows->seq[s], kh);
            backward_key_head(&g, &a, &rows->seq[s], kh, &t);
        }
    return 0;
}

void cpu_attention_ops(struct ops *o)
{
    o->attention_forward = attention_forward;
    o->attention_backward = attention_backward;
}
