/*
 * Causal attention over packed sequences, in f32. A warp has one query (or, for the gradients of keys
 * and values, one key) and the block's warps share tiles of TILE rows in shared memory: each lane makes
 * the score of one row, then each has every 32nd channel of the sum. Tiles stand at multiples of TILE in
 * the sequence's own numbering, so that a row's result does not depend on the rows beside it.
 *
 * Bound by arithmetic without tensor cores: 4 D (forward) and 10 D (backward) operations for each query
 * and key. Where halves are allowed, attention_mma_cuda.cu and attention_back_mma_cuda.cu are many times
 * faster; this is for all else.
 */
#include "attention_cuda.h"

enum { TILE = WARP, WARPS = THREADS / WARP, HEAD_MAX = 512 };

/* Every dot product here is made in this order: a softmax made again has the same bytes. */
template <class X> __device__ static float dot(const X *a, const X *b, int64_t D)
{
    float sum = 0;

    for (int64_t d = 0; d < D; d++)
        sum = madd(load(a + d), load(b + d), sum);
    return sum;
}

/* to (D) = from (D), by the lanes of a warp. */
template <class X> __device__ static void copy_row(float *to, const X *from, int64_t D)
{
    for (int64_t d = threadIdx.x % WARP; d < D; d += WARP)
        to[d] = load(from + d);
}

/* What a block keeps in shared memory; rows of tiles are an element longer, so that lanes that read the
 * same channel of different rows read different banks. */
struct room {
    float *first, *second; /* (TILE, D + 1) two tiles */
    float *one, *other;    /* (WARPS, D) a row of each kind for each warp */
    float *p, *ds;         /* (WARPS, TILE) */
};

__device__ static struct room room_in(float *shared, int64_t D)
{
    struct room r;

    r.first = shared;
    r.second = r.first + TILE * (D + 1);
    r.one = r.second + TILE * (D + 1);
    r.other = r.one + WARPS * D;
    r.p = r.other + WARPS * D;
    r.ds = r.p + WARPS * TILE;
    return r;
}

static size_t room_bytes(int64_t D)
{
    return (size_t)(2 * TILE * (D + 1) + 2 * WARPS * D + 2 * WARPS * TILE) * sizeof(float);
}

/* Keys J.. below END of one key head into the tiles, by all warps. */
template <class X>
__device__ static void load_keys(const struct room &r, const X *k, const X *v,
                                 const struct seq &s, const struct attention &a, int64_t j, int64_t end,
                                 int64_t kh)
{
    const int64_t D = a.head_dim;

    for (int row = threadIdx.x / WARP; row < TILE && j + row < end; row += WARPS) {
        const int64_t at = key_row(s, j + row) * a.kv_ld + kh * D;

        copy_row(r.first + row * (D + 1), k + at, D);
        copy_row(r.second + row * (D + 1), v + at, D);
    }
}

/* The query of a warp, and the keys that it and its block go over. */
struct query {
    struct seq s;
    bool none, live;              /* the block has no query; the warp has one */
    int64_t row;                  /* of q */
    int64_t from, end;            /* it sees */
    int64_t first_tile, last_end; /* of the block */
};

__device__ static struct query query_of(const struct seq *seqs, const struct attention &a, int tiles)
{
    const struct seq s = seqs[blockIdx.x / tiles];
    const int64_t first = (int64_t)(blockIdx.x % tiles) * WARPS, i = first + threadIdx.x / WARP;
    const int64_t last = least(first + WARPS, s.q_len) - 1;
    struct query me;

    me.s = s;
    me.none = first >= s.q_len;
    me.live = i < s.q_len;
    me.row = s.q_start + i;
    me.from = first_visible(s, a, i);
    me.end = me.live ? visible(s, i) : 0;
    me.first_tile = first_visible(s, a, first) / TILE * TILE;
    me.last_end = visible(s, last);
    return me;
}

