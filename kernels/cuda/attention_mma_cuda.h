/*
 * attention_mma_cuda.h - what attention on tensor cores is made of, forward and backward. A block has OWN
 * rows of one side (queries, or keys), a warp MINE of them, and goes over tiles of TILE rows of the other
 * that its warps share. Products are of f16 or bf16 with sums in f32; what one product gives stays in
 * registers and is the left operand of the next as it is. Tiles stand at multiples of TILE in the
 * sequence's own numbering, so that a row's result does not depend on the rows beside it.
 *
 * Rows of D halves in shared memory stand D + PAD apart: ldmatrix then meets each bank once, and so do
 * four lanes that read the padding of every second row.
 */
#ifndef ATTENTION_MMA_CUDA_H
#define ATTENTION_MMA_CUDA_H

#include "attention_cuda.h"
#include "mma_cuda.h"

#include <limits.h>

enum { WARPS = 4, MINE = 16, OWN = WARPS * MINE, TILE = 32, PAD = 8 };

/* What activations of type X are multiplied in: bf16 as it is; of a float f16 holds more. */
template <class X> constexpr enum dtype half_type = sizeof(X) == sizeof(bf16) ? DT_BF16 : DT_F16;

/* Of ROWS rows of D halves. */
static inline size_t rows_bytes(int rows, int64_t D)
{
    return (size_t)(rows * (D + PAD)) * sizeof(uint16_t);
}

/* A float of the padding behind row ROW. */
__device__ static inline float *beside(uint16_t *rows, int row, int D)
{
    return (float *)(rows + row * (D + PAD) + D);
}

/* Keys that a query sees at most. */
__device__ static inline int window_of(const struct attention &a)
{
    return a.window && a.window < INT_MAX ? (int)a.window : INT_MAX;
}

/* Whether a key so many before a query is seen by it. */
__device__ static inline bool in_window(int before, int window)
{
    return (unsigned)before < (unsigned)window;
}

/* Eight channels of a row into shared memory, zeros where it is not THERE. Floats times TIMES are rounded and
 * there at once, bf16 comes as it is when the group of copies does. */
__device__ static inline void load_eight(uint16_t *to, const float *from, float times, bool there)
{
    float v[GROUP] = { 0 };

    if (there)
        load_whole(v, from);
    *(uint4 *)to = uint4{ halves<DT_F16>(v[0] * times, v[1] * times),
                          halves<DT_F16>(v[2] * times, v[3] * times),
                          halves<DT_F16>(v[4] * times, v[5] * times),
                          halves<DT_F16>(v[6] * times, v[7] * times) };
}

__device__ static inline void load_eight(uint16_t *to, const bf16 *from, float, bool there)
{
    copy_ahead<16>(to, from, there);
}

/* LOAD(r, d) for N rows and every eighth channel below D, by all warps: a thread keeps its channels, so that
 * it has nothing to divide. */
template <int CHANNELS, class F> __device__ static inline void each_eight(int n, int D, F load)
{
    constexpr int lanes = CHANNELS <= 64 ? 8 : CHANNELS <= 128 ? 16 : 32; /* of a row */
    const int d = threadIdx.x % lanes * GROUP;

    for (int r = threadIdx.x / lanes; d < D && r < n; r += WARPS * WARP / lanes)
        load(r, d);
}

/* keys (N, D), and behind them values, = those of key head KH from key FIRST of S on, zeros from END on. */
template <int CHANNELS, class X>
__device__ static inline void load_keys(uint16_t *keys, const struct call<X> &c, const struct seq &s, int64_t kh,
                                        int first, int n, int end)
{
    const int D = (int)c.a.head_dim, ld = D + PAD;
    uint16_t *const values = keys + n * ld;

    each_eight<CHANNELS>(n, D, [&](int r, int d) {
        const bool there = first + r < end;
        const int64_t at = there ? key_row(s, first + r) * c.a.kv_ld + kh * D + d : 0;

        load_eight(keys + r * ld + d, c.k + at, 1, there);
        load_eight(values + r * ld + d, c.v + at, 1, there);
    });
}

