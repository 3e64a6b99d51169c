/*
 * cuBLASLt, opened when the first product asks for it (it is half a gigabyte): f32 sums, no TF32, no
 * sums by atomics, so the same device gives the same bytes. The algorithm of a shape is what the
 * library's heuristic puts first, kept for the process.
 */
#include "cuda_impl.h"

#if defined(__CUDACC__) && __has_include(<cublasLt.h>)

#include <cublasLt.h>
#include <dlfcn.h>

#define FUNCTIONS(X)                                                                               \
    X(Create) X(Destroy) X(Matmul) X(MatmulDescCreate) X(MatmulDescDestroy)                        \
    X(MatmulDescSetAttribute) X(MatrixLayoutCreate) X(MatrixLayoutDestroy)                         \
    X(MatmulPreferenceCreate) X(MatmulPreferenceDestroy) X(MatmulPreferenceSetAttribute)           \
    X(MatmulAlgoGetHeuristic)

#define DECLARE(f) decltype(&cublasLt##f) f;
static struct {
    FUNCTIONS(DECLARE)
    bool tried, there;
    cublasLtHandle_t handle;
} lt;

enum { WORKSPACE = 32 << 20, KEPT = 512 };

/* What the choice of an algorithm depends on. */
struct shape {
    int64_t M, N, K, lda, ldb, ldc;
    int32_t t, to, turned, align, plus; /* t, to: types of the operands, and of the result */
};

static struct {
    struct shape shape;
    cublasLtMatmulAlgo_t algo;
    size_t workspace;
    bool set, none; /* none: the library has no algorithm for it */
} kept[KEPT];

#define TEXT_OF(number) #number
#define LIBRARY(major)  "libcublasLt.so." TEXT_OF(major)

/* Opened once, and for good: it has parts that must not go before the process does. */
static void *library(void)
{
    static void *so;

    if (!so)
        so = dlopen(LIBRARY(CUBLAS_VER_MAJOR), RTLD_NOW | RTLD_LOCAL);
    return so;
}

