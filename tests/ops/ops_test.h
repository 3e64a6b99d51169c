/*
 * ops_test.h - what the op tests share: the tables, arrays on a device that release themselves, a
 * comparison of every table with ref at several thread counts, and finite differences.
 *
 * An op test states facts computed by hand, then gives check_op a function that runs the op on
 * random data, for each of its shapes.
 */
#ifndef OPS_TEST_H
#define OPS_TEST_H

#include "block_code.h"
#include "cpu/cpu.h"
#include "kernels.h"
#include "linear_alone.h"
#include "mem.h"
#include "plugin.h"
#include "ref/ref.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OP_TEST(f)       cmocka_unit_test_setup_teardown(f, open_ref, release_all)
#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)
#define COUNT(array)     ((int)(sizeof(array) / sizeof *(array)))

/* The reference, the CPU backend with each instruction set it has, and CUDA: on a card, or its
 * kernels on the CPU (tests/emulate). What CPU_TABLES promise beyond the others: a row's bytes do
 * not depend on the rows beside it. CUDA_BF16, whose activations are bf16, is for check_op alone.
 */
enum {
    REF,
    PORTABLE,
    AVX2,
    AVX512,
    AVX512BF16,
    AMXBF16,
    CPU_TABLES,
    CUDA = CPU_TABLES,
    TABLES,
    EMULATED = TABLES,
    CUDA_BF16,
    ALL_TABLES
};

static const char *const sets[ALL_TABLES] = { "ref",    "portable",         "avx2",
                                              "avx512", "avx512bf16",       "amxbf16",
                                              "cuda",   "amxbf16-emulated", "cuda in bf16" };
static struct ops tables[ALL_TABLES];

/* The plug-in in the folder that CUDA_PLUGIN names, else the one for the CPU, where it was built.
 */
static inline bool open_cuda(int t)
{
    const char *const build = getenv("BUILD"), *const chosen = getenv("CUDA_PLUGIN");
    char folder[512];

    (void)snprintf(folder, sizeof folder, "%s/emulated", build ? build : "build/release");
    setenv("SLMTOOLS_LIB", chosen ? chosen : folder, 1);
    return plugin_is_there("cuda") &&
           plugin_ops(&tables[t], "cuda", 0, t == CUDA_BF16 ? DT_BF16 : DT_F32) == 0;
}

static inline bool open_cpu(int t)
{
    setenv("SLMTOOLS_CPU", sets[t], 1);
    const bool opened = cpu_ops(&tables[t], DT_F32) == 0;

    unsetenv("SLMTOOLS_CPU");
    return opened;
}

/* Opens table T, or the first after it that this machine can run, and returns its number; TABLES
 * when there is none. One is open at a time:  for (int t = use(REF); t < TABLES; t = use(t + 1)) */
static inline int use(int t)
{
    while (t > REF && t < TABLES && !(t == CUDA ? open_cuda(t) : open_cpu(t)))
        t++;
    if (t == REF)
        ref_ops(&tables[REF]);
    return t;
}

/* ---- memory that lives until the end of a test ---- */

struct held {
    const struct ops *ops; /* NULL: host memory */
    void *p;
};

static struct held *held;
static size_t n_held;

static inline void *hold(const struct ops *ops, void *p)
{
    assert_non_null(p);
    held = xnrealloc(held, n_held + 1, sizeof *held);
    held[n_held++] = (struct held){ ops, p };
    return p;
}

static inline void release_from(size_t first)
{
    while (n_held > first) {
        const struct held h = held[--n_held];

        if (h.ops)
            h.ops->release(h.p);
        else
            free(h.p);
    }
}

static inline int open_ref(void **state)
{
    (void)state;
    (void)use(REF);
    return 0;
}

static inline int release_all(void **state)
{
    (void)state;
    release_from(0);
    free(held);
    held = NULL;
    return 0;
}

static inline void *host(size_t bytes)
{
    return hold(NULL, xmalloc(bytes));
}

