/*
 * elements_cuda.h - activations in memory: float, or bf16 where the model computes in it (struct ops' act).
 * Kernels are templates over the type; in registers all is f32. Threads take a GROUP of elements each, by
 * 16 bytes where it is whole and lies at a multiple of that.
 */
#ifndef ELEMENTS_CUDA_H
#define ELEMENTS_CUDA_H

#include "cuda_impl.h"

struct bf16 {
    uint16_t bits;
};

enum { GROUP = 8 };

static inline int64_t groups_of(int64_t n)
{
    return (n + GROUP - 1) / GROUP;
}

template <class T> static inline T *act(struct dev *d)
{
    return (T *)d;
}

template <class T> static inline const T *act(const struct dev *d)
{
    return (const T *)d;
}

__device__ static inline float load(const float *x)
{
    return *x;
}

__device__ static inline float load(const bf16 *x)
{
    return f32_of_bf16(x->bits);
}

__device__ static inline void store(float *to, float x)
{
    *to = x;
}

/* Two of them rounded to nearest even, the first in the low half. */
__device__ static inline uint32_t two_bf16(float first, float second)
{
#ifdef __CUDA_ARCH__
    uint32_t word;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
#else
    return bf16_of_f32(first) | (uint32_t)bf16_of_f32(second) << 16;
#endif
}

__device__ static inline void store(bf16 *to, float x)
{
    to->bits = (uint16_t)two_bf16(x, 0);
}

template <class T> __device__ static inline bool at_16_bytes(const T *x)
{
    return (uintptr_t)x % sizeof(uint4) == 0;
}

__device__ static inline void load_whole(float v[GROUP], const float *x)
{
    const float4 a = ((const float4 *)x)[0], b = ((const float4 *)x)[1];

    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
    v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

__device__ static inline void load_whole(float v[GROUP], const bf16 *x)
{
    const uint4 all = *(const uint4 *)x;
    const uint32_t word[4] = { all.x, all.y, all.z, all.w };

    for (int i = 0; i < GROUP; i++)
        v[i] = f32_of_bf16((uint16_t)(word[i / 2] >> 16 * (i % 2)));
}

__device__ static inline void store_whole(float *to, const float v[GROUP])
{
    ((float4 *)to)[0] = float4{ v[0], v[1], v[2], v[3] };
    ((float4 *)to)[1] = float4{ v[4], v[5], v[6], v[7] };
}

__device__ static inline void store_whole(bf16 *to, const float v[GROUP])
{
    *(uint4 *)to = uint4{ two_bf16(v[0], v[1]), two_bf16(v[2], v[3]), two_bf16(v[4], v[5]),
                          two_bf16(v[6], v[7]) };
}

/* v = x (N of them, if fewer than GROUP), zeros behind. */
template <class T> __device__ static inline void load_group(float v[GROUP], const T *x, int64_t n)
{
    if (n >= GROUP && at_16_bytes(x)) {
        load_whole(v, x);
        return;
    }
    for (int i = 0; i < GROUP; i++)
        v[i] = i < n ? load(x + i) : 0;
}

template <class T> __device__ static inline void store_group(T *to, const float v[GROUP], int64_t n)
{
    if (n >= GROUP && at_16_bytes(to)) {
        store_whole(to, v);
        return;
    }
    for (int i = 0; i < GROUP && i < n; i++)
        store(to + i, v[i]);
}

/* A thread's group in rows of C: which row, and where in it. */
struct place {
    int64_t row, at, left; /* left: elements from AT to the row's end */
};

__device__ static inline struct place place_in_rows(int64_t C)
{
    const int64_t i = thread_of_all(), groups = (C + GROUP - 1) / GROUP, at = i % groups * GROUP;

    return place{ i / groups, at, C - at };
}

/* Blocks of THREADS for N rows of C. */
static inline unsigned blocks_for_rows(int64_t N, int64_t C)
{
    return blocks_for(N * groups_of(C), THREADS);
}

/* ---- dropout, by groups that begin at a multiple of GROUP in a row: a bit for each element ---- */

static_assert((int)GROUP == 8, "a group's bits are a byte");

/* Draws those of channels FIRST.. of TOKEN, and leaves them where they are wanted. */
__device__ static inline uint32_t draw_group(const struct mask &m, int64_t token, int64_t first)
{
    uint32_t bits = 0;

    for (int four = 0; four < GROUP; four += 4) {
        const uint32_t counter[4] = { (uint32_t)((first + four) / 4), (uint32_t)m.pos[token], m.sample[token],
                                      m.site };
        uint32_t word[4];

        philox4x32(word, counter, m.seed);
        for (int i = 0; i < 4; i++)
            bits |= (uint32_t)(word[i] >= m.least) << (four + i);
    }
    if (m.bits)
        m.bits[token * m.ld + first / GROUP] = (uint8_t)bits;
    return bits;
}

/* Those that were drawn. */
__device__ static inline uint32_t drawn_group(const struct choices &k, int64_t token, int64_t first)
{
    return k.bits ? k.bits[token * k.ld + first / GROUP] : 0xff;
}

__device__ static inline void keep_group(float v[GROUP], uint32_t bits, float scale)
{
    for (int i = 0; i < GROUP; i++)
        v[i] = bits >> i & 1 ? v[i] * scale : 0;
}

/* v = channels FIRST.. of TOKEN as dropout leaves them. */
__device__ static inline void drop_group(float v[GROUP], const struct mask &m, int64_t token, int64_t first)
{
    if (m.on)
        keep_group(v, draw_group(m, token, first), m.scale);
}

#endif
