/* The table of the CPU backend, its choice of instruction set, and its working memory. */
#include "bf16.h"
#include "cpu.h"
#include "cpu_impl.h"
#include "gemm.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

/* What a name of SLMTOOLS_CPU stands for. */
struct cpu_choice {
    const char *name;
    bool (*there)(void);
    const struct isa *isa;
    const struct bf16_isa *bf16;  /* NULL: isa's float kernels round their panels */
    const struct bf16_isa *split; /* NULL: floats are multiplied faster as they are */
};

#ifdef __x86_64__
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/* Bit BIT of what cpuid's leaf 7 says; the compilers have no common name for these. */
static bool feature(unsigned subleaf, bool in_edx, int bit)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, subleaf, &a, &b, &c, &d) && ((in_edx ? d : a) >> bit & 1);
}

static bool has_avx512bf16(void)
{
    return has_avx512() && feature(1, false, 5);
}

static bool has_amxbf16(void)
{
    return has_avx512bf16() && feature(0, true, 22) && feature(0, true, 24) && bf16_amx_allowed();
}
#endif

static bool always(void)
{
    return true;
}

/* Fastest first. */
static const struct cpu_choice choices[] = {
#ifdef __x86_64__
    { "amxbf16", has_amxbf16, &isa_avx512, &bf16_amx, &bf16x3_amx },
    { "avx512bf16", has_avx512bf16, &isa_avx512, &bf16_avx512, NULL },
    { "avx512", has_avx512, &isa_avx512, NULL, NULL },
    { "avx2", has_avx2, &isa_avx2, NULL, NULL },
#endif
    { "portable", always, &isa_portable, NULL, NULL },
    /* only by name */
    { "amxbf16-emulated", always, &isa_portable, &bf16_emulated, &bf16x3_emulated },
};

static const struct cpu_choice *chosen;
static enum dtype planned; /* what scratch_bytes takes weights to round to */

/* The fastest that this machine has, or the one called NAME; NULL when it has none. */
static const struct cpu_choice *fastest(const char *name)
{
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if ((!name || strcmp(name, choices[i].name) == 0) && choices[i].there())
            return &choices[i];
    return NULL;
}

const struct isa *cpu_isa(void)
{
    return chosen->isa;
}

const struct bf16_isa *cpu_bf16(enum dtype round)
{
    return round == DT_BF16 ? chosen->bf16 : round == DT_BF16X3 ? chosen->split : NULL;
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
static size_t scratch_bytes(const struct op_sizes *s)
{
    enum { HEAD_SIZE = 256 };
    const size_t linear = cpu_linear_scratch(s->tokens, s->width, s->rank, planned);
    const size_t head = s->vocab > 0
                            ? max_size(cpu_head_scratch(s->tokens, s->width, planned),
                                       cpu_select_scratch(s->tokens, s->width, s->vocab, planned))
                            : 0;

    return max_size(max_size(linear, head), cpu_attention_scratch(HEAD_SIZE));
}

int cpu_ops(struct ops *o, enum dtype compute)
{
    const char *const name = getenv("SLMTOOLS_CPU");
    const struct cpu_choice *const choice = fastest(name);

    if (!choice)
        return err_set(
            EXIT_NODEVICE,
            "SLMTOOLS_CPU=%s: this machine has no such instructions; unset it, or use portable",
            name);
    chosen = choice;
    planned = compute;
    ref_ops(o);
    o->name = "cpu";
    o->scratch_bytes = scratch_bytes;
    cpu_linear_ops(o);
    cpu_attention_ops(o);
    cpu_attention_back_ops(o);
    cpu_head_ops(o);
    cpu_select_ops(o);
    cpu_rows_ops(o);
    return 0;
}