/* Device memory with a copy of HOST_BYTES. */
static inline struct dev *put_bytes(const struct ops *o, const void *host_bytes, size_t bytes)
{
    struct dev *const d = hold(o, o->alloc(bytes));

    assert_int_equal(o->put(d, host_bytes, bytes), 0);
    return d;
}

static inline struct dev *put_floats(const struct ops *o, const float *x, int64_t n)
{
    return put_bytes(o, x, (size_t)n * sizeof *x);
}

static inline struct dev *put_ints(const struct ops *o, const int32_t *x, int64_t n)
{
    return put_bytes(o, x, (size_t)n * sizeof *x);
}

/* Room for n floats, all NaN: what an op forgets to write is seen. */
static inline struct dev *room(const struct ops *o, int64_t n)
{
    const size_t bytes = (size_t)n * sizeof(float);
    void *const nan = xmalloc(bytes);
    struct dev *d;

    memset(nan, 0xff, bytes);
    d = put_bytes(o, nan, bytes);
    free(nan);
    return d;
}

static inline float *get_floats(const struct ops *o, const struct dev *d, int64_t n)
{
    float *const x = host((size_t)n * sizeof *x);

    assert_int_equal(o->get(x, d, (size_t)n * sizeof *x), 0);
    return x;
}

/* ---- activations ---- */

/* What they are rounded to before any table gets them: the inputs of a table that has them in bf16,
 * and ref's that it is compared with. Weights round to it too. */
static enum dtype act_round = DT_F32;

static inline struct dev *put_act(const struct ops *o, const float *x, int64_t n)
{
    float *const rounded = host((size_t)n * sizeof *rounded);
    uint16_t *const half = host((size_t)n * sizeof *half);

    for (int64_t i = 0; i < n; i++) {
        rounded[i] = f32_rounded(x[i], act_round);
        half[i] = bf16_of_f32(x[i]);
    }
    return o->act == DT_F32 ? put_floats(o, rounded, n)
                            : put_bytes(o, half, (size_t)n * sizeof *half);
}

static inline struct dev *act_room(const struct ops *o, int64_t n)
{
    return room(o, o->act == DT_F32 ? n : (n + 1) / 2);
}

static inline float *get_act(const struct ops *o, const struct dev *d, int64_t n)
{
    float *const x = host((size_t)n * sizeof *x);
    uint16_t *const half = host((size_t)n * sizeof *half);

    if (o->act == DT_F32)
        return get_floats(o, d, n);
    assert_int_equal(o->get(half, d, (size_t)n * sizeof *half), 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = f32_of_bf16(half[i]);
    return x;
}

/* For struct lora's KEPT of x (n, C). */
static inline struct dev *kept_room(const struct ops *o, int64_t n, int64_t C)
{
    return room(o, (int64_t)lora_kept_bytes(n, C) / 4);
}

/* ---- random data ---- */

/* Uniform in [-1, 1) (splitmix64). */
static inline float noise(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)(z >> 40) * 0x1p-23f - 1;
}

