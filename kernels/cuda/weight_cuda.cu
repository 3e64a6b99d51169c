/* Weights as floats or halves, whatever they are stored as. */
#include "elements_cuda.h"
#include "mma_cuda.h"

struct values values_of(const struct weight *w)
{
    const bool blocks = dtype_is_blocks(w->dtype);
    struct values v = { w->dtype, w->round, w->data, f32(w->absmax), w->block, 0 };

    if (blocks) {
        v.block = dtype_block(w->dtype);
        v.bytes = dtype_bytes(w->dtype, (size_t)v.block);
    }
    return v;
}

__device__ static void store(float *out, float x, enum dtype)
{
    *out = x;
}

__device__ static void store(uint16_t *out, float x, enum dtype to)
{
    *out = to == DT_F16 ? f16_of_f32(x) : bf16_of_f32(x);
}

/* Any storage, an element a thread. */
template <class T>
static __global__ void expand_each(T *out, enum dtype to, struct values w, int64_t first, int64_t n)
{
    const int64_t i = thread_of_all();

    if (i < n)
        store(out + i, weight_value(w, first + i), to);
}

/* A GROUP at a multiple of 16 bytes, rounded to ROUND, or to TO, which is that. */
__device__ static void store_values(float *out, const float v[GROUP], enum dtype, enum dtype round)
{
    float rounded[GROUP];

    for (int i = 0; i < GROUP; i++)
        rounded[i] = f32_rounded(v[i], round);
    store_whole(out, rounded);
}

__device__ static void store_values(uint16_t *out, const float v[GROUP], enum dtype to, enum dtype)
{
    uint32_t word[GROUP / 2];

    for (int i = 0; i < GROUP; i += 2)
        word[i / 2] = to == DT_F16 ? halves<DT_F16>(v[i], v[i + 1]) : halves<DT_BF16>(v[i], v[i + 1]);
    *(uint4 *)out = uint4{ word[0], word[1], word[2], word[3] };
}

/* Eight codes a thread, N, FIRST and the block multiples of that. Bound by memory: half a byte in, two or
 * four out. */
template <class T>
static __global__ void expand_nf4(T *out, enum dtype to, struct values w, int64_t first, int64_t n)
{
    const int64_t i = GROUP * thread_of_all();
    float v[GROUP];

    if (i >= n)
        return;
    const uint32_t word = ((const uint32_t *)w.data)[(first + i) / GROUP];
    const float scale = w.absmax[(first + i) / w.block];

    for (int j = 0; j < GROUP; j++)
        v[j] = nf4_value(word >> (8 * (j / 2) + (j % 2 ? 0 : 4)) & 15) * scale;
    store_values(out + i, v, to, w.round);
}

template <class T>
static int expand_as(T *out, enum dtype to, const struct weight *w, int64_t first, int64_t n,
                     cudaStream_t stream)
{
    const bool words = w->dtype == DT_NF4 && w->block % GROUP == 0 && first % GROUP == 0 && n % GROUP == 0 &&
                       (uintptr_t)w->data % 4 == 0 && (uintptr_t)out % sizeof(uint4) == 0;

    if (n == 0)
        return 0;
    if (words)
        return LAUNCH_ON(stream, expand_nf4<T>, blocks_for(n / GROUP, THREADS), THREADS, 0, out, to,
                         values_of(w), first, n);
    return LAUNCH_ON(stream, expand_each<T>, blocks_for(n, THREADS), THREADS, 0, out, to, values_of(w),
                     first, n);
}

int expand_to(void *out, enum dtype to, const struct weight *w, int64_t first, int64_t n,
              cudaStream_t stream)
{
    return to == DT_F32 ? expand_as((float *)out, to, w, first, n, stream)
                        : expand_as((uint16_t *)out, to, w, first, n, stream);
}

static int expand(struct dev *out, const struct weight *w)
{
    return expand_to(out, DT_F32, w, 0, w->rows * w->cols, cuda_stream);
}

/* ---- what is not finite ---- */

enum { PARTS = 1024 };

/* first[block] = the first such element that this block's threads meet, N when there is none. */
static __global__ void first_nonfinite(int64_t *first, struct values x, int64_t n)
{
    SHARED(int64_t, warps);
    int64_t mine = n;

    for (int64_t i = thread_of_all(); i < n; i += (int64_t)gridDim.x * blockDim.x)
        if (!isfinite(raw_value(x, i))) {
            mine = i;
            break;
        }
    mine = block_all(mine, smaller(), warps);
    if (threadIdx.x == 0)
        first[blockIdx.x] = mine;
}

static int find_nonfinite(int64_t *bad, const struct dev *x, enum dtype dtype, int64_t n)
{
    const unsigned blocks = (unsigned)least(blocks_for(n, THREADS), PARTS);
    int64_t *const first = (int64_t *)cuda_scratch(SCRATCH_SUMS, PARTS * sizeof(double));
    int64_t host[PARTS];
    struct values v = { dtype, DT_F32, x, NULL, 1, 0 };

    *bad = -1;
    if (n == 0)
        return 0;
    if (!first || LAUNCH(first_nonfinite, blocks, THREADS, sizeof *first * (THREADS / WARP), first, v, n) < 0 ||
        cuda_check(cudaMemcpyAsync(host, first, blocks * sizeof *first, cudaMemcpyDeviceToHost, cuda_stream),
                   "a download") < 0 ||
        cuda_check(cudaStreamSynchronize(cuda_stream), "what was queued before a download") < 0)
        return -1;
    for (unsigned i = 0; i < blocks; i++)
        if (host[i] < n && (*bad < 0 || host[i] < *bad))
            *bad = host[i];
    return 0;
}

void cuda_weight_ops(struct ops *o)
{
    o->expand = expand;
    o->find_nonfinite = find_nonfinite;
}
