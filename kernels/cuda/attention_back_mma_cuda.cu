/*
 * Attention backward on tensor cores (attention_mma_cuda.h), deterministic and without atomics: one kernel
 * has queries and goes over keys for dq, one has keys and goes over queries for dk and dv. With p the
 * softmax, made again from lse and the rounded q and k of forward, do = dout and along_i = do_i . out_i:
 *   dv_j = sum_i p_ij do_i,  ds_ij = p_ij (do_i . v_j - along_i),
 *   dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i.
 *
 * Gradients may be smaller than what f16 holds. So dout is multiplied, for each sequence and key head, with
 * the power of two that brings its largest entry to 1..2, and the results are divided by it, all exact; bf16
 * holds what they are.
 *
 * q, k, v and dout (f32 to f16; bf16 as it is), p and ds are rounded once: dq and dk are 5e-6 to 7e-6 of the
 * mean square off in bf16, dv 5e-6, and all 2e-7 in f16.
 *
 * FLOPs for each query and key: 6 D in the first kernel, 8 D in the second (10 D for heads of more than 128
 * channels, whose dk and dv have a launch each, as both sums do not fit into registers). For each row of a
 * tile, 4 D bytes of L2 in bf16 and OWN pairs: 96 and 128 FLOP a byte. ldmatrix reads 0.08 bytes of shared
 * memory a FLOP, without bank conflicts. L2 at 5.5 TB/s and shared memory at 29 TB/s, as an H200 should have,
 * allow 530 and 360 TFLOP/s; instructions, some 1,300 and 1,560 for a warp's tile with heads of 80 (sm_90), 185.
 * With 130 to 160, Phi-2 (32 heads of 80), one text of 2,048 tokens: 75 GFLOP a layer, 0.5 ms. Texts of some
 * 75 tokens are bound by bytes instead: 13 times N H D elements.
 */
#include "attention_mma_cuda.h"

enum { ROW_THREADS = 512 };
enum what { KEYS = 1, VALUES = 2 }; /* whose gradients */

/* With a second buffer for more than 128 channels one block would have room on a multiprocessor, not two. */
template <int CHANNELS> constexpr int buffers_for = CHANNELS > 128 ? 1 : 2;

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

    for (int64_t r = warp; T == DT_F16 && r < n; r += ROW_THREADS / WARP) {
        const int64_t at = (s.q_start + r / group) * c.a.heads + kh * group + r % group;

        for (int64_t d = GROUP * lane; d < D; d += GROUP * WARP) {
            load_whole(slope, c.dout + at * D + d);
            for (int i = 0; i < GROUP; i++)
                largest = fmaxf(largest, fabsf(slope[i]));
        }
    }
    const float times = T == DT_F16 ? power_for(block_all(largest, larger(), warps)) : 1;

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

/* queries (N, D), and behind them slopes, = those of head H from query FIRST of S on, zeros from its end on,
 * slopes times TIMES; their lse and along come beside them. */
template <int CHANNELS, class X>
__device__ static void load_queries(uint16_t *queries, const struct call<X> &c, const struct seq &s, int64_t h,
                                    int first, int n, float times)
{
    const int D = (int)c.a.head_dim, ld = D + PAD;
    uint16_t *const slopes = queries + n * ld;

    each_eight<CHANNELS>(n, D, [&](int r, int d) {
        const bool there = first + r < s.q_len;
        const int64_t row = there ? s.q_start + first + r : 0;

        load_eight(queries + r * ld + d, c.q + row * c.a.q_ld + h * D + d, 1, there);
        load_eight(slopes + r * ld + d, c.dout + (row * c.a.heads + h) * D + d, times, there);
    });
    for (int r = threadIdx.x; r < n; r += WARPS * WARP) {
        const bool there = first + r < s.q_len;
        const int64_t at = (int64_t)(there ? s.q_start + first + r : 0) * c.a.heads + h;

        copy_ahead<4>(beside(queries, r, D), c.lse + at, there);
        copy_ahead<4>(beside(slopes, r, D), c.along + at, there);
    }
}

/* The softmax of a query and the key so many BEFORE it, 0 where it does not see it. */
__device__ static float softmax(float score, float lse, float scale, int before, int window)
{
    return expf(in_window(before, window) ? scale * score - lse : -INFINITY); /* no branch */
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
    const int window = window_of(c.a);
    uint16_t *const queries = shared, *const slopes = queries + OWN * ld, *const buffers = slopes + OWN * ld;
    float sum[CHANNELS / 8][4] = { { 0 } };

    if (first >= s.q_len)
        return;
    const float times = c.times[blockIdx.x / tiles * c.a.kv_heads + kh];

    const int first_tile = (int)first_visible(s, c.a, first) / TILE * TILE;

    load_queries<CHANNELS>(queries, c, s, h, first, OWN, times);
    const auto load = [&](int i, int b) {
        load_keys<CHANNELS>(buffers + b * 2 * TILE * ld, c, s, kh, first_tile + i * TILE, TILE, end);
    };
    const auto multiply = [&](int i, int b) {
        const int j = first_tile + i * TILE;
        const uint16_t *const keys = buffers + b * 2 * TILE * ld, *const values = keys + TILE * ld;
        float p[TILE / 8][4], dp[TILE / 8][4];

        if (first + mine >= end || j >= first + mine + MINE)
            return; /* this warp sees none of them */
        scores<T>(p, queries + mine * ld, keys, D);
        scores<T>(dp, slopes + mine * ld, values, D);
        for (int n = 0; n < TILE / 8; n++)
            for (int k = 0; k < 4; k++) {
                const int r = mine + g + k / 2 * 8, col = 8 * n + 2 * t + k % 2;

                p[n][k] = softmax(p[n][k], *beside(queries, r, D), c.a.scale, first + r - j - col, window) *
                          (dp[n][k] - *beside(slopes, r, D));
            }
        add_product<T, CHANNELS>(sum, p, keys, D);
    };

    over_tiles<buffers_for<CHANNELS>>((end - first_tile + TILE - 1) / TILE, load, multiply);
    for (int r = 0; r < 2; r++) {
        const int i = first + mine + g + 8 * r;

        if (i < s.q_len)
            store_row<CHANNELS>(c.dq + (s.q_start + i) * c.a.q_ld + h * D, sum, r, c.a.scale / times, D);
    }
}