static bool load(void)
{
    void *const so = library();

    if (!so)
        return false;
#define FIND(f)                                                                                    \
    lt.f = (decltype(lt.f))dlsym(so, "cublasLt" #f);                                               \
    if (!lt.f)                                                                                     \
        return false;
    FUNCTIONS(FIND)
    return lt.Create(&lt.handle) == CUBLAS_STATUS_SUCCESS;
}

/* One product as the library describes it; it counts columns first, so that c^T = b^T a^T. */
struct call {
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t a, b, c;
};

static cudaDataType_t type_of(int32_t t)
{
    return t == DT_F16 ? CUDA_R_16F : t == DT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static bool describe(struct call *d, const struct shape *s)
{
    const cudaDataType_t type = type_of(s->t);
    const cublasOperation_t on_a = s->turned & 1 ? CUBLAS_OP_T : CUBLAS_OP_N,
                            on_b = s->turned & 2 ? CUBLAS_OP_T : CUBLAS_OP_N;
    const bool a = s->turned & 1, b = s->turned & 2;

    return lt.MatmulDescCreate(&d->op, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
           lt.MatmulDescSetAttribute(d->op, CUBLASLT_MATMUL_DESC_TRANSA, &on_b, sizeof on_b) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.MatmulDescSetAttribute(d->op, CUBLASLT_MATMUL_DESC_TRANSB, &on_a, sizeof on_a) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.MatrixLayoutCreate(&d->b, type, (uint64_t)(b ? s->K : s->N), (uint64_t)(b ? s->N : s->K),
                                 s->ldb) == CUBLAS_STATUS_SUCCESS &&
           lt.MatrixLayoutCreate(&d->a, type, (uint64_t)(a ? s->M : s->K), (uint64_t)(a ? s->K : s->M),
                                 s->lda) == CUBLAS_STATUS_SUCCESS &&
           lt.MatrixLayoutCreate(&d->c, type_of(s->to), (uint64_t)s->N, (uint64_t)s->M, s->ldc) ==
               CUBLAS_STATUS_SUCCESS;
}

static void forget(struct call *d)
{
    if (d->op)
        (void)lt.MatmulDescDestroy(d->op);
    if (d->a)
        (void)lt.MatrixLayoutDestroy(d->a);
    if (d->b)
        (void)lt.MatrixLayoutDestroy(d->b);
    if (d->c)
        (void)lt.MatrixLayoutDestroy(d->c);
}

static bool choose(int at, const struct call *d, const struct shape *s)
{
    const uint64_t workspace = WORKSPACE;
    const uint32_t align = (uint32_t)s->align, reduce = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulPreference_t p = NULL;
    cublasLtMatmulHeuristicResult_t best;
    int n = 0;
    bool ok = lt.MatmulPreferenceCreate(&p) == CUBLAS_STATUS_SUCCESS;

#define PREFER(what, value)                                                                        \
    ok = ok && lt.MatmulPreferenceSetAttribute(p, CUBLASLT_MATMUL_PREF_##what, &value,             \
                                               sizeof value) == CUBLAS_STATUS_SUCCESS
    PREFER(MAX_WORKSPACE_BYTES, workspace);
    PREFER(REDUCTION_SCHEME_MASK, reduce);
    PREFER(MIN_ALIGNMENT_A_BYTES, align);
    PREFER(MIN_ALIGNMENT_B_BYTES, align);
    PREFER(MIN_ALIGNMENT_C_BYTES, align);
    PREFER(MIN_ALIGNMENT_D_BYTES, align);
    ok = ok && lt.MatmulAlgoGetHeuristic(lt.handle, d->op, d->b, d->a, d->c, d->c, p, 1, &best, &n) ==
                   CUBLAS_STATUS_SUCCESS &&
         n == 1 && best.state == CUBLAS_STATUS_SUCCESS;
    if (p)
        (void)lt.MatmulPreferenceDestroy(p);
    kept[at].shape = *s;
    kept[at].set = true;
    kept[at].none = !ok;
    if (ok) {
        kept[at].algo = best.algo;
        kept[at].workspace = best.workspaceSize;
    }
    return ok;
}

static int place_of(const struct shape *s)
{
    const uint32_t *const word = (const uint32_t *)s;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < sizeof *s / sizeof *word; i++)
        hash = (hash ^ word[i]) * 16777619u;
    return (int)(hash % KEPT);
}

/* The largest power of two, at most 256, that all three addresses are multiples of. */
static int32_t alignment(const void *a, const void *b, const void *c)
{
    const uintptr_t bits = (uintptr_t)a | (uintptr_t)b | (uintptr_t)c | 256;

    return (int32_t)(bits & (~bits + 1));
}

const char *blaslt_missing(void)
{
    return library() ? NULL : LIBRARY(CUBLAS_VER_MAJOR);
}

int blaslt_ready(void)
{
    if (!lt.tried) {
        lt.tried = true;
        lt.there = load();
    }
    if (!lt.there)
        return 1;
    return cuda_scratch(SCRATCH_GEMM, WORKSPACE) ? 0 : -1;
}

int blaslt_gemm(struct product_to c, struct matrix a, struct matrix b, enum dtype t, int64_t M, int64_t N,
                int64_t K, float alpha)
{
    const int ready = blaslt_ready();

    if (ready != 0 || K == 0)
        return ready < 0 ? -1 : 1;
    struct shape s;

    memset(&s, 0, sizeof s);
    s.M = M, s.N = N, s.K = K, s.lda = a.ld, s.ldb = b.ld, s.ldc = c.ld;
    s.t = t, s.to = c.type, s.turned = a.turned | b.turned << 1;
    s.align = alignment(a.p, b.p, c.p), s.plus = c.beta != 0;
    const int at = place_of(&s);
    const bool known = kept[at].set && !memcmp(&kept[at].shape, &s, sizeof s);
    struct call d = { 0 };
    void *const workspace = cuda_scratch(SCRATCH_GEMM, WORKSPACE);
    int rc = 1;

    if (known && kept[at].none)
        return 1;
    if (describe(&d, &s) && (known || choose(at, &d, &s))) {
        const cublasStatus_t status =
            lt.Matmul(lt.handle, d.op, &alpha, b.p, d.b, a.p, d.a, &c.beta, c.p, d.c, c.p, d.c,
                      &kept[at].algo, workspace, kept[at].workspace, cuda_stream);

        rc = status == CUBLAS_STATUS_SUCCESS
                 ? 0
                 : cuda_fail(EX_UNAVAILABLE, "the device failed in cuBLASLt with status %d; see whether "
                                             "other programs run on it, or use --device cpu",
                             (int)status);
    }
    forget(&d);
    return rc;
}

size_t blaslt_bytes(void)
{
    return WORKSPACE;
}

void blaslt_close(void)
{
    if (lt.there)
        (void)lt.Destroy(lt.handle);
    lt.tried = lt.there = false;
    memset(kept, 0, sizeof kept);
}

#else

const char *blaslt_missing(void)
{
    return NULL; /* there is nothing that it could be built with */
}

int blaslt_ready(void)
{
    return 1;
}

int blaslt_gemm(struct product_to, struct matrix, struct matrix, enum dtype, int64_t, int64_t, int64_t, float)
{
    return 1;
}

size_t blaslt_bytes(void)
{
    return 0;
}

void blaslt_close(void)
{
}

#endif
