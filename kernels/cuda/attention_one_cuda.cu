/*
 * Attention of one query a sequence, as in decoding: a block for each head, whose warps share the query's
 * keys, tile after tile of 32 in turn. A lane scores one key, which it reads by itself, 16 bytes at a time;
 * then each has every 32nd channel of the sum. What the warps have is put together in their order. The
 * launch depends on the number of sequences, not of keys, so that a recorded pass stays right as they grow.
 *
 * Bound by the way to L2: three times for each round of the warps, which is 512 keys.
 */
#include "attention_cuda.h"

enum { TILE = WARP, WARPS = 16, AT_ONCE = 16 };

#ifdef __CUDACC__
#define IN_FLIGHT _Pragma("unroll 16") /* AT_ONCE */
#else
#define IN_FLIGHT
#endif

__host__ __device__ static inline int64_t padded(int64_t D)
{
    return (D + GROUP - 1) / GROUP * GROUP;
}

/* query (a multiple of GROUP, zeros behind D) times key, as four sums. */
template <class X> __device__ static float score_of(const float *query, const X *key, int64_t D)
{
    float sum[4] = { 0 };

    for (int64_t d = 0; d < D; d += GROUP) {
        float v[GROUP];

        load_group(v, key + d, D - d);
        for (int i = 0; i < GROUP; i++)
            sum[i % 4] = madd(query[d + i], v[i], sum[i % 4]);
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* What a warp has seen: the largest score, and relative to it the sums of exponentials and of values. */
template <int EACH> struct seen {
    float most, total, sum[EACH];
};

/* P (TILE): shared, the warp's own. Keys J.. of those from FROM to below END. */
template <int EACH, class X>
__device__ static void see_tile(struct seen<EACH> *x, float *p, const float *query, const struct call<X> &c,
                                const struct seq &s, int64_t kh, int64_t j, int64_t from, int64_t end)
{
    const int64_t D = c.a.head_dim;
    const int lane = threadIdx.x % WARP;
    const bool sees = j + lane >= from && j + lane < end;
    const X *const key = c.k + (sees ? key_row(s, j + lane) : 0) * c.a.kv_ld + kh * D;
    const float score = sees ? c.a.scale * score_of(query, key, D) : -INFINITY;
    const float most = fmaxf(x->most, warp_all(score, larger()));
    const float shrink = x->most == -INFINITY ? 0 : expf(x->most - most);

    p[lane] = sees ? expf(score - most) : 0;
    x->total = x->total * shrink + warp_all(p[lane], add());
    x->most = most;
    for (int e = 0; e < EACH; e++)
        x->sum[e] *= shrink;
    __syncwarp();
    for (int first = 0; first < TILE; first += AT_ONCE)
        IN_FLIGHT for (int r = first; r < first + AT_ONCE; r++) {
            const bool seen = j + r >= from && j + r < end;
            const X *const value = c.v + (seen ? key_row(s, j + r) : 0) * c.a.kv_ld + kh * D + lane;

            for (int e = 0; e < EACH; e++)
                if (seen && lane + e * WARP < D)
                    x->sum[e] = madd(p[r], load(value + e * WARP), x->sum[e]);
        }
    __syncwarp();
}


/* Channel D of what the warps have seen, put together. */
__device__ static float together(const float *most, const float *total, const float *sum, int64_t D, int64_t d)
{
    float top = -INFINITY, all = 0, value = 0;

    for (int w = 0; w < WARPS; w++)
        top = fmaxf(top, most[w]);
    for (int w = 0; w < WARPS; w++) {
        const float part = expf(most[w] - top);

        all += part * total[w];
        value += part * sum[w * D + d];
    }
    return value / all;
}

template <int EACH, class X>
static __global__ void __launch_bounds__(WARPS *WARP) one_query(struct call<X> c)
{
    SHARED(float, most); /* (WARPS) */
    const int64_t D = c.a.head_dim, h = blockIdx.y, kh = h / (c.a.heads / c.a.kv_heads);
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const struct seq s = c.seqs[blockIdx.x];
    const int64_t from = first_visible(s, c.a, 0), end = visible(s, 0);
    float *const total = most + WARPS, *const p = total + WARPS; /* (WARPS), (WARPS, TILE) */
    float *const query = p + WARPS * TILE, *const sum = query + padded(D); /* D, (WARPS, D) */
    struct seen<EACH> x = { -INFINITY, 0, { 0 } };

    for (int64_t d = threadIdx.x; d < padded(D); d += blockDim.x)
        query[d] = d < D ? load(c.q + s.q_start * c.a.q_ld + h * D + d) : 0;
    __syncthreads();
    for (int64_t j = (from / TILE + warp) * TILE; j < end; j += WARPS * TILE)
        see_tile(&x, p + warp * TILE, query, c, s, kh, j, from, end);
    most[warp] = x.most; /* by all lanes, the same */
    total[warp] = x.total;
    for (int e = 0; e < EACH; e++)
        if (lane + e * WARP < D)
            sum[warp * D + lane + e * WARP] = x.sum[e];
    __syncthreads();
    for (int64_t d = threadIdx.x; d < D; d += blockDim.x)
        store(c.out + (s.q_start * c.a.heads + h) * D + d, together(most, total, sum, D, d));
}

template <int EACH, class X> static int run(const struct call<X> *c)
{
    const int64_t D = c->a.head_dim;
    const size_t floats = (size_t)(WARPS * (2 + TILE) + padded(D) + WARPS * D);

    return LAUNCH((one_query<EACH, X>), dim3((unsigned)c->n_seqs, (unsigned)c->a.heads), WARPS * WARP,
                  floats * sizeof(float), *c);
}

template <class X> int attention_of_one(const struct call<X> *c)
{
    const int64_t D = c->a.head_dim;

    return D <= 32 ? run<1>(c) : D <= 64 ? run<2>(c) : D <= 96 ? run<3>(c) : D <= 128 ? run<4>(c) : run<8>(c);
}

template <class X> bool attention_of_one_fits(const struct call<X> *c)
{
    const bool rounds = c->a.round == DT_F16 || c->a.round == DT_BF16;

    return rounds && c->longest == 1 && !c->lse_out && c->a.head_dim <= 8 * WARP;
}

template int attention_of_one(const struct call<float> *c);
template int attention_of_one(const struct call<bf16> *c);
template bool attention_of_one_fits(const struct call<float> *c);
template bool attention_of_one_fits(const struct call<bf16> *c);
