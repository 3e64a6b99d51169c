/*
 * mma_cuda.h - the instructions of tensor cores that are used here, on sm_80 and later: a warp multiplies
 * 16x16 by 16x8 halves with sums in f32; and of copies to shared memory that go on beside them. On the
 * device they are PTX; tests have them in plain C (tests/emulate), checked lane by lane by
 * tests/tools/cuda-mma.t.
 *
 * Fragments, as "Matrix Fragments for mma.m16n8k16" of the PTX manual has them: with g = lane / 4 and
 * t = lane % 4, two halves to a word, the first in the low bits,
 *   a[0..3]: row g, g + 8, g, g + 8, columns 2t, 2t + 1 (a[0], a[1]) and 8 more (a[2], a[3]);
 *   b[0..1]: rows 2t, 2t + 1 and 8 more, column g;
 *   d[0..3]: row g, columns 2t and 2t + 1; row g + 8, the same.
 *
 * Copies, as "cp.async" has them: a thread queues some, closes the group that they are (of none, too), and
 * waits until only the newest N of its groups are on their way. What has come is seen by that thread, and
 * by others behind a barrier after that.
 */
#ifndef MMA_CUDA_H
#define MMA_CUDA_H

#include "cuda_impl.h"

/* One of the two halves of a word. */
template <enum dtype T> __device__ static inline float half_of(uint32_t word, int which)
{
    const uint16_t half = (uint16_t)(word >> 16 * which);

    return T == DT_F16 ? f32_of_f16(half) : f32_of_bf16(half);
}

#ifdef __CUDACC__

/* d += a b. */
template <enum dtype T>
__device__ static inline void mma(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#define MMA(type)                                                                                  \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 "                             \
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                    \
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                           \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
    if (T == DT_F16)
        MMA("f16");
    else
        MMA("bf16");
#undef MMA
}

/* Four 8x8 matrices of halves in shared memory; lane l names row l % 8 (16 bytes) of matrix l / 8. Lane l
 * gets elements 2t, 2t + 1 of row g of each; turned: of its transpose. */
__device__ static inline void load_matrices(uint32_t r[4], const uint16_t *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}

__device__ static inline void load_turned(uint32_t r[4], const uint16_t *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}

/* Two halves of type T, rounded to nearest even, the first in the low bits. */
template <enum dtype T> __device__ static inline uint32_t halves(float first, float second)
{
    uint32_t word;

    if (T == DT_F16)
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    else
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
}

/* Queues a copy of BYTES, 4 or 16, from global to shared memory, both at multiples of it; not THERE: FROM,
 * which is an address of global memory still, is not read, and zeros come. */
template <int BYTES> __device__ static inline void copy_ahead(void *to, const void *from, bool there)
{
    const uint32_t at = (uint32_t)__cvta_generic_to_shared(to), bytes = there ? BYTES : 0;

    static_assert(BYTES == 4 || BYTES == 16, "others are not used");
    if (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
}

/* Closes the group of the copies queued since the last one. */
__device__ static inline void copy_commit(void)
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Waits for all groups but the newest N. */
template <int N> __device__ static inline void copy_wait(void)
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#else

template <enum dtype T> static inline uint32_t halves(float first, float second)
{
    return T == DT_F16 ? f16_of_f32(first) | (uint32_t)f16_of_f32(second) << 16
                       : bf16_of_f32(first) | (uint32_t)bf16_of_f32(second) << 16;
}

template <enum dtype T>
static inline void mma(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    uint32_t all_a[32][4], all_b[32][2];
    const int g = emulate_lane() / 4, t = emulate_lane() % 4;

    emulate_gather(all_a, a, sizeof all_a[0], __FILE__, __LINE__);
    emulate_gather(all_b, b, sizeof all_b[0], __FILE__, __LINE__);
    for (int i = 0; i < 4; i++) {
        const int lower = i / 2, col = 2 * t + i % 2; /* row g + 8 lower */

        for (int k = 0; k < 16; k++)
            d[i] += half_of<T>(all_a[4 * g + k % 8 / 2][k / 8 * 2 + lower], k % 2) *
                    half_of<T>(all_b[4 * col + k % 8 / 2][k / 8], k % 2);
    }
}

static inline void load_matrices(uint32_t r[4], const uint16_t *row)
{
    uint16_t all[32][8];
    const int g = emulate_lane() / 4, t = emulate_lane() % 4;

    emulate_gather(all, row, sizeof all[0], __FILE__, __LINE__);
    for (int m = 0; m < 4; m++)
        r[m] = all[8 * m + g][2 * t] | (uint32_t)all[8 * m + g][2 * t + 1] << 16;
}

static inline void load_turned(uint32_t r[4], const uint16_t *row)
{
    uint16_t all[32][8];
    const int g = emulate_lane() / 4, t = emulate_lane() % 4;

    emulate_gather(all, row, sizeof all[0], __FILE__, __LINE__);
    for (int m = 0; m < 4; m++)
        r[m] = all[8 * m + 2 * t][g] | (uint32_t)all[8 * m + 2 * t + 1][g] << 16;
}

template <int BYTES> static inline void copy_ahead(void *to, const void *from, bool there)
{
    emulate_copy(to, from, BYTES, there ? BYTES : 0);
}

static inline void copy_commit(void)
{
    emulate_copy_commit();
}

template <int N> static inline void copy_wait(void)
{
    emulate_copy_wait(N);
}

#endif

#endif