template <int EACH, class X>
static __global__ void forward(X *out, float *lse, const X *q, const X *k, const X *v,
                               const struct seq *seqs, struct attention a, int tiles)
{
    SHARED(float, shared);
    const int64_t D = a.head_dim, h = blockIdx.y, kh = h / (a.heads / a.kv_heads);
    const struct room r = room_in(shared, D);
    const struct query me = query_of(seqs, a, tiles);
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    float *const query = r.one + warp * D, *const p = r.p + warp * TILE;
    float sum[EACH] = { 0 }, most = -INFINITY, total = 0;

    if (me.none)
        return;
    if (me.live)
        copy_row(query, q + me.row * a.q_ld + h * D, D);
    for (int64_t j = me.first_tile; j < me.last_end; j += TILE) {
        __syncthreads();
        load_keys(r, k, v, me.s, a, j, me.last_end, kh);
        __syncthreads();
        const bool sees = j + lane >= me.from && j + lane < me.end;
        const float score = sees ? a.scale * dot(query, r.first + lane * (D + 1), D) : -INFINITY;
        const float larger_one = fmaxf(most, warp_all(score, larger()));
        const float x = sees ? expf(score - larger_one) : 0;
        const float shrink = most == -INFINITY ? 0 : expf(most - larger_one);
        const int n = (int)least(me.end - j, TILE);

        p[lane] = x;
        total = total * shrink + warp_all(x, add());
        most = larger_one;
        __syncwarp();
        for (int e = 0; e < EACH; e++) {
            const int64_t d = lane + e * WARP;

            sum[e] *= shrink;
            for (int row = 0; d < D && row < n; row++)
                sum[e] = madd(p[row], r.second[row * (D + 1) + d], sum[e]);
        }
        __syncwarp();
    }
    if (!me.live)
        return;
    for (int e = 0; e < EACH; e++)
        if (lane + e * WARP < D)
            store(out + (me.row * a.heads + h) * D + lane + e * WARP, sum[e] / total);
    if (lane == 0 && lse)
        lse[me.row * a.heads + h] = most + logf(total);
}

/* along (N, H) = dout . out: what the softmax takes off every entry's gradient. */
template <class X>
static __global__ void along_rows(float *along, const X *dout, const X *out, int64_t n, int64_t D)
{
    const int64_t i = thread_of_all();

    if (i < n)
        along[i] = dot(dout + i * D, out + i * D, D);
}

/*
 * With p the softmax of a query's scores, made again from lse:
 *   dv_j = sum_i p_ij do_i,  ds_ij = scale p_ij (do_i . v_j - along_i),
 *   dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i.
 */
template <int EACH, class X>
static __global__ void backward_queries(X *dq, const X *dout, const float *along, const float *lse,
                                        const X *q, const X *k, const X *v,
                                        const struct seq *seqs, struct attention a, int tiles)
{
    SHARED(float, shared);
    const int64_t D = a.head_dim, h = blockIdx.y, kh = h / (a.heads / a.kv_heads);
    const struct room r = room_in(shared, D);
    const struct query me = query_of(seqs, a, tiles);
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    float *const query = r.one + warp * D, *const slope = r.other + warp * D;
    float *const ds = r.ds + warp * TILE;
    float sum[EACH] = { 0 };

    if (me.none)
        return;
    const int64_t at = me.row * a.heads + h;

    if (me.live) {
        copy_row(query, q + me.row * a.q_ld + h * D, D);
        copy_row(slope, dout + at * D, D);
    }
    for (int64_t j = me.first_tile; j < me.last_end; j += TILE) {
        const int n = (int)least(me.end - j, TILE);

        __syncthreads();
        load_keys(r, k, v, me.s, a, j, me.last_end, kh);
        __syncthreads();
        ds[lane] = 0;
        if (j + lane >= me.from && j + lane < me.end) {
            const float p = expf(a.scale * dot(query, r.first + lane * (D + 1), D) - lse[at]);

            ds[lane] = a.scale * p * (dot(slope, r.second + lane * (D + 1), D) - along[at]);
        }
        __syncwarp();
        for (int e = 0; e < EACH; e++)
            for (int row = 0; lane + e * WARP < D && row < n; row++)
                sum[e] = madd(ds[row], r.first[row * (D + 1) + lane + e * WARP], sum[e]);
        __syncwarp();
    }
    for (int e = 0; me.live && e < EACH; e++)
        if (lane + e * WARP < D)
            store(dq + me.row * a.q_ld + h * D + lane + e * WARP, sum[e]);
}

