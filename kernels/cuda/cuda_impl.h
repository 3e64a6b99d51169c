/*
 * cuda_impl.h - what the files of the CUDA plug-in share: launches, device pointers, scratch memory,
 * reductions. The same files are compiled by a C++ compiler for tests (tests/emulate), where a header
 * of the same name stands for CUDA's.
 *
 * Results are fixed by the shape of the work: reductions are trees of fixed form, and nothing is added
 * with atomics. All sums are in f32 or wider; the compiler fuses nothing by itself (--fmad=false).
 */
#ifndef CUDA_IMPL_H
#define CUDA_IMPL_H

#include <cuda_runtime.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* Headers of C as C++, and their inline functions for both sides: formulas stand once. */
#define _Noreturn [[noreturn]]
#define inline inline __host__ __device__
extern "C" {
#include "plugin.h"
#include "block_value.h"
#include "nf4_code.h"
#include "rng.h"
}
#undef inline
#undef _Noreturn

/* The device that is open. One caller at a time, so there is one of each. */
extern cudaStream_t cuda_stream;
extern plugin_fail *cuda_fail;
extern enum dtype cuda_act; /* of the table's activations */

/* FILL<T>(o), with the T of elements_cuda.h that activations are. */
#define FILL_FOR_ACT(fill, o) (cuda_act == DT_BF16 ? fill<bf16>(o) : fill<float>(o))

/* 0, or -1 with an error that says where: of the device, or of its memory. */
int cuda_check(cudaError_t e, const char *where);

static inline bool cuda_empty(dim3 grid)
{
    return grid.x == 0 || grid.y == 0 || grid.z == 0;
}

/* KERNEL on GRID blocks of BLOCK threads with SHARED bytes of shared memory. More than 48 KiB of it must
 * have been allowed for the kernel (cudaFuncSetAttribute). */
