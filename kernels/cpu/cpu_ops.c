/* The table of the CPU backend, its choice of instruction set, and its working memory. */
#include "cpu.h"
#include "cpu_impl.h"
#include "gemm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

static const struct isa *chosen = &isa_portable;

#ifdef __x86_64__
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

/* Widest first. */
static const struct isa *widest(const char *name)
{
#ifdef __x86_64__
    if (has_avx512() && (!name || strcmp(name, "avx512") == 0))
        return &isa_avx512;
    if (has_avx2() && (!name || strcmp(name, "avx2") == 0))
        return &isa_avx2;
#endif
    return !name || strcmp(name, "portable") == 0 ? &isa_portable : NULL;
}

const struct isa *cpu_isa(void)
{
    return chosen;
}

/* In large pages where it is large: packed panels are walked from end to end for every strip of
 * columns, and with small pages the translations alone cost 2 %. */
static void *aligned_memory(size_t *bytes)
{
    const size_t page = *bytes < LARGE_PAGE * 4 ? 4096 : LARGE_PAGE;
    void *p;

    *bytes = (*bytes + page - 1) / page * page;
    p = aligned_alloc(page, *bytes);
#ifdef MADV_HUGEPAGE
    if (p && page == LARGE_PAGE)
        (void)madvise(p, *bytes, MADV_HUGEPAGE);
#endif
    return p;
}

void *cpu_scratch(size_t bytes)
{
    static void *memory;
    static size_t size;

    if (bytes > size) {
        free(memory);
        size = bytes;
        memory = aligned_memory(&size);
        if (!memory) {
            err_set(EXIT_MEMORY, "no room for %zu bytes of working memory; use a smaller batch",
                    bytes);
            size = 0;
        }
    }
    return memory;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The largest of the ops' needs; the widest linear is WIDTH by some more, the head no wider. */
static size_t scratch_bytes(int64_t max_tokens, int64_t max_width, int64_t vocab)
{
    enum { HEAD_SIZE = 256, RANK = 256 };
    const size_t linear =
        max_size(gemm_work(max_tokens, max_width + RANK), gemm_work(max_width, max_tokens));
    const size_t head = vocab > 0 ? cpu_head_scratch(max_tokens, max_width) : 0;

    return max_size(max_size(linear, head), cpu_attention_scratch(HEAD_SIZE));
}

int cpu_ops(struct ops *o)
{
    const char *const name = getenv("SLMTOOLS_CPU");
    const struct isa *const isa = widest(name);

    if (!isa)
        return err_set(
            EXIT_NODEVICE,
            "SLMTOOLS_CPU=%s: this machine has no such instructions; unset it, or use portable",
            name);
    chosen = isa;
    ref_ops(o);
    o->name = "cpu";
    o->scratch_bytes = scratch_bytes;
    cpu_linear_ops(o);
    cpu_attention_ops(o);
    cpu_head_ops(o);
    cpu_rows_ops(o);
    return 0;
}