static inline float *random_floats(int64_t n, uint64_t seed)
{
    float *const x = host((size_t)n * sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = noise(&seed);
    return x;
}

static inline struct dev *put_random(const struct ops *o, int64_t n, uint64_t seed)
{
    return put_floats(o, random_floats(n, seed), n);
}

static inline struct dev *put_random_act(const struct ops *o, int64_t n, uint64_t seed)
{
    return put_act(o, random_floats(n, seed), n);
}

/* N blocks of format T: random bytes, and halves of both signs so that elements are about SIZE. */
static inline uint8_t *random_blocks(enum dtype t, int64_t n, float size, uint64_t seed)
{
    /* where the halves are (the same place twice: there is one), and what they are multiplied with,
     * at most */
    static const struct {
        int first, second;
        float largest, largest_min;
    } of[] = {
        [DT_Q4_0] = { Q4_0_D, Q4_0_D, 8, 8 },
        [DT_Q4_1] = { Q4_1_D, Q4_1_M, 15, 1 },
        [DT_Q5_0] = { Q5_0_D, Q5_0_D, 16, 16 },
        [DT_Q5_1] = { Q5_1_D, Q5_1_M, 31, 1 },
        [DT_Q8_0] = { Q8_0_D, Q8_0_D, 128, 128 },
        [DT_Q2_K] = { Q2_K_D, Q2_K_DMIN, 15 * 3, 15 },
        [DT_Q3_K] = { Q3_K_D, Q3_K_D, 32 * 4, 32 * 4 },
        [DT_Q4_K] = { Q4_K_D, Q4_K_DMIN, 63 * 15, 63 },
        [DT_Q5_K] = { Q5_K_D, Q5_K_DMIN, 63 * 31, 63 },
        [DT_Q6_K] = { Q6_K_D, Q6_K_D, 128 * 32, 128 * 32 },
        [DT_IQ4_NL] = { IQ4_NL_D, IQ4_NL_D, 127, 127 },
        [DT_IQ4_XS] = { IQ4_XS_D, IQ4_XS_D, 32 * 127, 32 * 127 },
    };
    const size_t bytes = dtype_bytes(t, (size_t)dtype_block(t));
    uint8_t *const p = host((size_t)n * bytes);

    for (size_t i = 0; i < (size_t)n * bytes; i++)
        p[i] = (uint8_t)(int)(noise(&seed) * 128);
    for (int64_t i = 0; i < n; i++) {
        const uint16_t d = f16_of_f32(noise(&seed) * size / of[t].largest),
                       m = f16_of_f32(noise(&seed) * size / of[t].largest_min);

        memcpy(p + (size_t)i * bytes + of[t].second, &m, sizeof m);
        memcpy(p + (size_t)i * bytes + of[t].first, &d, sizeof d);
    }
    return p;
}

/* A weight of any storage, elements about 1/sqrt(C) as trained ones are. */
static inline struct weight random_weight(const struct ops *o, enum dtype dtype, int64_t rows,
                                          int64_t cols, int block, enum dtype round, uint64_t seed)
{
    const int64_t n = rows * cols, blocks = (n + block - 1) / block;
    float *const x = random_floats(n, seed);
    struct weight w = { .dtype = dtype,
                        .rows = rows,
                        .cols = cols,
                        .block = block,
                        .round = act_round == DT_F32 ? round : act_round };

    if (dtype_is_blocks(dtype)) {
        w.data =
            put_bytes(o, random_blocks(dtype, n / dtype_block(dtype), 1 / sqrtf((float)cols), seed),
                      dtype_bytes(dtype, (size_t)n));
        return w;
    }

    uint16_t *const half = host((size_t)n * sizeof *half);

    for (int64_t i = 0; i < n; i++) {
        x[i] /= sqrtf((float)cols);
        half[i] = dtype == DT_F16 ? f16_of_f32(x[i]) : bf16_of_f32(x[i]);
    }
    if (dtype == DT_F32) {
        w.data = put_floats(o, x, n);
    } else if (dtype != DT_NF4) {
        w.data = put_bytes(o, half, (size_t)n * sizeof *half);
    } else {
        struct dev *const codes = hold(o, o->alloc((size_t)(n + 1) / 2)), *const absmax =
                                                                              room(o, blocks);

        assert_int_equal(o->nf4_quantize(codes, absmax, put_floats(o, x, n), DT_F32, n, block, 0),
                         0);
        w.data = codes;
        w.absmax = absmax;
    }
    return w;
}

/* ---- packed batches ---- */

/* Sequences of LENGTHS end to end, each seeing its own rows only; sample 100, 101, ... */
static inline struct seq *sequences(const int *lengths, int n)
{
    struct seq *const s = host((size_t)n * sizeof *s);
    int32_t at = 0;

    for (int i = 0; i < n; i++) {
        s[i] = (struct seq){ .q_start = at,
                             .q_len = lengths[i],
                             .k_start = at,
                             .k_len = lengths[i],
                             .sample = 100u + (uint32_t)i };
        at += lengths[i];
    }
    return s;
}

static inline struct packed pack(const struct ops *o, const struct seq *seq, int64_t seqs)
{
    struct packed p = { .seqs = seqs, .seq = seq };
    int32_t *pos, *sample, at = 0;

    for (int64_t s = 0; s < seqs; s++)
        p.tokens += seq[s].q_len;
    pos = host((size_t)p.tokens * sizeof *pos);
    sample = host((size_t)p.tokens * sizeof *sample);
    for (int64_t s = 0; s < seqs; s++)
        for (int32_t i = 0; i < seq[s].q_len; i++, at++) {
            pos[at] = seq[s].shared_len + seq[s].k_len - seq[s].q_len + i;
            sample[at] = (int32_t)seq[s].sample;
        }
    p.seq_dev = put_bytes(o, seq, (size_t)seqs * sizeof *seq);
    p.pos = put_ints(o, pos, p.tokens);
    p.sample = put_ints(o, sample, p.tokens);
    return p;
}

static inline struct packed pack_lengths(const struct ops *o, const int *lengths, int n)
{
    return pack(o, sequences(lengths, n), n);
}

/* Attention over rows that follow one another without gaps. */
static inline struct attention attention_shape(int64_t H, int64_t K, int64_t D, float scale)
{
    return (struct attention){
        .heads = H, .kv_heads = K, .head_dim = D, .q_ld = H * D, .kv_ld = K * D, .scale = scale
    };
}

/* ---- comparisons ---- */

/* Normalised mean squared error of x (n) against WANT. */
static inline double nmse(const float *x, const float *want, int64_t n)
{
    double error = 0, size = 0;

    for (int64_t i = 0; i < n; i++) {
        error += ((double)x[i] - want[i]) * ((double)x[i] - want[i]);
        size += (double)want[i] * want[i];
    }
    return size > 0 ? error / size : error;
}

static inline void assert_close(const char *what, double x, double want, double tolerance)
{
    if (!(fabs(x - want) <= tolerance))
        fail_msg("%s is %.9g, wanted %.9g within %g", what, x, want, tolerance);
}

static inline void assert_floats(const char *what, const float *x, const float *want, int64_t n,
                                 double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)x[i] - want[i]) <= tolerance))
            fail_msg("%s[%lld] is %.9g, wanted %.9g within %g", what, (long long)i, x[i], want[i],
                     tolerance);
}

