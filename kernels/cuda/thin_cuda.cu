/*
 * LoRA's products with its input in bfloat16, which they read once: u = drop(x) A^T and A's gradient
 * down^T drop(x), on tensor cores, with sums in f32; A and down are rounded as operands. Dropout's choices
 * are put to x in registers, drawn here in the first and read in the second. Bound by the integers of a
 * draw, and by 2 bytes an element of x.
 *
 * Which element of x a tensor core takes for which is free, as long as both operands agree. So a lane has
 * GROUP neighbouring channels, which are 16 bytes of x and a byte of choices. The warps of a block share what is
 * summed over, and add their sums in order.
 */
#include "elements_cuda.h"
#include "mma_cuda.h"

enum { WARPS = THREADS / WARP, RANKS = 16, SIDE = 8 }; /* RANKS x SIDE: of one mma's result */

/* w = channels FIRST.. of row ROW of x (N, C), zeros where BITS has them and outside. */
__device__ static void load_kept(uint32_t w[GROUP / 2], const bf16 *x, int64_t row, int64_t N, int64_t first,
                                 int64_t C, uint32_t bits)
{
    const bf16 *const at = x + row * C + first;

    for (int i = 0; i < GROUP / 2; i++)
        w[i] = 0;
    if (row < N && C - first >= GROUP && at_16_bytes(at)) {
        const uint4 all = *(const uint4 *)at;

        w[0] = all.x, w[1] = all.y, w[2] = all.z, w[3] = all.w;
    } else if (row < N) {
        for (int i = 0; i < GROUP && i < C - first; i++)
            w[i / 2] |= (uint32_t)at[i].bits << 16 * (i % 2);
    }
    for (int i = 0; i < GROUP / 2; i++)
        w[i] &= (bits >> 2 * i & 1) * 0xffffu | (bits >> (2 * i + 1) & 1) * 0xffff0000u;
}

/* Adds what a block's warps have in PART (COUNT floats of each) at AT, in order. */
__device__ static float over_warps(const float *part, int count, int at)
{
    float sum = 0;

    for (int i = 0; i < WARPS; i++)
        sum += part[i * count + at];
    return sum;
}

/* ---- down to the rank ---- */

struct projection {
    float *u; /* (N, R) = times drop(x) a^T */
    const bf16 *x;
    const float *a; /* (R, C) */
    int64_t N, R, C;
    float times;
    struct mask mask;
};

/* Ranks of a block are TOGETHER * RANKS; their rows in shared memory stand LD apart. */
enum { TOGETHER = 4, LD = RANKS + 4 };

/* w = GROUP elements of row RANK of A from channel FIRST on, rounded. */
__device__ static void load_a(uint32_t w[GROUP / 2], const struct projection &p, int64_t rank, int64_t first)
{
    float v[GROUP];

    load_group(v, p.a + rank * p.C + first, rank < p.R ? p.C - first : 0);
    for (int i = 0; i < GROUP / 2; i++)
        w[i] = two_bf16(v[2 * i], v[2 * i + 1]);
}

/* sum += A times the tokens X; this lane has ranks RANK and RANK + 8 of it, at channels FIRST... */
template <int TILES>
__device__ static void project_some(float sum[TILES][4], const struct projection &p, uint32_t x[TILES][GROUP / 2],
                                    int64_t rank, int64_t first)
{
    uint32_t upper[GROUP / 2], lower[GROUP / 2];

    load_a(upper, p, rank, first);
    load_a(lower, p, rank + 8, first);
    for (int i = 0; i < GROUP / 2; i += 2) {
        const uint32_t a[4] = { upper[i], lower[i], upper[i + 1], lower[i + 1] };

        UNROLL for (int tile = 0; tile < TILES; tile++)
            mma<DT_BF16>(sum[tile], a, x[tile] + i);
    }
}

