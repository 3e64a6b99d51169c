/*
 * What this machine can do at best: multiply-adds that never leave the registers, memory read and
 * written once, OpenBLAS where it is installed, zstd by itself.
 */
#include "mem.h"
#include "perf.h"

#include <dlfcn.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

/* ---- registers: 12 chains hide the latency of two units ---- */

enum { CHAINS = 12, ROUNDS = 2000000, TILE_ROUNDS = 200000 };

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static float chains_avx2(float seed)
{
    __m256 sum[CHAINS];
    const __m256 a = _mm256_set1_ps(seed), b = _mm256_set1_ps(1 - seed);

    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm256_set1_ps((float)i);
    for (int n = 0; n < ROUNDS; n++)
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], a, b);
    for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    return _mm256_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f"))) static float chains_avx512(float seed)
{
    __m512 sum[CHAINS];
    const __m512 a = _mm512_set1_ps(seed), b = _mm512_set1_ps(1 - seed);

    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int n = 0; n < ROUNDS; n++)
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], a, b);
    for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f,avx512bf16"))) static float chains_avx512bf16(float seed)
{
    __m512 sum[CHAINS];
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(seed), _mm512_set1_ps(seed));

    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int n = 0; n < ROUNDS; n++)
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], a, a);
    for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    return _mm512_cvtss_f32(sum[0]);
}

static bool has_amx(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1);
}

/* The system gives a process these registers when it asks. */
static bool amx_allowed(void)
{
#if defined __linux__ && defined SYS_arch_prctl
    enum { REQUEST = 0x1023, TILE_DATA = 18 };

    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}

/* Four tiles of 16 x 16 sums at a time, as many as leave room for two operands each way. */
__attribute__((target("amx-tile,amx-bf16"))) static float chains_amx(float seed)
{
    struct {
        uint8_t palette, start, zero[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = { .palette = 1 };
    float sums[16][16];

    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = 64;
        shape.rows[i] = 16;
    }
    for (int i = 0; i < 256; i++)
        sums[i / 16][i % 16] = seed;
    _tile_loadconfig(&shape);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, sums, 64);
    _tile_loadd(5, sums, 64);
    _tile_loadd(6, sums, 64);
    _tile_loadd(7, sums, 64);
    for (int n = 0; n < TILE_ROUNDS; n++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, 64);
    _tile_release();
    return sums[0][0];
}
#endif

static const struct {
    const char *isa;
    float (*chains)(float);
    double flops; /* of all rounds */
} peaks[] = {
#ifdef __x86_64__
    { "avx2", chains_avx2, 16.0 * CHAINS *ROUNDS },
    { "avx512", chains_avx512, 32.0 * CHAINS *ROUNDS },
    { "avx512bf16", chains_avx512bf16, 64.0 * CHAINS *ROUNDS },
    { "amxbf16", chains_amx, 4 * 16.0 * 16 * 32 * 2 * TILE_ROUNDS },
#endif
    { NULL, NULL, 0 },
};

static bool machine_has(const char *isa)
{
#ifdef __x86_64__
    if (strcmp(isa, "amxbf16") == 0)
        return has_amx() && amx_allowed();
    return strcmp(isa, "avx2") == 0
               ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
           : strcmp(isa, "avx512") == 0 ? __builtin_cpu_supports("avx512f")
                                        : __builtin_cpu_supports("avx512bf16");
#else
    (void)isa;
    return false;
#endif
}

static void run_chains(void *context)
{
    float (*const chains)(float) = *(float (**)(float))context;
    volatile float sink = 0;

#pragma omp parallel
    sink = chains(0.5f);
    (void)sink;
}

/* peak ISA THREADS: GFLOP/s */
static double peak(int argc, char **argv)
{
    for (int i = 0; argc > 1 && peaks[i].isa; i++) {
        float (*chains)(float) = peaks[i].chains;

        if (strcmp(peaks[i].isa, argv[1]) != 0)
            continue;
        if (!machine_has(argv[1]))
            return perf_cannot("this machine has no such instructions");
        omp_set_num_threads((int)perf_arg(argc, argv, 2));
        return perf_rate(run_chains, &chains,
                         1e-9 * peaks[i].flops * (double)perf_arg(argc, argv, 2));
    }
    return perf_cannot("no such instruction set");
}