struct output {
    const char *name;
    float *x;
    int64_t n;
};

struct outputs {
    int n;
    struct output of[8];
};

/* Keeps what an op wrote to D (n floats) for the comparison. */
static inline void give(struct outputs *out, const struct ops *o, const char *name,
                        const struct dev *d, int64_t n)
{
    assert_true(out->n < COUNT(out->of));
    out->of[out->n++] = (struct output){ name, get_floats(o, d, n), n };
}

static inline void give_act(struct outputs *out, const struct ops *o, const char *name,
                            const struct dev *d, int64_t n)
{
    assert_true(out->n < COUNT(out->of));
    out->of[out->n++] = (struct output){ name, get_act(o, d, n), n };
}

/* Rows of WIDTH, LD apart, of an activation. */
static inline void give_rows(struct outputs *out, const struct ops *o, const char *name,
                             const struct dev *x, int64_t rows, int64_t width, int64_t ld)
{
    const float *const all = get_act(o, x, rows * ld);
    float *const some = host((size_t)(rows * width) * sizeof *some);

    for (int64_t i = 0; i < rows; i++)
        memcpy(some + i * width, all + i * ld, (size_t)width * sizeof *some);
    assert_true(out->n < COUNT(out->of));
    out->of[out->n++] = (struct output){ name, some, rows * width };
}

/* Runs an op of O on data that depends on SHAPE alone. */
typedef void op_run(struct outputs *out, const struct ops *o, const void *shape);

static inline struct outputs run_op(op_run *run, const struct ops *o, const void *shape)
{
    struct outputs out = { 0 };

    run(&out, o, shape);
    return out;
}

static inline void check_bytes(int t, const struct outputs *got, const struct outputs *want,
                               const char *when)
{
    for (int i = 0; i < want->n; i++)
        if (memcmp(got->of[i].x, want->of[i].x, (size_t)want->of[i].n * sizeof(float)))
            fail_msg("%s: %s has other bytes %s", sets[t], want->of[i].name, when);
}

