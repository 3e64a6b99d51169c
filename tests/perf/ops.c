/* How fast ops of kernels.h run on the CPU backend; one line a measurement, see perf.h. */
#include "cpu/cpu.h"
#include "linear_alone.h"
#include "mem.h"
#include "perf.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ops ops;

static void must(int rc)
{
    if (rc)
        die_err();
}

static struct dev *room(int64_t bytes)
{
    struct dev *const d = ops.alloc((size_t)bytes);

    if (!d)
        die_err();
    return d;
}

static struct dev *random_floats(int64_t n)
{
    struct dev *const d = room(n * 4);
    float *const x = (float *)(void *)d;
    uint32_t r = 1;

    for (int64_t i = 0; i < n; i++) {
        r = r * 1664525u + 1013904223u;
        x[i] = (float)(r >> 8) * 0x1p-23f - 1;
    }
    return d;
}

static struct dev *random_halves(int64_t n, enum dtype dtype)
{
    struct dev *const d = room(n * 2), *const from = random_floats(n);
    const float *const x = (const float *)(void *)from;
    uint16_t *const half = (uint16_t *)(void *)d;

    for (int64_t i = 0; i < n; i++)
        half[i] = dtype == DT_F16 ? f16_of_f32(x[i]) : bf16_of_f32(x[i]);
    ops.release(from);
    return d;
}

/* N bytes of a block format: no two bytes make a half float that is infinite or NaN. */
static struct dev *random_blocks(int64_t n)
{
    struct dev *const d = room(n);
    uint8_t *const p = (uint8_t *)(void *)d;
    uint32_t r = 1;

    for (int64_t i = 0; i < n; i++) {
        r = r * 1664525u + 1013904223u;
        p[i] = (uint8_t)(r >> 24 & 0xbb);
    }
    return d;
}

/* ---- linear ---- */

enum { BLOCK = 64 };

static enum dtype storage_of(const char *name)
{
    for (enum dtype t = DT_Q4_0; t <= DT_IQ4_XS; t++)
        if (strcmp(name, dtype_torch_name(t)) == 0)
            return t;
    return strcmp(name, "nf4") == 0      ? DT_NF4
           : strcmp(name, "bf16x3") == 0 ? DT_BF16X3
           : strcmp(name, "fp16") == 0   ? DT_F16
           : strcmp(name, "bf16") == 0   ? DT_BF16
                                         : DT_F32;
}

static int64_t weight_bytes(enum dtype dtype, int64_t n)
{
    return dtype == DT_NF4 ? n / 2 + n / BLOCK * 4 : (int64_t)dtype_bytes(dtype, (size_t)n);
}

static struct weight random_weight(enum dtype dtype, int64_t O, int64_t C, enum dtype round)
{
    struct weight w = { .dtype = dtype, .rows = O, .cols = C, .block = BLOCK, .round = round };

    if (dtype == DT_NF4) {
        struct dev *const x = random_floats(O * C), *const codes = room(O * C / 2),
                          *const absmax = room(O * C / BLOCK * 4);

        must(ops.nf4_quantize(codes, absmax, x, DT_F32, O * C, BLOCK, 0));
        ops.release(x);
        w.data = codes;
        w.absmax = absmax;
    } else if (dtype_is_blocks(dtype)) {
        w.data = random_blocks(weight_bytes(dtype, O * C));
    } else {
        w.data = dtype == DT_F32 ? random_floats(O * C) : random_halves(O * C, dtype);
    }
    return w;
}

static struct dev *copy_of(const struct dev *from, int64_t bytes)
{
    struct dev *const to = room(bytes);

    memcpy(to, from, (size_t)bytes);
    return to;
}

static struct weight copy_weight(const struct weight *w)
{
    const int64_t n = w->rows * w->cols;
    struct weight c = *w;

    c.data = copy_of(w->data, w->dtype == DT_NF4 ? n / 2 : weight_bytes(w->dtype, n));
    if (w->absmax)
        c.absmax = copy_of(w->absmax, n / BLOCK * 4);
    return c;
}

static void release_weight(struct weight *w)
{
    ops.release((struct dev *)w->data);
    ops.release((struct dev *)w->absmax);
}