#define LAUNCH_ON(stream, kernel, grid, block, shared, ...)                                        \
    (cuda_empty(grid) ? 0                                                                          \
                      : (RUN(kernel, grid, block, shared, stream, __VA_ARGS__),                    \
                         cuda_check(cudaGetLastError(), #kernel)))
#define LAUNCH(kernel, grid, block, shared, ...)                                                   \
    LAUNCH_ON(cuda_stream, kernel, grid, block, shared, __VA_ARGS__)
#ifndef RUN
#define RUN(kernel, grid, block, shared, stream, ...)                                              \
    kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
/* NAME points to the shared memory that the launch asked for. */
#define SHARED(type, name)                                                                         \
    extern __shared__ float4 cuda_shared[];                                                        \
    type *const name = (type *)cuda_shared
#endif

/* In front of a loop over what must stay in registers. */
#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL
#endif

enum { THREADS = 256, WARP = 32 };

static inline unsigned blocks_for(int64_t n, int64_t each)
{
    return (unsigned)((n + each - 1) / each);
}

__host__ __device__ static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The element of a thread where each has one. */
__device__ static inline int64_t thread_of_all(void)
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

/* ---- device memory: a struct dev * is an address on the device ---- */

static inline float *f32(struct dev *d)
{
    return (float *)d;
}

static inline const float *f32(const struct dev *d)
{
    return (const float *)d;
}

static inline const int32_t *i32(const struct dev *d)
{
    return (const int32_t *)d;
}

/* Memory that an op needs by itself, kept from op to op; NULL and an error where there is no room. It is
 * reserved (memory_cuda.cu has the plan: what an op asks for must be in it), and grows where it was not.
 * What stood there is lost then, and so may be what kept_weight gave. */
enum scratch { SCRATCH_OPERAND, SCRATCH_WEIGHT, SCRATCH_KEPT, SCRATCH_LOW, SCRATCH_LOGITS, SCRATCH_SUMS, SCRATCH_GEMM, SCRATCHES };
void *cuda_scratch(enum scratch which, size_t bytes);
void cuda_scratch_free(void);
/* Gives memory back that recordings may name; waits for what was queued. */
void cuda_release(void *p);

/* ---- passes that are recorded (graph_cuda.cu) ---- */

/* begin and end of the op table. */
int graph_begin(uint64_t key);
int graph_end(bool done);
/* True while a pass is captured: WHY, and that its ops are to be asked for again, is the error then. Who
 * would allocate, release or wait asks first. */
bool graph_spoils(const char *why);
void graphs_forget(void);
/* As SLMTOOLS_CUDA says; -1 where that is nothing known. */
int graphs_open(void);

/* A model's bytes to the device, through pinned memory where the host gives it; HOST may change then. */
int upload(struct dev *to, const void *host, size_t bytes);
/* Gives the pinned memory back, to be had again by the next upload. */
int upload_end(void);
/* put and get of the op table: an upload of a few bytes waits for nothing. */
int stage_put(void *to, const void *host, size_t bytes);
int stage_get(void *host, const void *from, size_t bytes);
void stage_close(void);

/* ---- reductions ---- */

struct add {
    template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};
struct larger {
    template <class T> __device__ T operator()(T a, T b) const { return a > b ? a : b; }
};
struct smaller {
    template <class T> __device__ T operator()(T a, T b) const { return a < b ? a : b; }
};

/* Over the lanes of a warp, all of which get it. */
template <class T, class F> __device__ T warp_all(T x, F combine)
{
    for (int d = WARP / 2; d > 0; d /= 2)
        x = combine(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}

/* Over the threads of a block (whole warps), all of which get it. WARPS: shared, one T for each. */
template <class T, class F> __device__ T block_all(T x, F combine, T *warps)
{
    const int n = blockDim.x / WARP;

    x = warp_all(x, combine);
    if (threadIdx.x % WARP == 0)
        warps[threadIdx.x / WARP] = x;
    __syncthreads();
    T all = warps[0];
    for (int i = 1; i < n; i++)
        all = combine(all, warps[i]);
    __syncthreads(); /* WARPS may be written again */
    return all;
}

/* a * b + sum, rounded once where the device has it; tests' machines need not. */
__device__ static inline float madd(float a, float b, float sum)
{
#ifdef __CUDA_ARCH__
    return __fmaf_rn(a, b, sum);
#else
    return a * b + sum;
#endif
}

/* ---- weights ---- */

/* struct weight as kernels get it. */
struct values {
    enum dtype dtype, round;
    const void *data;
    const float *absmax;
    int block;    /* elements of a scale (NF4), of a block */
    size_t bytes; /* of a block */
};

struct values values_of(const struct weight *w);

__device__ static inline float nf4_value(int code)
{
    static const float value[16] = NF4_VALUES; /* read through the cache, not made by each thread */

    return value[code];
}

/* Element I of the flattened weight, not rounded. */
__device__ static inline float raw_value(const struct values &w, int64_t i)
{
    const uint8_t *const bytes = (const uint8_t *)w.data;
    const uint16_t *const half = (const uint16_t *)w.data;

    switch (w.dtype) {
    case DT_F32:
        return ((const float *)w.data)[i];
    case DT_F16:
        return f32_of_f16(half[i]);
    case DT_BF16:
        return f32_of_bf16(half[i]);
    case DT_NF4:
        return nf4_value(i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4) * w.absmax[i / w.block];
    default:
        return block_value(w.dtype, bytes + i / w.block * w.bytes, (int)(i % w.block));
    }
}

__device__ static inline float weight_value(const struct values &w, int64_t i)
{
    return f32_rounded(raw_value(w, i), w.round);
}

/* OUT (n; f32, or 16 bits of type TO) = elements FIRST.. of the weight, rounded; queued on STREAM. */
int expand_to(void *out, enum dtype to, const struct weight *w, int64_t first, int64_t n,
              cudaStream_t stream);

/* ---- products ---- */

/* How a weight's products are computed: in F16 or BF16 where it rounds so, else in F32. */
static inline enum dtype operand_type(const struct weight *w)
{
    return w->round == DT_F16 || w->round == DT_BF16 ? w->round : DT_F32;
}

/* *COPY = the whole weight as operand_type says, in memory of its own, or NULL where it was not loaded or
 * there is no room to keep it; -1: the device fails. Good until memory is asked for: an allocation that
 * finds no room has copies given back. */
int kept_weight(const void **copy, const struct weight *w);
/* Gives one copy back; false where there is none. */
bool kept_give_back(void);
size_t kept_bytes(void);
/* Keeps all that there is room for. */
int kept_all(void);
/* Of the largest strip (strip_rows) of the weights that are not kept. */
size_t kept_strip_bytes(void);
void kept_close(void);

/* The number of a weight that was loaded, good until one is forgotten; -1: it was not. */
int kept_number(const struct weight *w);
/* That weight, or NULL where it is kept, or is none. */
const struct weight *kept_at(int number);
/* What ahead_cuda.cu knows of it: what came behind its product, forward and back, last time; -1: nothing. */
int *kept_next(int number);

/* Rows of a weight that are multiplied at a time. */
int64_t strip_rows(const struct weight *w);
/* N rows from FIRST on, such a strip, of a weight that is not kept, for a product (BACK: of the backward
 * pass); NULL: no room. Good until memory is asked for, or the next call. */
const void *expanded_rows(const struct weight *w, int64_t first, int64_t n, bool back);
/* Takes its memory for strips of so many bytes. */
int ahead_reserve(size_t bytes);
/* Gives back what it can do without; false where that is nothing. */
bool ahead_give_back(void);
/* Numbers of weights mean others from now on. */
void ahead_forget(void);
size_t ahead_bytes(void); /* beside cuda_scratch's */
/* What is queued from now on waits for all that is expanded ahead, and nothing is remembered of it: where
 * a recorded pass begins and ends. */
int ahead_settle(void);
void ahead_close(void);

/* out (n) = x (n) f32, rounded to the 16 bits of TO. */
int round_all(void *out, const float *x, int64_t n, enum dtype to);
/* The activations x (n) as an operand of type TO: x itself, or a rounded copy in scratch; NULL: no room. */
const void *operand(const struct dev *x, int64_t n, enum dtype to);

/* A matrix in memory, rows LD elements apart; turned: what is meant is its transpose. */
struct matrix {
    const void *p;
    int64_t ld;
    bool turned;
};

/* What a product is written to: of type TYPE (DT_F32 or DT_BF16), rows LD apart; BETA times what stands
 * there is added. */
struct product_to {
    void *p;
    enum dtype type;
    int64_t ld;
    float beta;
};

/* c (M, N) = alpha a b + beta c; a (M, K), b (K, N) of type T. */
int gemm(struct product_to c, struct matrix a, struct matrix b, enum dtype t, int64_t M, int64_t N, int64_t K,
         float alpha);
/* The same by cuBLASLt: 0, -1, or 1 when it is not there, or has nothing for these shapes. */
int blaslt_gemm(struct product_to c, struct matrix a, struct matrix b, enum dtype t, int64_t M, int64_t N,
                int64_t K, float alpha);
/* Opens it and takes its memory: 0, -1, or 1 when it is not there. The first product does so too, but
 * where an operand is a kept weight it must have been done before. */
int blaslt_ready(void);
/* The name of the library where it cannot be opened, so that products of many rows are slow; else NULL. */
const char *blaslt_missing(void);
size_t blaslt_bytes(void); /* of its memory, where it is there */
void blaslt_close(void);

/* Rows of logits that a loss or a choice makes at a time. */
int64_t head_rows(int64_t M, int64_t V);

/* y (N, O) of type TYPE = x (N, C) W^T + bias (O; NULL: none), N FEW_ROWS at most: W is read where it lies. */
enum { FEW_ROWS = 4 };
int few_product(void *y, enum dtype type, const struct dev *x, const struct weight *w, const struct dev *bias,
                int64_t N);
/* y (N, O) of type TYPE = x (N, C) W^T. */
int product(void *y, enum dtype type, const struct dev *x, const struct weight *w, int64_t N);
/* dx (N, C) of type TYPE = dy (N, O) W, dy an operand of the weight's type; added to dx when MORE. */
int product_back(void *dx, enum dtype type, const void *dy, const struct weight *w, int64_t N, bool more);

/* y (N, O) of type TYPE += bias (O); NULL: none. */
int add_bias(void *y, enum dtype type, const struct dev *bias, int64_t N, int64_t O);

/* ---- LoRA: what it adds to a linear and its gradients, the bias among it; arguments of the ops ---- */

int lora_forward(struct dev *y, struct dev *u, const struct dev *x, const struct weight *w,
                 const struct dev *bias, const struct lora *lora, const struct packed *rows, int64_t N);
int lora_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy, const struct dev *x,
                  const struct dev *u, struct dev *scratch, const struct weight *w, const struct lora *lora,
                  const struct packed *rows, int64_t N);

/* ---- dropout ---- */

/* What is drawn. BITS: where that is left, as struct choices has it; NULL: nowhere. */
struct mask {
    bool on;
    uint32_t least, site;
    uint64_t seed;
    float scale;
    const int32_t *pos;
    const uint32_t *sample;
    uint8_t *bits;
    int64_t ld;
};

/* What was drawn: bit c % 8 of byte c / 8 of a row, rows LD bytes apart, is 1 where channel c is kept, and
 * multiplied with SCALE. BITS NULL: all is, and not multiplied. */
struct choices {
    const uint8_t *bits;
    int64_t ld;
    float scale;
};

struct mask mask_of(const struct dropout *d, const struct packed *rows);

/* out (N, C) = drop(x); both activations. */
int drop_rows(struct dev *out, const struct dev *x, const struct mask *m, int64_t N, int64_t C);

/* ---- LoRA's products that read x (N, C) in bfloat16 ---- */

/* Parts of the tokens whose sums of A's gradient are added at the end: 8 at most. */
int64_t thin_parts(int64_t N);

/* u (N, R) f32 = drop(x) a^T; a (R, C) f32. */
int thin_project(struct dev *u, const struct dev *x, const struct dev *a, const struct mask *m, int64_t N, int64_t R,
                 int64_t C);
/* da (R, C) f32 += down^T drop(x), as it was drawn; down (N, R) f32. */
int thin_gradient(struct dev *da, const struct dev *x, const struct dev *down, const struct choices *k, int64_t N,
                  int64_t R, int64_t C);

/* ---- the table ---- */

void cuda_memory_ops(struct ops *o);
void cuda_weight_ops(struct ops *o);
void cuda_kept_ops(struct ops *o);
void cuda_nf4_ops(struct ops *o);
void cuda_rows_ops(struct ops *o);
void cuda_norm_ops(struct ops *o);
void cuda_linear_ops(struct ops *o);
void cuda_rope_ops(struct ops *o);
void cuda_attention_ops(struct ops *o);
void cuda_act_ops(struct ops *o);
void cuda_residual_ops(struct ops *o);
void cuda_head_ops(struct ops *o);
void cuda_smooth_ops(struct ops *o);
void cuda_optim_ops(struct ops *o);

#endif
