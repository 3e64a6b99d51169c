/*
 * Attention forward on tensor cores, in f16 or bf16 with sums and softmax in f32. A warp has 16 queries
 * and goes over tiles of KEYS keys that the block's warps share; scores stay in registers and are the
 * left operand of the second product as they are. Tiles stand at multiples of KEYS in the sequence's own
 * numbering, so that a row's result does not depend on the rows beside it.
 *
 * Bound by the tensor cores: 4 D operations for each query and key, and for those of the KEYS by 64 that
 * the diagonal cuts off. To come: the next tile on its way (cp.async) while one is multiplied.
 */
#include "attention_cuda.h"
#include "mma_cuda.h"

enum { WARPS = 4, MINE = 16, KEYS = 32, PAD = 8 };
static const int64_t FEW = 8; /* queries that are better off with a warp each */

bool attention_mma_fits(const struct call *c)
{
    const uintptr_t bytes = (uintptr_t)c->q | (uintptr_t)c->k | (uintptr_t)c->v;
    const int64_t D = c->a.head_dim;

    return D % 16 == 0 && D <= 256 && c->longest > FEW && bytes % sizeof(float4) == 0 &&
           c->a.q_ld % 4 == 0 && c->a.kv_ld % 4 == 0;
}

/* Rows of D halves in shared memory stand D + PAD apart: ldmatrix then meets each bank once. */
static size_t shared_bytes(int64_t D)
{
    return (size_t)((WARPS * MINE + 2 * KEYS) * (D + PAD)) * sizeof(uint16_t);
}

/* to (D) = from (D), rounded; FROM NULL: zeros. By the lanes of a warp, four channels each. */
template <enum dtype T> __device__ static void round_row(uint16_t *to, const float *from, int D)
{
    for (int d = 4 * (threadIdx.x % WARP); d < D; d += 4 * WARP) {
        const float4 x = from ? *(const float4 *)(from + d) : float4{ 0, 0, 0, 0 };

        *(uint32_t *)(to + d) = halves<T>(x.x, x.y);
        *(uint32_t *)(to + d + 2) = halves<T>(x.z, x.w);
    }
}