/* A block has SIDE * TILES tokens; its warps go over the channels in turn. */
template <int TILES> static __global__ void __launch_bounds__(THREADS, 2) project(const struct projection p)
{
    enum { TOKENS = SIDE * TILES };
    SHARED(float, part);
    const int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int64_t token = (int64_t)blockIdx.x * TOKENS, rank = (int64_t)blockIdx.y * TOGETHER * RANKS;
    float sum[TOGETHER][TILES][4] = { { { 0 } } };

    for (int64_t c = 4 * GROUP * warp; c < p.C; c += 4 * GROUP * WARPS) {
        const int64_t first = c + GROUP * t;
        uint32_t x[TILES][GROUP / 2];

        UNROLL for (int tile = 0; tile < TILES; tile++) {
            const int64_t row = token + SIDE * tile + g;
            const bool drawn = p.mask.on && row < p.N && first < p.C;

            load_kept(x[tile], p.x, row, p.N, first, p.C, drawn ? draw_group(p.mask, row, first) : 0xff);
        }
        UNROLL for (int i = 0; i < TOGETHER; i++)
            if (rank + i * RANKS < p.R)
                project_some<TILES>(sum[i], p, x, rank + i * RANKS + g, first);
    }
    UNROLL for (int i = 0; i < TOGETHER; i++) {
        if (rank + i * RANKS >= p.R)
            break;
        for (int k = 0; k < 4 * TILES; k++)
            part[(warp * TOKENS + k / 4 * SIDE + 2 * t + k % 2) * LD + g + k % 4 / 2 * 8] = sum[i][k / 4][k % 4];
        __syncthreads();
        for (int k = threadIdx.x; k < TOKENS * RANKS; k += THREADS) {
            const int64_t row = token + k / RANKS, r = rank + i * RANKS + k % RANKS;

            if (row < p.N && r < p.R)
                p.u[row * p.R + r] = p.times * over_warps(part, TOKENS * LD, k / RANKS * LD + k % RANKS);
        }
        __syncthreads();
    }
}

template <int TILES> static int run_project(const struct projection *p)
{
    const dim3 grid(blocks_for(p->N, SIDE * TILES), blocks_for(p->R, TOGETHER * RANKS));

    return LAUNCH(project<TILES>, grid, THREADS, WARPS * SIDE * TILES * LD * sizeof(float), *p);
}

int thin_project(struct dev *u, const struct dev *x, const struct dev *a, const struct mask *m, int64_t N, int64_t R,
                 int64_t C)
{
    const int64_t many = 4096; /* tokens from which on larger blocks are enough for all multiprocessors */
    const struct projection p = { f32(u), act<bf16>(x), f32(a), N, R, C, m->on ? m->scale : 1, *m };

    return N < many ? run_project<1>(&p) : run_project<2>(&p);
}

/* ---- sums over tokens ---- */

struct a_gradient {
    float *part; /* (parts, R, C): of SPAN tokens each */
    const bf16 *x;
    const float *down; /* (N, R) */
    int64_t N, R, C, span;
    struct choices drawn;
};

/* A block has PAIR * RANKS ranks and CHANNELS channels of a part; a warp STEP of its tokens at a time. */
enum { PAIR = 2, CHANNELS = SIDE * GROUP, STEP = 16, ROW = CHANNELS + 4, PARTS = 8 };

/* Element RANK of two tokens, ROW and the next, rounded. */
__device__ static uint32_t two_of_down(const struct a_gradient &p, int64_t row, int64_t rank)
{
    const float *const at = p.down + row * p.R + rank;

    return two_bf16(row < p.N && rank < p.R ? at[0] : 0, row + 1 < p.N && rank < p.R ? at[p.R] : 0);
}

/* Channel J of two tokens. */
__device__ static uint32_t two_of_x(const uint32_t first[GROUP / 2], const uint32_t second[GROUP / 2], int j)
{
    return j % 2 ? first[j / 2] >> 16 | (second[j / 2] & 0xffff0000u)
                 : (first[j / 2] & 0xffff) | second[j / 2] << 16;
}

