/*
 * Attention backward on tensor cores (attention_mma_cuda.h), deterministic and without atomics: one kernel
 * has queries and goes over keys for dq, one has keys and goes over queries for dk and dv. With p the
 * softmax, made again from lse and the rounded q and k of forward, do = dout and along_i = do_i . out_i:
 *   dv_j = sum_i p_ij do_i,  ds_ij = p_ij (do_i . v_j - along_i),
 *   dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i.
 *
 * Gradients may be smaller than what f16 holds. So dout is multiplied, for each sequence and key head, with
 * the power of two that brings its largest entry to 1..2, and the results are divided by it, all exact.
 *
 * q, k, v and dout (f32 to f16; bf16 as it is), p and ds are rounded once: dq and dk are 5e-6 to 7e-6 of the
 * mean square off in bf16, dv 5e-6, and all 2e-7 in f16.
 *
 * FLOPs for each query and key: 6 D in the first kernel, 8 D in the second (10 D for heads of more than 128
 * channels, whose dk and dv have a launch each, as both sums do not fit into registers). For each row of a
 * tile, 8 D bytes of L2 and OWN pairs: 48 and 64 FLOP a byte. ldmatrix reads 0.08 bytes of shared memory a FLOP, without bank conflicts. With L2 at
 * 5.5 TB/s, shared memory at 29 TB/s and mma.sync at 600 TFLOP/s, as an H200 should have, each allows 260
 * to 450 TFLOP/s alone; nothing is loaded while tiles are multiplied but by other blocks (2 to 4 on a
 * multiprocessor), so 120 to 150 is what to expect. Phi-2 (32 heads of 80), one text of 2,048 tokens: 75
 * GFLOP a layer, 0.6 ms. Texts of some 75 tokens are bound by bytes instead: 14 times N H D floats.
 */
#include "attention_mma_cuda.h"

enum { ROW_THREADS = 512 };
enum what { KEYS = 1, VALUES = 2 }; /* whose gradients */

/* What dout is multiplied with, LARGEST being its largest entry. */
__device__ static float power_for(float largest)
{
    const int power = largest > 0 ? ilogbf(largest) : 0;

    return ldexpf(1, -(power < -126 ? -126 : power > 126 ? 126 : power));
}

/* times (S, K), and along (N, H) = dout times it, rounded, . y. */
template <class X> static __global__ void __launch_bounds__(ROW_THREADS) prepare(struct call<X> c)
{
    SHARED(float, warps);
    constexpr enum dtype T = half_type<X>;
    const struct seq s = c.seqs[blockIdx.x];
    const int64_t D = c.a.head_dim, K = c.a.kv_heads, group = c.a.heads / K, kh = blockIdx.y;
    const int64_t n = s.q_len * group, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    float slope[GROUP], y[GROUP], largest = 0;

    for (int64_t r = warp; r < n; r += ROW_THREADS / WARP) {
        const int64_t at = (s.q_start + r / group) * c.a.heads + kh * group + r % group;

        for (int64_t d = GROUP * lane; d < D; d += GROUP * WARP) {
            load_whole(slope, c.dout + at * D + d);
            for (int i = 0; i < GROUP; i++)
                largest = fmaxf(largest, fabsf(slope[i]));
        }
    }
    const float times = power_for(block_all(largest, larger(), warps));

    for (int64_t r = warp; r < n; r += ROW_THREADS / WARP) {
        const int64_t at = (s.q_start + r / group) * c.a.heads + kh * group + r % group;
        float sum = 0;

        for (int64_t d = GROUP * lane; d < D; d += GROUP * WARP) {
            load_whole(slope, c.dout + at * D + d);
            load_whole(y, c.y + at * D + d);
            for (int i = 0; i < GROUP; i++)
                sum = madd(f32_rounded(slope[i] * times, T), y[i], sum);
        }
        sum = warp_all(sum, add());
        if (lane == 0)
            c.along[at] = sum;
    }
    if (threadIdx.x == 0)
        c.times[blockIdx.x * K + kh] = times;
}

/* queries, slopes (N, D) = those of head H from query FIRST of S on, zeros from its end on, slopes times
 * TIMES; their lse and along stand beside them. By all warps. */