/* A warp for each key: over the query heads that share it, tile after tile of their queries. */
template <int EACH, class X>
static __global__ void backward_keys(X *dk, X *dv, const X *dout, const float *along,
                                     const float *lse, const X *q, const X *k, const X *v,
                                     const struct seq *seqs, struct attention a, int tiles)
{
    SHARED(float, shared);
    const int64_t D = a.head_dim, kh = blockIdx.y, group = a.heads / a.kv_heads;
    const struct room r = room_in(shared, D);
    const struct seq s = seqs[blockIdx.x / tiles];
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int64_t first = (int64_t)(blockIdx.x % tiles) * WARPS, j = first + warp;
    float *const key = r.one + warp * D, *const value = r.other + warp * D;
    float *const p = r.p + warp * TILE, *const ds = r.ds + warp * TILE;
    float key_sum[EACH] = { 0 }, value_sum[EACH] = { 0 };

    if (first >= s.q_len)
        return;
    const bool live = j < s.q_len;
    const int64_t to = (s.k_start + j) * a.kv_ld + kh * D;
    const int64_t end = a.window ? least(first + WARPS - 1 + a.window, s.q_len) : s.q_len;

    if (live) {
        copy_row(key, k + to, D);
        copy_row(value, v + to, D);
    }
    for (int64_t h = kh * group; h < (kh + 1) * group; h++)
        for (int64_t i = first / TILE * TILE; i < end; i += TILE) {
            const int64_t mine = i + lane, at = (s.q_start + mine) * a.heads + h;
            const int n = (int)least(end - i, TILE);

            __syncthreads();
            for (int row = warp; row < n; row += WARPS) {
                copy_row(r.first + row * (D + 1), q + (s.q_start + i + row) * a.q_ld + h * D, D);
                copy_row(r.second + row * (D + 1), dout + ((s.q_start + i + row) * a.heads + h) * D, D);
            }
            __syncthreads();
            p[lane] = ds[lane] = 0;
            if (live && mine >= j && mine < end && (!a.window || mine - j < a.window)) {
                p[lane] = expf(a.scale * dot(r.first + lane * (D + 1), key, D) - lse[at]);
                ds[lane] = a.scale * p[lane] * (dot(r.second + lane * (D + 1), value, D) - along[at]);
            }
            __syncwarp();
            for (int e = 0; e < EACH; e++)
                for (int row = 0; lane + e * WARP < D && row < n; row++) {
                    const int64_t d = row * (D + 1) + lane + e * WARP;

                    key_sum[e] = madd(ds[row], r.first[d], key_sum[e]);
                    value_sum[e] = madd(p[row], r.second[d], value_sum[e]);
                }
            __syncwarp();
        }
    for (int e = 0; live && e < EACH; e++)
        if (lane + e * WARP < D) {
            store(dk + to + lane + e * WARP, key_sum[e]);
            store(dv + to + lane + e * WARP, value_sum[e]);
        }
}

/* ---- launches: a kernel for each number of channels a lane has ---- */

/* Blocks that the longest sequence needs; each sequence gets as many, and those behind its end leave. */
template <class X> static int tiles_of(const struct call<X> *c)
{
    return (int)blocks_for(c->longest, WARPS);
}

template <int EACH, class X> static int run_forward(const struct call<X> *c)
{
    const size_t bytes = room_bytes(c->a.head_dim);
    const dim3 grid((unsigned)(c->n_seqs * tiles_of(c)), (unsigned)c->a.heads);

    if (allow(forward<EACH, X>, bytes) < 0)
        return -1;
    return LAUNCH((forward<EACH, X>), grid, THREADS, bytes, c->out, c->lse_out, c->q, c->k, c->v, c->seqs, c->a,
                  tiles_of(c));
}

