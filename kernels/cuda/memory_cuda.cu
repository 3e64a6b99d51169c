/*
 * Memory of the device. Passes ask for none: what their ops need is planned by the sizes of the largest
 * and taken before the first (reserve). What crosses the bus is in upload_cuda.cu (a model) and
 * stage_cuda.cu (a pass).
 */
#include "cuda_impl.h"

#include <stdlib.h>

/* What the memory of each allocation is for. */
enum use { STORED, ASKED, SCRATCH };
static struct allocation {
    struct dev *p;
    size_t bytes;
    enum use use;
} *allocations;
static int n_allocations, room_allocations;

static int make_room(void)
{
    const int more = room_allocations ? 2 * room_allocations : 1024;

    if (n_allocations < room_allocations)
        return 0;
    void *const p = realloc(allocations, (size_t)more * sizeof *allocations);

    if (!p)
        return cuda_fail(EX_OSERR, "out of memory");
    allocations = (struct allocation *)p;
    room_allocations = more;
    return 0;
}

static struct dev *alloc_for(enum use use, size_t bytes)
{
    void *p = NULL;
    cudaError_t e;

    if (graph_spoils("an op asks for memory") || make_room() < 0)
        return NULL;
    do {
        e = bytes > PTRDIFF_MAX ? cudaErrorMemoryAllocation /* it may be rounded up to 0 */
                                : cudaMalloc(&p, bytes ? bytes : 256);
        if (e == cudaSuccess) {
            allocations[n_allocations++] = { (struct dev *)p, bytes, use };
            return (struct dev *)p;
        }
        (void)cudaGetLastError(); /* the device goes on */
    } while (e == cudaErrorMemoryAllocation && (kept_give_back() || ahead_give_back()));
    size_t free = 0, total = 0;

    if (e != cudaErrorMemoryAllocation || cudaMemGetInfo(&free, &total) != cudaSuccess)
        (void)cuda_check(e, "cudaMalloc");
    else
        cuda_fail(EX_OSERR,
                  "no room for %zu bytes on the device, where %zu of %zu are free; use a smaller batch or "
                  "model, or end other programs on it",
                  bytes, free, total);
    return NULL;
}

static struct dev *mem_alloc(size_t bytes)
{
    return alloc_for(ASKED, bytes);
}

void cuda_release(void *p)
{
    if (!p)
        return;
    graphs_forget();
    (void)cudaDeviceSynchronize(); /* what reads it may be queued: cudaFree promises no wait */
    (void)cudaFree(p);
}

/* The newest are looked at first: they go first. */
static void mem_release(struct dev *d)
{
    for (int i = n_allocations; i-- > 0;)
        if (allocations[i].p == d) {
            allocations[i] = allocations[--n_allocations];
            break;
        }
    cuda_release(d);
}

static void mem_use(struct memory_use *use)
{
    *use = {};
    use->expanded = kept_bytes();
    use->scratch = ahead_bytes();
    for (int i = 0; i < n_allocations; i++)
        *(allocations[i].use == STORED  ? &use->stored
          : allocations[i].use == ASKED ? &use->asked
                                        : &use->scratch) += allocations[i].bytes;
    if (cudaMemGetInfo(&use->free, &use->total) != cudaSuccess)
        (void)cudaGetLastError();
}

static const struct dev *mem_adopt(const void *host, size_t bytes)
{
    struct dev *const d = alloc_for(STORED, bytes);

    if (d && upload(d, host, bytes) == 0)
        return d;
    if (d)
        mem_release(d);
    return NULL;
}

static void mem_disown(const struct dev *d)
{
    mem_release((struct dev *)d);
}

static struct dev *mem_slice(struct dev *d, size_t offset)
{
    return (struct dev *)((char *)d + offset);
}

static const struct dev *mem_slice_const(const struct dev *d, size_t offset)
{
    return (const struct dev *)((const char *)d + offset);
}

static int mem_put(struct dev *to, const void *host, size_t bytes)
{
    return stage_put(to, host, bytes);
}