enum { FEW_ROWS = 8, COPIES_MAX = 1024 };

struct measured {
    struct weight w[COPIES_MAX];
    int copies, next;
    struct dev *x, *y;
    int64_t M;
    bool forward;
};

static void run_linear(void *context)
{
    struct measured *const l = context;
    const struct weight *const w = &l->w[l->next++ % l->copies];
    const int rc = l->forward ? linear_alone(&ops, l->y, NULL, l->x, w, NULL, NULL, NULL, l->M)
                              : ops.linear_backward(l->x, NULL, NULL, l->y, NULL, NULL, NULL, w,
                                                    NULL, NULL, l->M, false);

    must(rc);
}

/* forward|dx STORAGE M O C THREADS [bf16|bf16x3], rounded to that: GFLOP/s; with few rows GB/s of
 * weights. Those are bound by memory, so that each pass takes another copy: together they are more
 * than any cache holds. */
static double linear(int argc, char **argv)
{
    const int64_t M = perf_arg(argc, argv, 2), O = perf_arg(argc, argv, 3),
                  C = perf_arg(argc, argv, 4);
    const enum dtype dtype = storage_of(argc > 1 ? argv[1] : "");
    const int64_t bytes = weight_bytes(dtype, O * C);
    static struct measured l;
    double rate;

    l = (struct measured){ .copies = 1, .M = M, .forward = strcmp(argv[0], "forward") == 0 };
    omp_set_num_threads((int)perf_arg(argc, argv, 5));
    l.w[0] = random_weight(dtype, O, C, storage_of(argc > 6 ? argv[6] : "fp32"));
    while (M < FEW_ROWS && l.copies < COPIES_MAX && l.copies * bytes < 1 << 30)
        l.w[l.copies++] = copy_weight(&l.w[0]);
    l.x = random_floats(M * C);
    l.y = random_floats(M * O);
    rate = perf_rate(run_linear, &l,
                     M < FEW_ROWS ? 1e-9 * (double)bytes : 2e-9 * (double)(M * O) * (double)C);
    for (int i = 0; i < l.copies; i++)
        release_weight(&l.w[i]);
    ops.release(l.x);
    ops.release(l.y);
    return rate;
}

/* ---- LoRA ---- */

enum { ROWS_MAX = 4096 };

struct lora_case {
    struct weight w;
    struct lora lora;
    struct packed rows;
    struct dev *x, *y, *u, *dx, *da, *db, *low;
    int64_t M;
};

static void run_lora_forward(void *context)
{
    const struct lora_case *const l = context;

    must(linear_alone(&ops, l->y, l->u, l->x, &l->w, NULL, &l->lora, &l->rows, l->M));
}

static void run_lora_backward(void *context)
{
    const struct lora_case *const l = context;

    must(ops.linear_backward(l->dx, l->da, l->db, l->y, l->x, l->u, l->low, &l->w, &l->lora,
                             &l->rows, l->M, false));
}

/* lora|lora-backward STORAGE M O C R PERCENT THREADS [bf16|bf16x3]: a linear under LoRA of rank R
 * that drops PERCENT of its input: GFLOP/s of the weight's product alone. */
static double lora(int argc, char **argv)
{
    const int64_t M = perf_arg(argc, argv, 2), O = perf_arg(argc, argv, 3),
                  C = perf_arg(argc, argv, 4), R = perf_arg(argc, argv, 5);
    const bool forward = strcmp(argv[0], "lora") == 0;
    static int32_t pos[ROWS_MAX];
    struct lora_case l = { .M = M };
    double rate;

    if (M > ROWS_MAX)
        return perf_cannot("too many rows");
    for (int32_t i = 0; i < M; i++)
        pos[i] = i;
    omp_set_num_threads((int)perf_arg(argc, argv, 7));
    l.w = random_weight(storage_of(argv[1]), O, C, storage_of(argc > 8 ? argv[8] : "fp32"));
    l.lora = (struct lora){ random_floats(R * C),
                            random_floats(O * R),
                            R,
                            2,
                            { 0.01f * (float)perf_arg(argc, argv, 6), 1, 1 },
                            ops.alloc(lora_kept_bytes(M, C)) };
    l.rows = (struct packed){ .tokens = M,
                              .pos = (const struct dev *)(const void *)pos,
                              .sample = (const struct dev *)(const void *)pos };
    struct dev **const arrays[] = { &l.x, &l.y, &l.u, &l.dx, &l.da, &l.db, &l.low };
    const int64_t sizes[] = { M * C, M * O, M * R, M * C, R * C, O * R, M * R };

    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = random_floats(sizes[i]);
    rate = perf_rate(forward ? run_lora_forward : run_lora_backward, &l,
                     2e-9 * (double)(M * O) * (double)C);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        ops.release(*arrays[i]);
    ops.release((struct dev *)l.lora.a);
    ops.release((struct dev *)l.lora.b);
    ops.release(l.lora.kept);
    release_weight(&l.w);
    return rate;
}