template <enum dtype T, class X>
__device__ static void load_queries(uint16_t *queries, uint16_t *slopes, const struct call<X> &c,
                                    const struct seq &s, int64_t h, int first, int n, float times)
{
    const int D = (int)c.a.head_dim, threads = WARPS * WARP;

    round_rows<T>(queries, n, D, threadIdx.x, threads, 1, [&](int r) -> const X * {
        return first + r < s.q_len ? c.q + (int64_t)(s.q_start + first + r) * c.a.q_ld + h * D : NULL;
    });
    round_rows<T>(slopes, n, D, threadIdx.x, threads, times, [&](int r) -> const X * {
        return first + r < s.q_len ? c.dout + ((int64_t)(s.q_start + first + r) * c.a.heads + h) * D : NULL;
    });
    for (int r = threadIdx.x; r < n; r += threads) {
        const int64_t at = (int64_t)(s.q_start + (first + r < s.q_len ? first + r : 0)) * c.a.heads + h;

        *beside(queries, r, D) = c.lse[at];
        *beside(slopes, r, D) = c.along[at];
    }
}

/* Keys that a query of S sees at most. */
__device__ static int window_of(const struct seq &s, const struct attention &a)
{
    return a.window && a.window < s.q_len ? (int)a.window : s.q_len;
}

/* The softmax of a query and a key, 0 where it does not see it. */
__device__ static float softmax(float score, float lse, float scale, int query, int key, int queries, int window)
{
    const bool sees = query < queries && key <= query && query - key < window;

    return sees ? expf(scale * score - lse) : 0;
}

template <int CHANNELS, class X>
static __global__ void __launch_bounds__(WARPS *WARP) backward_queries(struct call<X> c, int tiles)
{
    SHARED(uint16_t, shared);
    constexpr enum dtype T = half_type<X>;
    const int D = (int)c.a.head_dim, ld = D + PAD, mine = threadIdx.x / WARP * MINE;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int64_t h = blockIdx.y, kh = h / (c.a.heads / c.a.kv_heads);
    const struct seq s = c.seqs[blockIdx.x / tiles];
    const int first = blockIdx.x % tiles * OWN, end = (int)least(first + OWN, s.q_len);
    const int window = window_of(s, c.a);
    uint16_t *const queries = shared, *const slopes = queries + OWN * ld, *const keys = slopes + OWN * ld,
                    *const values = keys + TILE * ld;
    float sum[CHANNELS / 8][4] = { { 0 } };

    if (first >= s.q_len)
        return;
    const float times = c.times[blockIdx.x / tiles * c.a.kv_heads + kh];

    load_queries<T>(queries, slopes, c, s, h, first, OWN, times);
    for (int j = (int)first_visible(s, c.a, first) / TILE * TILE; j < end; j += TILE) {
        float p[TILE / 8][4], dp[TILE / 8][4];

        __syncthreads();
        load_keys<T>(keys, values, c, s, kh, j, TILE, end);
        __syncthreads();
        if (first + mine >= end || j >= first + mine + MINE)
            continue; /* this warp sees none of them */
        scores<T>(p, queries + mine * ld, keys, D);
        scores<T>(dp, slopes + mine * ld, values, D);
        for (int n = 0; n < TILE / 8; n++)
            for (int i = 0; i < 4; i++) {
                const int r = mine + g + i / 2 * 8, col = 8 * n + 2 * t + i % 2;

                p[n][i] = softmax(p[n][i], *beside(queries, r, D), c.a.scale, first + r, j + col, end, window) *
                          (dp[n][i] - *beside(slopes, r, D));
            }
        add_product<T, CHANNELS>(sum, p, keys, D);
    }
    for (int r = 0; r < 2; r++) {
        const int i = first + mine + g + 8 * r;

        if (i < s.q_len)
            store_row<CHANNELS>(c.dq + (s.q_start + i) * c.a.q_ld + h * D, sum, r, c.a.scale / times, D);
    }
}