static int mem_get(void *host, const struct dev *from, size_t bytes)
{
    return stage_get(host, from, bytes);
}

static int mem_copy(struct dev *to, const struct dev *from, size_t bytes)
{
    return bytes ? cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_stream),
                              "a copy")
                 : 0;
}

static int mem_zero(struct dev *d, size_t bytes)
{
    return bytes ? cuda_check(cudaMemsetAsync(d, 0, bytes, cuda_stream), "a memset") : 0;
}

/* ---- scratch ---- */

static struct {
    struct dev *p;
    size_t bytes;
} kept[SCRATCHES];

void *cuda_scratch(enum scratch which, size_t bytes)
{
    if (kept[which].bytes >= bytes && kept[which].p)
        return kept[which].p;
    if (graph_spoils("an op asks for memory"))
        return NULL;
    mem_release(kept[which].p);
    kept[which].bytes = bytes;
    kept[which].p = alloc_for(SCRATCH, bytes);
    return kept[which].p;
}

void cuda_scratch_free(void)
{
    for (int i = 0; i < SCRATCHES; i++) {
        mem_release(kept[i].p);
        kept[i].p = NULL;
    }
}

/* ---- the plan ---- */

static size_t larger_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The most that any op asks WHICH for in passes within S. */
static size_t planned(int which, const struct op_sizes *s)
{
    const size_t rows = (size_t)(s->tokens * s->width), lora = (size_t)(s->rank * (s->tokens + s->width));
    const size_t parts = (size_t)(thin_parts(s->tokens) * s->rank * s->width);
    const size_t logits = (size_t)(head_rows(s->tokens, s->vocab) * s->vocab);
    const bool half = s->round == DT_F16 || s->round == DT_BF16;

    switch (which) {
    case SCRATCH_OPERAND: /* of a product, slopes of logits */
        return half ? 2 * larger_of(cuda_act == DT_BF16 ? 0 : rows, s->train ? logits : 0) : 0;
    case SCRATCH_KEPT: /* LoRA's dropped input, sums of a gradient, parts of A's */
        return s->train ? 4 * larger_of(rows, parts) : 0;
    case SCRATCH_LOW: /* B and u in bf16 */
        return cuda_act == DT_BF16 && s->rank > 0 ? 2 * lora + 512 : 0;
    case SCRATCH_LOGITS:
        return 4 * logits;
    case SCRATCH_SUMS: /* parts of a sum, a factor for each sequence and key head */
        return larger_of(1024 * sizeof(double), (size_t)(s->tokens * s->kv_heads) * sizeof(float));
    case SCRATCH_WEIGHT:
        return kept_strip_bytes();
    default:
        return blaslt_bytes();
    }
}

static size_t scratch_bytes(const struct op_sizes *s)
{
    size_t bytes = 0;

    for (int i = 0; i < SCRATCHES; i++)
        bytes += planned(i, s);
    return bytes;
}

/* Strips of weights last: there are none where all copies are kept. */
static int reserve(const struct op_sizes *s)
{
    for (int i = 0; i < SCRATCHES; i++)
        if (i != SCRATCH_WEIGHT && i != SCRATCH_GEMM && planned(i, s) > 0 &&
            !cuda_scratch((enum scratch)i, planned(i, s)))
            return -1;
    if (s->tokens <= FEW_ROWS)
        return 0;
    return blaslt_ready() < 0 || kept_all() < 0 ? -1 : ahead_reserve(kept_strip_bytes());
}

void cuda_memory_ops(struct ops *o)
{
    o->alloc = mem_alloc;
    o->release = mem_release;
    o->adopt = mem_adopt;
    o->disown = mem_disown;
    o->slice = mem_slice;
    o->slice_const = mem_slice_const;
    o->put = mem_put;
    o->get = mem_get;
    o->copy = mem_copy;
    o->zero = mem_zero;
    o->memory_use = mem_use;
    o->scratch_bytes = scratch_bytes;
    o->reserve = reserve;
}