/* Has table T work as it may: on so many threads, or with those of a block in such an order. */
static inline bool vary(int t, int k)
{
    static const int threads[] = { 1, 2, 3, 8 };
    static const char *const order[] = { "forward", "reverse" };

    const bool cuda = t == CUDA || t == CUDA_BF16;

    if (k == (cuda ? COUNT(order) : COUNT(threads)))
        return false;
    if (cuda)
        setenv("SLMTOOLS_EMULATE_ORDER", order[k], 1);
    else
        omp_set_num_threads(threads[k]);
    return true;
}

/* Table T agrees with WANT to an NMSE of TOLERANCE, and has the same bytes however it works. */
static inline void check_table(int t, op_run *run, const void *shape, int number, double tolerance,
                               const struct outputs *want)
{
    (void)vary(t, 0);
    const struct outputs first = run_op(run, &tables[t], shape);

    for (int i = 0; i < first.n; i++) {
        const double e = nmse(first.of[i].x, want->of[i].x, first.of[i].n);

        /* of a few numbers the mean may be far from what roundings make of many */
        const int64_t n = first.of[i].n;
        const double allowed = n < 128 ? tolerance * (1 + 5 / sqrt((double)n)) : tolerance;

        if (!(e <= allowed))
            fail_msg("%s: %s of shape %d is off by NMSE %g, allowed %g", sets[t], first.of[i].name,
                     number, e, allowed);
    }
    for (int k = 1; vary(t, k); k++) {
        const struct outputs again = run_op(run, &tables[t], shape);

        check_bytes(t, &again, &first, "on other threads");
    }
}

/* Every table agrees with ref, and where activations are bf16 with ref on inputs that are rounded
 * to it: each of four roundings is off by 2^-9 at most, 2e-6 of its square. */
static inline void check_op(op_run *run, const void *shape, int number, double tolerance)
{
    const size_t before = n_held;
    const struct outputs want = run_op(run, &tables[use(REF)], shape);

    for (int t = REF; t < TABLES; t = use(t + 1))
        check_table(t, run, shape, number, tolerance, &want);
    if (open_cuda(CUDA_BF16)) {
        act_round = DT_BF16;
        const struct outputs rounded = run_op(run, &tables[REF], shape);

        check_table(CUDA_BF16, run, shape, number, fmax(tolerance, 1e-5), &rounded);
        act_round = DT_F32;
    }
    omp_set_num_threads(omp_get_num_procs());
    release_from(before);
}

#define CHECK_OP(run, shapes, tolerance)                                                           \
    for (int number_ = 0; number_ < COUNT(shapes); number_++)                                      \
    check_op(run, &(shapes)[number_], number_, tolerance)

/* ---- gradients ---- */

/* The loss of finite differences: sum of g[i] * out[i]. */
static inline double weighted_sum(const float *g, const float *out, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)g[i] * out[i];
    return sum;
}

/*
 * GRAD (n) is what a backward op says d loss / d x is; LOSS computes the loss anew from x, which
 * lies in host memory. Central differences with a step of 1/64: their own error is about 1e-4 of
 * the third derivative, and rounding of the outputs to float adds less than 1e-5; TOLERANCE is a
 * part of the largest entry.
 */
static inline void check_gradient(const char *what, float *x, const float *grad, int64_t n,
                                  double tolerance, double (*loss)(void *), void *context)
{
    const float step = 0x1p-6f;
    double largest = 0;

    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(grad[i]));
    assert_true(largest > 0);
    for (int64_t i = 0; i < n; i++) {
        const float at = x[i];
        double up, down;

        x[i] = at + step;
        up = loss(context);
        x[i] = at - step;
        down = loss(context);
        x[i] = at;
        const double slope = (up - down) / ((double)(at + step) - (double)(at - step));

        if (!(fabs(slope - grad[i]) <= tolerance * largest))
            fail_msg("%s: d loss / d x[%lld] is %g, the op says %g, largest %g", what, (long long)i,
                     slope, grad[i], largest);
    }
}

#endif
