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

/* to (N, D) = rows times TIMES, rounded; ROW gives where each of them is, NULL: zeros. By THREADS threads, of
 * which this is number ME. */
template <enum dtype T, class F>
__device__ static inline void round_rows(uint16_t *to, int n, int D, int me, int threads, float times, F row)
{
    const int groups = D / GROUP;

    for (int i = me; i < n * groups; i += threads) {
        const int r = i / groups, d = i % groups * GROUP;
        const auto *const from = row(r);
        float v[GROUP] = { 0 };

        if (from)
            load_whole(v, from + d);
        *(uint4 *)(to + r * (D + PAD) + d) = uint4{ halves<T>(v[0] * times, v[1] * times),
                                                    halves<T>(v[2] * times, v[3] * times),
                                                    halves<T>(v[4] * times, v[5] * times),
                                                    halves<T>(v[6] * times, v[7] * times) };
    }
}

/* keys, values (N, D) = those of key head KH from key FIRST of S on, zeros from END on; by all warps. */
template <enum dtype T, class X>
__device__ static inline void load_keys(uint16_t *keys, uint16_t *values, const struct call<X> &c,
                                        const struct seq &s, int64_t kh, int64_t first, int n, int64_t end)
{
    const int D = (int)c.a.head_dim;
    const auto row = [&](const X *of, int r) -> const X * {
        return first + r < end ? of + key_row(s, first + r) * c.a.kv_ld + kh * D : NULL;
    };

    round_rows<T>(keys, n, D, threadIdx.x, WARPS * WARP, 1, [&](int r) { return row(c.k, r); });
    round_rows<T>(values, n, D, threadIdx.x, WARPS * WARP, 1, [&](int r) { return row(c.v, r); });
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