static __global__ void __launch_bounds__(THREADS, 2) gradient(struct a_gradient p)
{
    SHARED(float, part);
    const int warp = threadIdx.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int64_t column = (int64_t)blockIdx.x * CHANNELS, c = column + GROUP * g;
    const int64_t start = (int64_t)blockIdx.y * p.span, rank = (int64_t)blockIdx.z * PAIR * RANKS;
    float sum[PAIR][GROUP][4] = { { { 0 } } };

    p.N = least(p.N, start + p.span);
    for (int64_t n = start + STEP * warp; n < p.N; n += STEP * WARPS) {
        uint32_t x[4][GROUP / 2];

        UNROLL for (int i = 0; i < 4; i++) {
            const int64_t row = n + 2 * t + i % 2 + i / 2 * 8;

            load_kept(x[i], p.x, row, p.N, c, p.C, row < p.N && c < p.C ? drawn_group(p.drawn, row, c) : 0);
        }
        UNROLL for (int i = 0; i < PAIR; i++) {
            const int64_t r = rank + i * RANKS + g, row = n + 2 * t;
            const uint32_t a[4] = { two_of_down(p, row, r), two_of_down(p, row, r + 8), two_of_down(p, row + 8, r),
                                    two_of_down(p, row + 8, r + 8) };

            if (rank + i * RANKS >= p.R)
                break;
            UNROLL for (int j = 0; j < GROUP; j++) {
                const uint32_t b[2] = { two_of_x(x[0], x[1], j), two_of_x(x[2], x[3], j) };

                mma<DT_BF16>(sum[i][j], a, b);
            }
        }
    }
    UNROLL for (int i = 0; i < PAIR; i++) {
        if (rank + i * RANKS >= p.R)
            break;
        for (int k = 0; k < 4 * GROUP; k++) /* a lane's columns are two groups of channels */
            part[(warp * RANKS + g + k % 4 / 2 * 8) * ROW + (2 * t + k % 2) * GROUP + k / 4] = sum[i][k / 4][k % 4];
        __syncthreads();
        for (int k = threadIdx.x; k < RANKS * CHANNELS; k += THREADS) {
            const int64_t r = rank + i * RANKS + k / CHANNELS, at = column + k % CHANNELS;

            if (r < p.R && at < p.C)
                p.part[(blockIdx.y * p.R + r) * p.C + at] =
                    over_warps(part, RANKS * ROW, k / CHANNELS * ROW + k % CHANNELS);
        }
        __syncthreads();
    }
}

/* to (n) += TIMES the sum of the PARTS. */
static __global__ void add_parts(float *to, const float *part, int parts, float times, int64_t n)
{
    const int64_t i = thread_of_all();
    float sum = 0;

    if (i >= n)
        return;
    for (int k = 0; k < parts; k++)
        sum += part[k * n + i];
    to[i] += times * sum;
}

int64_t thin_parts(int64_t N)
{
    const int64_t least_span = 2 * STEP * WARPS; /* of tokens, so that sums of parts are few */

    return least((N + least_span - 1) / least_span, PARTS);
}

int thin_gradient(struct dev *da, const struct dev *x, const struct dev *down, const struct choices *k, int64_t N,
                  int64_t R, int64_t C)
{
    const int64_t each = STEP * WARPS, wanted = thin_parts(N);
    const int64_t span = ((N + wanted - 1) / wanted + each - 1) / each * each;
    const unsigned parts = blocks_for(N, span);
    float *const part = (float *)cuda_scratch(SCRATCH_KEPT, (size_t)(parts * R * C) * sizeof *part);
    const struct a_gradient p = { part, act<bf16>(x), f32(down), N, R, C, span, *k };
    const dim3 grid(blocks_for(C, CHANNELS), parts, blocks_for(R, PAIR * RANKS));

    if (!part || LAUNCH(gradient, grid, THREADS, WARPS * RANKS * ROW * sizeof(float), p) < 0)
        return -1;
    return LAUNCH(add_parts, blocks_for(R * C, THREADS), THREADS, 0, f32(da), part, (int)parts, k->scale, R * C);
}