template <int CHANNELS, int WHAT, class X>
static __global__ void __launch_bounds__(WARPS *WARP) backward_keys(struct call<X> c, int tiles)
{
    SHARED(uint16_t, shared);
    constexpr enum dtype T = half_type<X>;
    const int D = (int)c.a.head_dim, ld = D + PAD, mine = threadIdx.x / WARP * MINE;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int64_t kh = blockIdx.y, group = c.a.heads / c.a.kv_heads;
    const struct seq s = c.seqs[blockIdx.x / tiles];
    const int first = blockIdx.x % tiles * OWN, window = window_of(s, c.a);
    const int end = (int)least((int64_t)first + OWN - 1 + window, s.q_len);
    uint16_t *const keys = shared, *const values = keys + OWN * ld, *const queries = values + OWN * ld,
                    *const slopes = queries + TILE * ld;
    float key_sum[WHAT & KEYS ? CHANNELS / 8 : 1][4] = { { 0 } },
          value_sum[WHAT & VALUES ? CHANNELS / 8 : 1][4] = { { 0 } };

    if (first >= s.q_len)
        return;
    const float times = c.times[blockIdx.x / tiles * c.a.kv_heads + kh];

    load_keys<T>(keys, values, c, s, kh, first, OWN, s.q_len);
    for (int64_t h = kh * group; h < (kh + 1) * group; h++)
        for (int i0 = first; i0 < end; i0 += TILE) {
            float p[TILE / 8][4], dp[TILE / 8][4];

            __syncthreads();
            load_queries<T>(queries, slopes, c, s, h, i0, TILE, times);
            __syncthreads();
            if (first + mine >= least(i0 + TILE, end))
                continue; /* none of them sees this warp's keys */
            scores<T>(p, keys + mine * ld, queries, D);
            for (int n = 0; n < TILE / 8; n++)
                for (int i = 0; i < 4; i++) {
                    const int r = mine + g + i / 2 * 8, col = 8 * n + 2 * t + i % 2;

                    p[n][i] = softmax(p[n][i], *beside(queries, col, D), c.a.scale, i0 + col, first + r, end,
                                      window);
                }
            if constexpr (WHAT & VALUES)
                add_product<T, CHANNELS>(value_sum, p, slopes, D);
            if constexpr (WHAT & KEYS) {
                scores<T>(dp, values + mine * ld, slopes, D);
                for (int n = 0; n < TILE / 8; n++)
                    for (int i = 0; i < 4; i++)
                        p[n][i] *= dp[n][i] - *beside(slopes, 8 * n + 2 * t + i % 2, D);
                add_product<T, CHANNELS>(key_sum, p, queries, D);
            }
        }
    for (int r = 0; r < 2; r++) {
        const int j = first + mine + g + 8 * r;
        const int64_t to = (s.k_start + j) * c.a.kv_ld + kh * D;

        if (j >= s.q_len)
            continue;
        if constexpr (WHAT & KEYS)
            store_row<CHANNELS>(c.dk + to, key_sum, r, c.a.scale / times, D);
        if constexpr (WHAT & VALUES)
            store_row<CHANNELS>(c.dv + to, value_sum, r, 1 / times, D);
    }
}

/* ---- launches ---- */

template <class X> static dim3 grid_of(const struct call<X> *c, int64_t heads)
{
    return dim3((unsigned)(c->n_seqs * tiles_of(c)), (unsigned)heads);
}

template <class X> static size_t shared_bytes(const struct call<X> *c)
{
    return rows_bytes(2 * OWN + 2 * TILE, c->a.head_dim);
}

template <int CHANNELS, class X> static int run_queries(const struct call<X> *c)
{
    if (allow(backward_queries<CHANNELS, X>, shared_bytes(c)) < 0)
        return -1;
    return LAUNCH((backward_queries<CHANNELS, X>), grid_of(c, c->a.heads), WARPS * WARP, shared_bytes(c), *c,
                  tiles_of(c));
}

template <int CHANNELS, int WHAT, class X> static int run_keys(const struct call<X> *c)
{
    if (allow(backward_keys<CHANNELS, WHAT, X>, shared_bytes(c)) < 0)
        return -1;
    return LAUNCH((backward_keys<CHANNELS, WHAT, X>), grid_of(c, c->a.kv_heads), WARPS * WARP,
                  shared_bytes(c), *c, tiles_of(c));
}

template <int CHANNELS, class X> static int run(const struct call<X> *c)
{
    if (run_queries<CHANNELS>(c) < 0)
        return -1;
    if constexpr (CHANNELS <= 128)
        return run_keys<CHANNELS, KEYS | VALUES>(c);
    else
        return run_keys<CHANNELS, KEYS>(c) < 0 ? -1 : run_keys<CHANNELS, VALUES>(c);
}

template <class X> int attention_back_by_mma(struct call<X> *c)
{
    const dim3 heads((unsigned)c->n_seqs, (unsigned)c->a.kv_heads);

    c->times = (float *)cuda_scratch(SCRATCH_SUMS, (size_t)(c->n_seqs * c->a.kv_heads) * sizeof(float));
    if (!c->times || LAUNCH(prepare<X>, heads, ROW_THREADS, WARP * sizeof(float), *c) < 0)
        return -1;
    return c->a.head_dim <= 64    ? run<64>(c)
           : c->a.head_dim <= 96  ? run<96>(c)
           : c->a.head_dim <= 128 ? run<128>(c)
                                  : run<256>(c);
}

template int attention_back_by_mma(struct call<float> *c);
template int attention_back_by_mma(struct call<bf16> *c);