/* ---- gates and norms ---- */

struct rows_case {
    struct dev *a, *b, *c, *d, *e;
    int64_t N, C;
};

static void run_gate(void *context)
{
    const struct rows_case *const r = context;

    must(ops.gate_forward(r->c, r->a, r->b, r->C, ACT_SILU, r->N, r->C));
}

static void run_gate_backward(void *context)
{
    const struct rows_case *const r = context;

    must(ops.gate_backward(r->d, r->e, r->c, r->a, r->b, r->C, ACT_SILU, r->N, r->C));
}

static void run_rms(void *context)
{
    const struct rows_case *const r = context;

    must(ops.norm_forward(r->c, NULL, r->d, r->a, r->b, NULL, NORM_RMS, r->N, r->C, 1e-5f));
}

static void run_rms_backward(void *context)
{
    const struct rows_case *const r = context;

    must(ops.norm_backward(r->c, r->e, r->a, NULL, r->d, r->b, NORM_RMS, r->N, r->C, false));
}

/* gate|gate-backward|rms|rms-backward N C THREADS: GB/s of what each must read and write. */
static double by_rows(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void *);
        int arrays; /* of (N, C) that are moved */
    } ways[] = { { "gate", run_gate, 3 },
                 { "gate-backward", run_gate_backward, 5 },
                 { "rms", run_rms, 2 },
                 { "rms-backward", run_rms_backward, 3 } };
    const int64_t N = perf_arg(argc, argv, 1), C = perf_arg(argc, argv, 2), n = N * C;
    struct rows_case r = { random_floats(n),
                           random_floats(n),
                           random_floats(n),
                           random_floats(n),
                           random_floats(n),
                           N,
                           C };
    double rate = 0;

    omp_set_num_threads((int)perf_arg(argc, argv, 3));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[0], ways[i].name) == 0)
            rate = perf_rate(ways[i].run, &r, 4e-9 * ways[i].arrays * (double)n);
    ops.release(r.a);
    ops.release(r.b);
    ops.release(r.c);
    ops.release(r.d);
    ops.release(r.e);
    return rate;
}

/* ---- NF4 ---- */

struct nf4 {
    struct weight w;
    struct dev *x, *codes, *absmax;
    enum dtype dtype;
};

static void run_expand(void *context)
{
    const struct nf4 *const q = context;

    must(ops.expand(q->x, &q->w));
}

static void run_quantize(void *context)
{
    const struct nf4 *const q = context;

    must(ops.nf4_quantize(q->codes, q->absmax, q->x, q->dtype, q->w.rows * q->w.cols, BLOCK, 0));
}

/* expand O C THREADS [STORAGE, else nf4]: billions of elements a second */
static double expand(int argc, char **argv)
{
    const int64_t O = perf_arg(argc, argv, 1), C = perf_arg(argc, argv, 2);
    const enum dtype dtype = storage_of(argc > 4 ? argv[4] : "nf4");
    struct nf4 q = { .w = random_weight(dtype, O, C, DT_F32), .x = room(O * C * 4) };
    double rate;

    omp_set_num_threads((int)perf_arg(argc, argv, 3));
    rate = perf_rate(run_expand, &q, 1e-9 * (double)(O * C));
    release_weight(&q.w);
    ops.release(q.x);
    return rate;
}