template <int EACH, class X> static int run_backward(const struct call<X> *c)
{
    const size_t bytes = room_bytes(c->a.head_dim);
    const dim3 queries((unsigned)(c->n_seqs * tiles_of(c)), (unsigned)c->a.heads),
        keys((unsigned)(c->n_seqs * tiles_of(c)), (unsigned)c->a.kv_heads);

    if (allow(backward_queries<EACH, X>, bytes) < 0 || allow(backward_keys<EACH, X>, bytes) < 0 ||
        LAUNCH((backward_queries<EACH, X>), queries, THREADS, bytes, c->dq, c->dout, c->along, c->lse, c->q, c->k,
               c->v, c->seqs, c->a, tiles_of(c)) < 0)
        return -1;
    return LAUNCH((backward_keys<EACH, X>), keys, THREADS, bytes, c->dk, c->dv, c->dout, c->along, c->lse, c->q,
                  c->k, c->v, c->seqs, c->a, tiles_of(c));
}

template <class X> static int run(const struct call<X> *c, bool back)
{
    const int64_t D = c->a.head_dim;

    if (D <= 32)
        return back ? run_backward<1>(c) : run_forward<1>(c);
    if (D <= 64)
        return back ? run_backward<2>(c) : run_forward<2>(c);
    if (D <= 128)
        return back ? run_backward<4>(c) : run_forward<4>(c);
    if (D <= HEAD_MAX)
        return back ? run_backward<16>(c) : run_forward<16>(c);
    return cuda_fail(EX_UNAVAILABLE, "heads of %lld channels are more than the %d that CUDA has here; use --device cpu",
                     (long long)D, HEAD_MAX);
}

template <class X>
static struct call<X> call_of(const struct dev *q, const struct dev *k, const struct dev *v,
                           const struct packed *rows, const struct attention *shape)
{
    struct call<X> c = {};

    c.q = act<X>(q), c.k = act<X>(k), c.v = act<X>(v);
    c.seqs = (const struct seq *)rows->seq_dev, c.n_seqs = rows->seqs;
    c.a = *shape;
    for (int64_t s = 0; s < rows->seqs; s++)
        c.longest = rows->seq[s].q_len > c.longest ? rows->seq[s].q_len : c.longest;
    return c;
}

/* Whether C is for tensor cores. */
template <class X> static bool by_mma(const struct call<X> *c)
{
    return (c->a.round == DT_BF16 || (c->a.round == DT_F16 && cuda_act == DT_F32)) && attention_mma_fits(c);
}

template <class X>
static int attention_forward(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             const struct attention *shape)
{
    struct call<X> c = call_of<X>(q, k, v, rows, shape);

    c.out = act<X>(out), c.lse_out = f32(lse);
    if (attention_of_one_fits(&c))
        return attention_of_one(&c);
    return by_mma(&c) ? attention_by_mma(&c) : run(&c, false);
}

template <class X>
static int attention_backward(struct dev *dq, struct dev *dk, struct dev *dv, struct dev *scratch,
                              const struct dev *dout, const struct dev *out, const struct dev *lse,
                              const struct dev *q, const struct dev *k, const struct dev *v,
                              const struct packed *rows, const struct attention *shape)
{
    const int64_t n = rows->tokens * shape->heads;
    struct call<X> c = call_of<X>(q, k, v, rows, shape);

    c.dq = act<X>(dq), c.dk = act<X>(dk), c.dv = act<X>(dv), c.along = f32(scratch);
    c.dout = act<X>(dout), c.lse = f32(lse), c.y = act<X>(out);
    if (by_mma(&c))
        return attention_back_by_mma(&c);
    if (LAUNCH(along_rows<X>, blocks_for(n, THREADS), THREADS, 0, f32(scratch), c.dout, c.y, n,
               shape->head_dim) < 0)
        return -1;
    return run(&c, true);
}

template <class X> static void fill(struct ops *o)
{
    o->attention_forward = attention_forward<X>;
    o->attention_backward = attention_backward<X>;
}

void cuda_attention_ops(struct ops *o)
{
    FILL_FOR_ACT(fill, o);
}