/*
 * MULTIPLY(i, b) for tiles 0.. below N, which LOAD(i, b) has brought into buffer b of BUFFERS. With two,
 * a tile is on its way while the one before it is multiplied; with one, it comes behind that. What was
 * loaded before this is there, too.
 */
template <int BUFFERS, class L, class M> __device__ static inline void over_tiles(int n, L load, M multiply)
{
    load(0, 0);
    copy_commit();
    for (int i = 0; i < n; i++) {
        copy_wait<0>();
        __syncthreads(); /* the tile is there, and the one before it is not read any more */
        if (BUFFERS == 2 && i + 1 < n) {
            load(i + 1, (i + 1) % 2);
            copy_commit();
        }
        multiply(i, i % BUFFERS);
        if (BUFFERS == 1 && i + 1 < n) {
            __syncthreads();
            load(i + 1, 0);
            copy_commit();
        }
    }
}

/* s (MINE, TILE) = mine tile^T, both of D channels. Lane l names row l % 16 of mine, and of the tile so
 * that two columns of results come at a time. */
template <enum dtype T>
__device__ static inline void scores(float s[TILE / 8][4], const uint16_t *mine, const uint16_t *tile, int D)
{
    const int lane = threadIdx.x % WARP, ld = D + PAD;
    const uint16_t *const left = mine + lane % 16 * ld + lane / 16 * 8;
    const uint16_t *const right = tile + (lane / 16 * 8 + lane % 8) * ld + lane / 8 % 2 * 8;

    for (int n = 0; n < TILE / 8; n++)
        for (int i = 0; i < 4; i++)
            s[n][i] = 0;
    for (int d = 0; d < D; d += 16) {
        uint32_t a[4], b[4];

        load_matrices(a, left + d);
        for (int n = 0; n < TILE / 8; n += 2) {
            load_matrices(b, right + n * 8 * ld + d);
            mma<T>(s[n], a, b);
            mma<T>(s[n + 1], a, b + 2);
        }
    }
}

/* sum (MINE, D) += s tile, the tile of D channels, s (MINE, TILE) rounded. */
template <enum dtype T, int CHANNELS>
__device__ static inline void add_product(float sum[CHANNELS / 8][4], const float s[TILE / 8][4],
                                          const uint16_t *tile, int D)
{
    const int lane = threadIdx.x % WARP, ld = D + PAD;
    const uint16_t *const right = tile + lane % 16 * ld + lane / 16 * 8;
    uint32_t a[TILE / 16][4], b[4];

    for (int n = 0; n < TILE / 8; n++)
        for (int i = 0; i < 4; i += 2)
            a[n / 2][n % 2 * 2 + i / 2] = halves<T>(s[n][i], s[n][i + 1]);
    for (int n = 0; n < CHANNELS / 8; n += 2) { /* a fixed number, so that sums stay in registers */
        if (8 * n >= D)
            continue;
        for (int k = 0; k < TILE / 16; k++) {
            load_turned(b, right + 16 * k * ld + 8 * n);
            mma<T>(sum[n], a[k], b);
            mma<T>(sum[n + 1], a[k], b + 2);
        }
    }
}

__device__ static inline void store_two(float *to, float first, float second)
{
    to[0] = first;
    to[1] = second;
}

__device__ static inline void store_two(bf16 *to, float first, float second)
{
    *(uint32_t *)to = two_bf16(first, second);
}

/* to (D) = the lane's channels of its row g (R 0) or g + 8 (R 1) of SUM, times TIMES. */
template <int CHANNELS, class X>
__device__ static inline void store_row(X *to, const float sum[CHANNELS / 8][4], int r, float times, int D)
{
    for (int n = 0; n < CHANNELS / 8; n++)
        if (8 * n < D)
            store_two(to + 8 * n + 2 * (threadIdx.x % 4), sum[n][2 * r] * times, sum[n][2 * r + 1] * times);
}

/* Blocks that the longest sequence needs; each sequence gets as many, and those behind its end leave. */
template <class X> static inline int tiles_of(const struct call<X> *c)
{
    return (int)blocks_for(c->longest, OWN);
}

#endif