/* quantize STORAGE O C THREADS: billions of elements a second */
static double quantize(int argc, char **argv)
{
    const int64_t O = perf_arg(argc, argv, 2), C = perf_arg(argc, argv, 3);
    const enum dtype dtype = storage_of(argc > 1 ? argv[1] : "");
    struct nf4 q = { .w = { .rows = O, .cols = C },
                     .x = dtype == DT_F32 ? random_floats(O * C) : random_halves(O * C, dtype),
                     .codes = room(O * C / 2),
                     .absmax = room(O * C / BLOCK * 4),
                     .dtype = dtype };
    double rate;

    omp_set_num_threads((int)perf_arg(argc, argv, 4));
    rate = perf_rate(run_quantize, &q, 1e-9 * (double)(O * C));
    ops.release(q.x);
    ops.release(q.codes);
    ops.release(q.absmax);
    return rate;
}

/* ---- attention, in Phi-2's shape ---- */

enum { HEADS = 32, HEAD_SIZE = 80, TOKENS_MAX = 4096 };

struct attending {
    struct packed rows;
    struct seq seq[TOKENS_MAX];
    struct dev *q, *k, *v, *out, *lse, *dout, *dq, *dk, *dv, *scratch;
};

static const struct attention shape = { .heads = HEADS,
                                        .kv_heads = HEADS,
                                        .head_dim = HEAD_SIZE,
                                        .q_ld = HEADS * HEAD_SIZE,
                                        .kv_ld = HEADS * HEAD_SIZE,
                                        .scale = 0.1118f };

static void run_forward(void *context)
{
    const struct attending *const a = context;

    must(ops.attention_forward(a->out, a->lse, a->q, a->k, a->v, &a->rows, &shape));
}

static void run_backward(void *context)
{
    const struct attending *const a = context;

    must(ops.attention_backward(a->dq, a->dk, a->dv, a->scratch, a->dout, a->out, a->lse, a->q,
                                a->k, a->v, &a->rows, &shape));
}

/* attention|attention-backward TOKENS SEQUENCES THREADS, sequences of TOKENS each: GFLOP/s of the
 * pairs that are seen; backward makes the scores again, so its five products to forward's two. */
static double attention(int argc, char **argv)
{
    const bool forward = strcmp(argv[0], "attention") == 0;
    const int64_t T = perf_arg(argc, argv, 1), S = perf_arg(argc, argv, 2), N = T * S,
                  n = N * HEADS * HEAD_SIZE;
    static struct attending a;
    double rate;

    if (S > TOKENS_MAX)
        return perf_cannot("too many sequences");
    omp_set_num_threads((int)perf_arg(argc, argv, 3));
    a = (struct attending){ .rows = { .tokens = N, .seqs = S, .seq = a.seq } };
    for (int32_t i = 0; i < S; i++)
        a.seq[i] = (struct seq){ .q_start = i * (int32_t)T,
                                 .q_len = (int32_t)T,
                                 .k_start = i * (int32_t)T,
                                 .k_len = (int32_t)T };
    struct dev **const arrays[] = { &a.q, &a.k, &a.v, &a.out, &a.dout, &a.dq, &a.dk, &a.dv };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = random_floats(n);
    a.lse = random_floats(N * HEADS);
    a.scratch = random_floats(N * HEADS);
    run_forward(&a);
    rate = perf_rate(forward ? run_forward : run_backward, &a,
                     2e-9 * HEADS * HEAD_SIZE * (forward ? 2 : 5) * (double)(S * T * (T + 1) / 2));
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        ops.release(*arrays[i]);
    ops.release(a.lse);
    ops.release(a.scratch);
    return rate;
}

int main(void)
{
    static const struct perf_case cases[] = {
        { "forward", linear },
        { "dx", linear },
        { "expand", expand },
        { "quantize", quantize },
        { "attention", attention },
        { "attention-backward", attention },
        { "lora", lora },
        { "lora-backward", lora },
        { "gate", by_rows },
        { "rms", by_rows },
        { "gate-backward", by_rows },
        { "rms-backward", by_rows },
        { NULL, NULL },
    };

    must(cpu_ops(&ops, DT_F32));
    return perf_main(cases);
}
