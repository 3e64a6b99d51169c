/*
 * Attention forward on tensor cores (attention_mma_cuda.h), in f16 or bf16 with the softmax in f32: a block
 * has queries and goes over the keys that they see.
 *
 * 4 D operations for each query and key, and for those of the TILE by 64 that the diagonal cuts off. Bound by
 * instructions: a warp takes some 1,100 for its 16 queries and a TILE of keys with heads of 80 (sm_90), of which
 * 40 are mma; at one a clock and scheduler that is 140 TFLOP/s on an H200.
 */
#include "attention_mma_cuda.h"

static const int64_t FEW = 8; /* queries that are better off with a warp each */

template <class X> bool attention_mma_fits(const struct call<X> *c)
{
    const int64_t each = sizeof(uint4) / sizeof(X); /* elements in 16 bytes */
    const uintptr_t bytes = (uintptr_t)c->q | (uintptr_t)c->k | (uintptr_t)c->v | (uintptr_t)c->dout | (uintptr_t)c->y;
    const int64_t D = c->a.head_dim;

    return D % 16 == 0 && D <= 256 && c->longest > FEW && bytes % sizeof(uint4) == 0 &&
           c->a.q_ld % each == 0 && c->a.kv_ld % each == 0;
}

/* Over the four lanes that have a row's columns. */
template <class F> __device__ static float row_all(float x, F combine)
{
    x = combine(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return combine(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

/* What a lane's two rows, g and g + 8, have come to. */
struct softmax {
    float most[2], total[2];
};

/* s = the exponentials of s, less each row's largest, 0 for keys that it does not see: WINDOW of them up to
 * number NEWEST of the tile are what row g sees; shrink: what earlier sums are multiplied with. */
__device__ static void exponentials(float s[TILE / 8][4], struct softmax *x, float shrink[2], float scale,
                                    int newest, int window)
{
    const int t = threadIdx.x % 4;

    for (int r = 0; r < 2; r++) {
        float most = -INFINITY, total = 0;

        for (int n = 0; n < TILE / 8; n++)
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                const bool sees = in_window(newest + 8 * r - (8 * n + 2 * t + i % 2), window);

                s[n][i] = sees ? scale * s[n][i] : -INFINITY;
                most = fmaxf(most, s[n][i]);
            }
        most = fmaxf(x->most[r], row_all(most, larger()));
        const float off = most == -INFINITY ? 0 : most; /* nothing was seen yet */

        for (int n = 0; n < TILE / 8; n++)
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                s[n][i] = expf(s[n][i] - off);
                total += s[n][i];
            }
        shrink[r] = expf(x->most[r] - off);
        x->most[r] = most;
        x->total[r] = x->total[r] * shrink[r] + row_all(total, add());
    }
}

template <int CHANNELS, class X>
static __global__ void __launch_bounds__(WARPS *WARP) forward_mma(struct call<X> c, int tiles)
{
    SHARED(uint16_t, shared);
    constexpr enum dtype T = half_type<X>;
    const struct attention &a = c.a;
    const int D = (int)a.head_dim, ld = D + PAD, warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4;
    const int64_t h = blockIdx.y, kh = h / (a.heads / a.kv_heads);
    const struct seq s = c.seqs[blockIdx.x / tiles];
    const int first = (int)(blockIdx.x % tiles) * OWN;
    uint16_t *const queries = shared, *const buffers = queries + OWN * ld;
    float sum[CHANNELS / 8][4] = { { 0 } };
    struct softmax x = { { -INFINITY, -INFINITY }, { 0, 0 } };

    if (first >= s.q_len)
        return;
    const int last_end = (int)visible(s, least(first + OWN, s.q_len) - 1);
    const int first_tile = (int)first_visible(s, a, first) / TILE * TILE;
    const int newest = (int)visible(s, first + warp * MINE + g) - 1;

    each_eight<CHANNELS>(OWN, D, [&](int r, int d) {
        const bool there = first + r < s.q_len;
        const int64_t row = there ? s.q_start + first + r : 0;

        load_eight(queries + r * ld + d, c.q + row * a.q_ld + h * D + d, 1, there);
    });
    const auto load = [&](int i, int b) {
        load_keys<CHANNELS>(buffers + b * 2 * TILE * ld, c, s, kh, first_tile + i * TILE, TILE, last_end);
    };
    const auto multiply = [&](int i, int b) {
        const uint16_t *const keys = buffers + b * 2 * TILE * ld, *const values = keys + TILE * ld;
        float p[TILE / 8][4], shrink[2];

        scores<T>(p, queries + warp * MINE * ld, keys, D);
        exponentials(p, &x, shrink, a.scale, newest - first_tile - i * TILE, window_of(a));
        for (int n = 0; n < CHANNELS / 8; n++)
            for (int k = 0; k < 4; k++)
                sum[n][k] *= shrink[k / 2];
        add_product<T, CHANNELS>(sum, p, values, D);
    };

    over_tiles<2>((last_end - first_tile + TILE - 1) / TILE, load, multiply);
    for (int r = 0; r < 2; r++) {
        const int64_t i = first + warp * MINE + g + 8 * r, at = (s.q_start + i) * a.heads + h;

        if (i >= s.q_len)
            continue;
        store_row<CHANNELS>(c.out + at * D, sum, r, 1 / x.total[r], D);
        if (threadIdx.x % 4 == 0 && c.lse_out)
            c.lse_out[at] = x.most[r] + logf(x.total[r]);
    }
}

template <int CHANNELS, class X> static int run(const struct call<X> *c)
{
    const size_t bytes = rows_bytes(OWN + 2 * 2 * TILE, c->a.head_dim);
    const dim3 grid((unsigned)(c->n_seqs * tiles_of(c)), (unsigned)c->a.heads);

    if (allow(forward_mma<CHANNELS, X>, bytes) < 0)
        return -1;
    return LAUNCH((forward_mma<CHANNELS, X>), grid, WARPS * WARP, bytes, *c, tiles_of(c));
}

template <class X> int attention_by_mma(const struct call<X> *c)
{
    return c->a.head_dim <= 64    ? run<64>(c)
           : c->a.head_dim <= 128 ? run<128>(c)
                                  : run<256>(c);
}

template int attention_by_mma(const struct call<float> *c);
template int attention_by_mma(const struct call<bf16> *c);
template bool attention_mma_fits(const struct call<float> *c);
template bool attention_mma_fits(const struct call<bf16> *c);