/* ---- memory: more than any cache holds ---- */

static const size_t memory_bytes = (size_t)1 << 30;

static uint64_t *memory(void)
{
    static uint64_t *p;

    if (!p) {
        p = xaligned(memory_bytes);
        (void)madvise(p, memory_bytes, MADV_HUGEPAGE);
        memset(p, 1, memory_bytes);
    }
    return p;
}

static void read_memory(void *context)
{
    const uint64_t *const p = context;
    const int64_t n = (int64_t)(memory_bytes / sizeof *p);
    uint64_t sum = 0;

#pragma omp parallel for simd reduction(+ : sum) schedule(static)
    for (int64_t i = 0; i < n; i++)
        sum += p[i];
    *(volatile uint64_t *)&sum = sum;
}

static void write_memory(void *context)
{
    char *const p = context;

#pragma omp parallel
    {
        const size_t part = memory_bytes / (size_t)omp_get_num_threads();

        memset(p + part * (size_t)omp_get_thread_num(), 2, part);
    }
}

/* read THREADS, write THREADS: GB/s */
static double read_rate(int argc, char **argv)
{
    omp_set_num_threads((int)perf_arg(argc, argv, 1));
    return perf_rate(read_memory, memory(), 1e-9 * (double)memory_bytes);
}

static double write_rate(int argc, char **argv)
{
    omp_set_num_threads((int)perf_arg(argc, argv, 1));
    return perf_rate(write_memory, memory(), 1e-9 * (double)memory_bytes);
}

/* ---- OpenBLAS ---- */

struct blas {
    void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
    void (*threads)(int);
    int M, N, K;
    bool trans_b;
    const float *a, *b;
    float *c;
};

static void *symbol(const char *name)
{
    static void *library;

    if (!library)
        library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, name) : NULL;
}

static void run_sgemm(void *context)
{
    enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
    const struct blas *const s = context;

    s->sgemm(ROW_MAJOR, NO_TRANS, s->trans_b ? TRANS : NO_TRANS, s->M, s->N, s->K, 1, s->a, s->K,
             s->b, s->trans_b ? s->K : s->N, 0, s->c, s->N);
}

static float *random_floats(size_t n)
{
    float *const x = xaligned(n * sizeof *x);
    uint32_t r = 1;

    for (size_t i = 0; i < n; i++) {
        r = r * 1664525u + 1013904223u;
        x[i] = (float)(r >> 8) * 0x1p-23f - 1;
    }
    return x;
}

/* sgemm forward|dx M O C THREADS, of a weight (O, C): GFLOP/s */
static double sgemm(int argc, char **argv)
{
    const int64_t M = perf_arg(argc, argv, 2), O = perf_arg(argc, argv, 3),
                  C = perf_arg(argc, argv, 4);
    const bool forward = argc > 1 && strcmp(argv[1], "forward") == 0;
    struct blas s = {
        .M = (int)M, .N = (int)(forward ? O : C), .K = (int)(forward ? C : O), .trans_b = forward
    };
    double rate;

    *(void **)&s.sgemm = symbol("cblas_sgemm");
    *(void **)&s.threads = symbol("openblas_set_num_threads");
    if (!s.sgemm || !s.threads)
        return perf_cannot("not installed");
    s.threads((int)perf_arg(argc, argv, 5));
    s.a = random_floats((size_t)(M * s.K));
    s.b = random_floats((size_t)(O * C));
    s.c = random_floats((size_t)(M * s.N));
    rate = perf_rate(run_sgemm, &s, 2e-9 * (double)M * (double)O * (double)C);
    free((void *)s.a);
    free((void *)s.b);
    free(s.c);
    return rate;
}

int main(int argc, char **argv)
{
    static const struct perf_case cases[] = {
        { "peak", peak },   { "read", read_rate }, { "write", write_rate },
        { "sgemm", sgemm }, { NULL, NULL },
    };
    char *(*config)(void);

    if (argc == 2 && strcmp(argv[1], "--openblas") == 0) {
        *(void **)&config = symbol("openblas_get_config");
        puts(config ? config() : "OpenBLAS not installed");
        return 0;
    }
    return perf_main(cases);
}