/* Over the four lanes that have a row's columns. */
template <class F> __device__ static float row_all(float x, F combine)
{
    x = combine(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return combine(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

/* s (16, KEYS) = q k^T. Lane l names row l % 16 of q, and of keys so that two columns of tiles come at
 * a time. */
template <enum dtype T>
__device__ static void scores(float s[KEYS / 8][4], const uint16_t *q, const uint16_t *k, int D)
{
    const int lane = threadIdx.x % WARP, ld = D + PAD;
    const uint16_t *const mine = q + lane % 16 * ld + lane / 16 * 8;
    const uint16_t *const keys = k + (lane / 16 * 8 + lane % 8) * ld + lane / 8 % 2 * 8;

    for (int n = 0; n < KEYS / 8; n++)
        for (int i = 0; i < 4; i++)
            s[n][i] = 0;
    for (int d = 0; d < D; d += 16) {
        uint32_t a[4], b[4];

        load_matrices(a, mine + d);
        for (int n = 0; n < KEYS / 8; n += 2) {
            load_matrices(b, keys + n * 8 * ld + d);
            mma<T>(s[n], a, b);
            mma<T>(s[n + 1], a, b + 2);
        }
    }
}

/* What a lane's two rows, g and g + 8, have come to. */
struct softmax {
    float most[2], total[2];
};

/* s = the exponentials of s, less each row's largest, 0 where a key is not in FROM.. below END;
 * shrink: what earlier sums are multiplied with. */
__device__ static void exponentials(float s[KEYS / 8][4], struct softmax *x, float shrink[2], float scale,
                                    int64_t j, const int64_t from[2], const int64_t end[2])
{
    const int t = threadIdx.x % 4;

    for (int r = 0; r < 2; r++) {
        float most = -INFINITY, total = 0;

        for (int n = 0; n < KEYS / 8; n++)
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                const int64_t key = j + 8 * n + 2 * t + i % 2;

                s[n][i] = key >= from[r] && key < end[r] ? scale * s[n][i] : -INFINITY;
                most = fmaxf(most, s[n][i]);
            }
        most = fmaxf(x->most[r], row_all(most, larger()));
        const float off = most == -INFINITY ? 0 : most; /* nothing was seen yet */

        for (int n = 0; n < KEYS / 8; n++)
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                s[n][i] = expf(s[n][i] - off);
                total += s[n][i];
            }
        shrink[r] = expf(x->most[r] - off);
        x->most[r] = most;
        x->total[r] = x->total[r] * shrink[r] + row_all(total, add());
    }
}

/* sum (16, D) = sum shrunk + s v. */
template <enum dtype T, int CHANNELS>
__device__ static void add_values(float sum[CHANNELS / 8][4], const float s[KEYS / 8][4],
                                  const float shrink[2], const uint16_t *v, int D)
{
    const int lane = threadIdx.x % WARP, ld = D + PAD;
    const uint16_t *const values = v + lane % 16 * ld + lane / 16 * 8;
    uint32_t a[KEYS / 16][4], b[4];

    for (int k = 0; k < KEYS / 16; k++)
        for (int i = 0; i < 4; i++)
            a[k][i] = halves<T>(s[2 * k + i / 2][i % 2 * 2], s[2 * k + i / 2][i % 2 * 2 + 1]);
    for (int n = 0; n < CHANNELS / 8; n += 2) { /* a fixed number, so that sums stay in registers */
        if (8 * n >= D)
            continue;
        for (int m = n; m < n + 2; m++)
            for (int i = 0; i < 4; i++)
                sum[m][i] *= shrink[i / 2];
        for (int k = 0; k < KEYS / 16; k++) {
            load_turned(b, values + 16 * k * ld + 8 * n);
            mma<T>(sum[n], a[k], b);
            mma<T>(sum[n + 1], a[k], b + 2);
        }
    }
}

template <enum dtype T, int CHANNELS>
static __global__ void __launch_bounds__(WARPS *WARP)
    forward_mma(float *out, float *lse, const float *q, const float *k, const float *v,
                const struct seq *seqs, struct attention a, int tiles)
{
    SHARED(uint16_t, shared);
    const int D = (int)a.head_dim, ld = D + PAD, warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4;
    const int64_t h = blockIdx.y, kh = h / (a.heads / a.kv_heads);
    const struct seq s = seqs[blockIdx.x / tiles];
    const int64_t first = (int64_t)(blockIdx.x % tiles) * WARPS * MINE;
    uint16_t *const mine = shared + warp * MINE * ld, *const keys = shared + WARPS * MINE * ld,
                    *const values = keys + KEYS * ld;
    float sum[CHANNELS / 8][4] = { { 0 } };
    struct softmax x = { { -INFINITY, -INFINITY }, { 0, 0 } };
    int64_t from[2], end[2];

    if (first >= s.q_len)
        return;
    const int64_t last_end = visible(s, least(first + WARPS * MINE, s.q_len) - 1);

    for (int r = 0; r < 2; r++) {
        const int64_t i = first + warp * MINE + g + 8 * r;

        from[r] = first_visible(s, a, i);
        end[r] = i < s.q_len ? visible(s, i) : 0;
    }
    for (int r = 0; r < MINE; r++) {
        const int64_t i = first + warp * MINE + r;

        round_row<T>(mine + r * ld, i < s.q_len ? q + (s.q_start + i) * a.q_ld + h * D : NULL, D);
    }
    for (int64_t j = first_visible(s, a, first) / KEYS * KEYS; j < last_end; j += KEYS) {
        float p[KEYS / 8][4], shrink[2];

        __syncthreads();
        for (int r = warp; r < KEYS; r += WARPS) {
            const int64_t at = j + r < last_end ? key_row(s, j + r) * a.kv_ld + kh * D : -1;

            round_row<T>(keys + r * ld, at < 0 ? NULL : k + at, D);
            round_row<T>(values + r * ld, at < 0 ? NULL : v + at, D);
        }
        __syncthreads();
        scores<T>(p, mine, keys, D);
        exponentials(p, &x, shrink, a.scale, j, from, end);
        add_values<T, CHANNELS>(sum, p, shrink, values, D);
    }
    for (int r = 0; r < 2; r++) {
        const int64_t i = first + warp * MINE + g + 8 * r, at = (s.q_start + i) * a.heads + h;

        if (i >= s.q_len)
            continue;
        for (int n = 0; n < CHANNELS / 8; n++)
            if (8 * n < D) {
                out[at * D + 8 * n + 2 * (threadIdx.x % 4)] = sum[n][2 * r] / x.total[r];
                out[at * D + 8 * n + 2 * (threadIdx.x % 4) + 1] = sum[n][2 * r + 1] / x.total[r];
            }
        if (threadIdx.x % 4 == 0 && lse)
            lse[at] = x.most[r] + logf(x.total[r]);
    }
}

template <enum dtype T, int CHANNELS> static int run(const struct call *c)
{
    const size_t bytes = shared_bytes(c->a.head_dim);
    const int tiles = (int)blocks_for(c->longest, WARPS * MINE);
    const dim3 grid((unsigned)(c->n_seqs * tiles), (unsigned)c->a.heads);

    if (allow(forward_mma<T, CHANNELS>, bytes) < 0)
        return -1;
    return LAUNCH((forward_mma<T, CHANNELS>), grid, WARPS * WARP, bytes, c->out, c->lse_out, c->q, c->k, c->v,
                  c->seqs, c->a, tiles);
}

template <enum dtype T> static int run_of(const struct call *c)
{
    return c->a.head_dim <= 64    ? run<T, 64>(c)
           : c->a.head_dim <= 128 ? run<T, 128>(c)
                                  : run<T, 256>(c);
}

int attention_by_mma(const struct call *c)
{
    return c->a.round == DT_F16 ? run_of<DT_F16>(c) : run_of<DT_BF16>(c);
}