/* How many blocks a multiprocessor is to have registers for: what their sums leave room for. */
template <int CHANNELS> constexpr int key_blocks = CHANNELS > 96 ? 2 : 3;

template <int CHANNELS, int WHAT, class X>
static __global__ void __launch_bounds__(WARPS *WARP, key_blocks<CHANNELS>)
    backward_keys(struct call<X> c, int tiles)
{
    SHARED(uint16_t, shared);
    constexpr enum dtype T = half_type<X>;
    const int D = (int)c.a.head_dim, ld = D + PAD, mine = threadIdx.x / WARP * MINE;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int64_t kh = blockIdx.y, group = c.a.heads / c.a.kv_heads;
    const struct seq s = c.seqs[blockIdx.x / tiles];
    const int first = blockIdx.x % tiles * OWN, window = window_of(c.a);
    const int end = (int)least((int64_t)first + OWN - 1 + window, s.q_len);
    uint16_t *const keys = shared, *const values = keys + OWN * ld, *const buffers = values + OWN * ld;
    float key_sum[WHAT & KEYS ? CHANNELS / 8 : 1][4] = { { 0 } },
          value_sum[WHAT & VALUES ? CHANNELS / 8 : 1][4] = { { 0 } };

    if (first >= s.q_len)
        return;
    const float times = c.times[blockIdx.x / tiles * c.a.kv_heads + kh];

    const int each = (end - first + TILE - 1) / TILE; /* tiles of a head */

    load_keys<CHANNELS>(keys, c, s, kh, first, OWN, s.q_len);
    const auto load = [&](int i, int b) {
        load_queries<CHANNELS>(buffers + b * 2 * TILE * ld, c, s, kh * group + i / each, first + i % each * TILE,
                               TILE, times);
    };
    const auto multiply = [&](int i, int b) {
        const int i0 = first + i % each * TILE;
        uint16_t *const queries = buffers + b * 2 * TILE * ld, *const slopes = queries + TILE * ld;
        float p[TILE / 8][4], dp[TILE / 8][4];

        if (first + mine >= least(i0 + TILE, end))
            return; /* none of them sees this warp's keys */
        scores<T>(p, keys + mine * ld, queries, D);
        for (int n = 0; n < TILE / 8; n++)
            for (int k = 0; k < 4; k++) {
                const int r = mine + g + k / 2 * 8, col = 8 * n + 2 * t + k % 2;

                p[n][k] = softmax(p[n][k], *beside(queries, col, D), c.a.scale, i0 + col - first - r, window);
            }
        if constexpr (WHAT & VALUES)
            add_product<T, CHANNELS>(value_sum, p, slopes, D);
        if constexpr (WHAT & KEYS) {
            scores<T>(dp, values + mine * ld, slopes, D);
            for (int n = 0; n < TILE / 8; n++)
                for (int k = 0; k < 4; k++)
                    p[n][k] *= dp[n][k] - *beside(slopes, 8 * n + 2 * t + k % 2, D);
            add_product<T, CHANNELS>(key_sum, p, queries, D);
        }
    };

    over_tiles<buffers_for<CHANNELS>>((int)group * each, load, multiply);
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

template <int CHANNELS, class X> static size_t shared_bytes(const struct call<X> *c)
{
    return rows_bytes(2 * OWN + buffers_for<CHANNELS> * 2 * TILE, c->a.head_dim);
}

template <int CHANNELS, class X> static int run_queries(const struct call<X> *c)
{
    if (allow(backward_queries<CHANNELS, X>, shared_bytes<CHANNELS>(c)) < 0)
        return -1;
    return LAUNCH((backward_queries<CHANNELS, X>), grid_of(c, c->a.heads), WARPS * WARP,
                  shared_bytes<CHANNELS>(c), *c, tiles_of(c));
}

template <int CHANNELS, int WHAT, class X> static int run_keys(const struct call<X> *c)
{
    if (allow(backward_keys<CHANNELS, WHAT, X>, shared_bytes<CHANNELS>(c)) < 0)
        return -1;
    return LAUNCH((backward_keys<CHANNELS, WHAT, X>), grid_of(c, c->a.kv_heads), WARPS * WARP,
                  shared_bytes<CHANNELS>(c), *c, tiles_of(c));
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
