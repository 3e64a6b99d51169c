/*
 * What the CPU backend promises to the byte, on shapes that span its blocks, chunks and tiles: any
 * number of threads; AVX2 and AVX-512; the portable code where no multiply-add is fused; a row
 * alone and among others.
 */
#include "ops_test.h"

enum { N = 405, C = 600, O = 530, R = 5, V = 1100 };

/* Whole blocks for what has them. */
static int width(enum dtype dtype)
{
    return dtype_is_blocks(dtype) ? dtype_block(dtype) == 32 ? 608 : 768 : C;
}

static struct dev *copy(const struct ops *o, const struct dev *d, int64_t n)
{
    return put_floats(o, get_floats(o, d, n), n);
}

static void run_linear(struct outputs *out, const struct ops *o, const void *storage)
{
    const enum dtype dtype = *(const enum dtype *)storage;
    const int cols = width(dtype);
    const struct weight w = random_weight(o, dtype, O, cols, 64, DT_F32, 1);
    const struct packed rows = pack_lengths(o, (int[]){ 300, N - 300 }, 2);
    const struct lora lora = {
        put_random(o, R * cols, 2), put_random(o, O * R, 3), R, 0.5f, { 0.25f, 7, 3 },
        kept_room(o, N, cols)
    };
    const struct dev *const x = put_random(o, N * cols, 4), *const dy = put_random(o, N * O, 5);
    struct dev *const y = room(o, N * O), *const u = room(o, N * R), *const dx = room(o, N * cols);
    struct dev *const da = put_random(o, R * cols, 6), *const db = put_random(o, O * R, 7);

    assert_int_equal(linear_alone(o, y, u, x, &w, put_random(o, O, 8), &lora, &rows, N), 0);
    assert_int_equal(o->linear_backward(dx, da, db, dy, x, copy(o, u, N * R), room(o, N * R), &w,
                                        &lora, &rows, N, false),
                     0);
    give(out, o, "y", y, N * O);
    give(out, o, "u", u, N * R);
    give(out, o, "dx", dx, N * cols);
    give(out, o, "da", da, R * cols);
    give(out, o, "db", db, O * R);
}

static void run_attention(struct outputs *out, const struct ops *o, const void *windowed)
{
    enum { H = 4, K = 2, D = 20 };
    const int64_t window = *(const int64_t *)windowed;
    const struct packed rows = pack_lengths(o, (int[]){ 300, N - 300 }, 2);
    const struct dev *const q = put_random(o, N * H * D, 1), *const k = put_random(o, N * K * D, 2),
                            *const v = put_random(o, N * K * D, 3),
                            *const g = put_random(o, N * H * D, 4);
    struct dev *const y = room(o, N * H * D), *const lse = room(o, N * H);
    struct dev *const dq = room(o, N * H * D), *const dk = room(o, N * K * D),
                      *const dv = room(o, N * K * D);

    struct attention shape = attention_shape(H, K, D, 0.5f);

    shape.window = window;
    assert_int_equal(o->attention_forward(y, lse, q, k, v, &rows, &shape), 0);
    assert_int_equal(
        o->attention_backward(dq, dk, dv, room(o, N * H), g, y, lse, q, k, v, &rows, &shape), 0);
    give(out, o, "out", y, N * H * D);
    give(out, o, "lse", lse, N * H);
    give(out, o, "dq", dq, N * H * D);
    give(out, o, "dk", dk, N * K * D);
    give(out, o, "dv", dv, N * K * D);
}

static const int32_t *some_targets(void)
{
    int32_t *const t = host(N * sizeof *t);

    for (int32_t i = 0; i < N; i++)
        t[i] = i % 5 == 0 ? -1 : i * 37 % V;
    return t;
}

static void run_head(struct outputs *out, const struct ops *o, const void *storage)
{
    const enum dtype dtype = *(const enum dtype *)storage;
    const int cols = width(dtype);
    const struct weight w = random_weight(o, dtype, V, cols, 64, DT_F32, 1);
    struct dev *const nll = room(o, N), *const dh = room(o, N * cols);

    assert_int_equal(o->head_loss(nll, dh, NULL, put_random(o, N * cols, 2), &w,
                                  put_random(o, V, 3), put_ints(o, some_targets(), N),
                                  put_random(o, N, 4), N),
                     0);
    give(out, o, "nll", nll, N);
    give(out, o, "dh", dh, N * cols);
}

static void run_activation(struct outputs *out, const struct ops *o, const void *kind)
{
    const enum activation act = *(const enum activation *)kind;
    const struct dev *const x = put_random(o, N * C, 1);
    const struct dev *const up = put_random(o, N * C, 3);
    struct dev *const y = room(o, N * C), *const dx = room(o, N * C);
    struct dev *const gated = room(o, N * C), *const dgate = room(o, N * C),
                      *const dup = room(o, N * C);

    assert_int_equal(o->act_forward(y, x, act, N * C), 0);
    assert_int_equal(o->act_backward(dx, put_random(o, N * C, 2), x, act, N * C), 0);
    assert_int_equal(o->gate_forward(gated, x, up, C, act, N, C), 0);
    assert_int_equal(o->gate_backward(dgate, dup, put_random(o, N * C, 2), x, up, C, act, N, C), 0);
    give(out, o, "gated", gated, N * C);
    give(out, o, "dgate", dgate, N * C);
    give(out, o, "dup", dup, N * C);
    give(out, o, "y", y, N * C);
    give(out, o, "dx", dx, N * C);
}

/* Ops without multiply-adds. */
static void run_rows(struct outputs *out, const struct ops *o, const void *unused)
{
    const struct packed rows = pack_lengths(o, (int[]){ 300, N - 300 }, 2);
    const struct dropout a = { 0.1f, 5, 3 }, m = { 0.5f, 5, 4 };
    const struct weight w = random_weight(o, DT_NF4, O, C, 64, DT_F16, 1);
    const struct dev *const x = put_random(o, N * C, 2), *const gain = put_random(o, C, 3);
    struct dev *const y = room(o, N * C), *const mean = room(o, N), *const rstd = room(o, N);
    struct dev *const dx = room(o, N * C), *const sum = room(o, N * C),
                      *const flat = room(o, O * C);
    struct dev *const two = room(o, N * C), *const by_square = room(o, N * C),
                      *const back = room(o, N * C);

    (void)unused;
    assert_int_equal(
        o->norm_forward(y, mean, rstd, x, gain, put_random(o, C, 4), NORM_LAYER, N, C, 1e-5f), 0);
    assert_int_equal(o->norm_backward(dx, y, x, mean, rstd, gain, NORM_LAYER, N, C, false), 0);
    assert_int_equal(o->residual_forward(sum, x, y, dx, &a, &m, &rows, N, C), 0);
    assert_int_equal(o->residual_forward(two, x, y, NULL, &a, NULL, &rows, N, C), 0);
    assert_int_equal(o->norm_forward(by_square, NULL, rstd, x, gain, NULL, NORM_RMS, N, C, 1e-5f),
                     0);
    assert_int_equal(o->norm_backward(back, y, x, NULL, rstd, gain, NORM_RMS, N, C, false), 0);
    give(out, o, "two", two, N * C);
    give(out, o, "by square", by_square, N * C);
    give(out, o, "its slope", back, N * C);
    assert_int_equal(o->expand(flat, &w), 0);
    give(out, o, "norm", y, N * C);
    give(out, o, "rstd", rstd, N);
    give(out, o, "dx", dx, N * C);
    give(out, o, "residual", sum, N * C);
    give(out, o, "expanded", flat, O * C);
}

/* Every table from FIRST on, at 1, 2, 3 and 8 threads, gives the bytes of the first; WHOLE says
 * whether the portable table must as well. */
static void same_bytes(op_run *run, const void *shape, bool whole)
{
    static const int threads[] = { 1, 2, 3, 8 };
    const size_t before = n_held;
    struct outputs want = { 0 };

    for (int t = use(PORTABLE); t < CPU_TABLES; t = use(t + 1))
        for (int k = 0; k < COUNT(threads); k++) {
            omp_set_num_threads(threads[k]);
            const struct outputs got = run_op(run, &tables[t], shape);

            if (want.n == 0 || (k == 0 && t == AVX2 && !whole))
                want = got;
            check_bytes(t, &got, &want, "than another instruction set or number of threads");
        }
    omp_set_num_threads(omp_get_num_procs());
    release_from(before);
}

static void linear_has_the_same_bytes(void **state)
{
    static const enum dtype storage[] = {
        DT_NF4,  DT_F16,  DT_F32,  DT_Q4_0, DT_Q4_1, DT_Q5_0,   DT_Q5_1,   DT_Q8_0,
        DT_Q2_K, DT_Q3_K, DT_Q4_K, DT_Q5_K, DT_Q6_K, DT_IQ4_NL, DT_IQ4_XS,
    };

    (void)state;
    for (int i = 0; i < COUNT(storage); i++)
        same_bytes(run_linear, &storage[i], false);
}

static void attention_has_the_same_bytes(void **state)
{
    (void)state;
    same_bytes(run_attention, &(int64_t){ 0 }, false);
    same_bytes(run_attention, &(int64_t){ 20 }, false);
    same_bytes(run_attention, &(int64_t){ 270 }, false);
}

static void head_has_the_same_bytes(void **state)
{
    static const enum dtype storage[] = { DT_F16, DT_Q8_0, DT_Q6_K };

    (void)state;
    for (int i = 0; i < COUNT(storage); i++)
        same_bytes(run_head, &storage[i], false);
}

static void activation_has_the_same_bytes(void **state)
{
    (void)state;
    same_bytes(run_activation, &(enum activation){ ACT_GELU_NEW }, false);
    same_bytes(run_activation, &(enum activation){ ACT_SILU }, false);
}

static void portable_has_them_too_where_nothing_is_fused(void **state)
{
    (void)state;
    same_bytes(run_rows, NULL, true);
}

/* Every sign, exponent and 10 bits of a mantissa, in front of what decides about the rest: also all
 * that overflows, what is below the least, infinity and NaN. */
static void rounding_is_that_of_one_value(void **state)
{
    static const uint32_t rest[] = { 0, 1, 0xfff, 0x1000, 0x1001, 0x1fff };
    static const enum dtype to[] = { DT_F16, DT_BF16 };
    const int n = (COUNT(rest) << 19) - 1; /* no whole vectors */
    uint32_t *const bits = host(n * sizeof *bits);
    float *const x = (float *)bits, *const want = host(n * sizeof *want);

    (void)state;
    for (int i = 0; i < n; i++)
        bits[i] = (uint32_t)i / COUNT(rest) << 13 | rest[i % COUNT(rest)];
    for (int k = 0; k < COUNT(to); k++) {
        for (int i = 0; i < n; i++)
            want[i] = f32_rounded(x[i], to[k]);
        for (int t = use(PORTABLE); t < CPU_TABLES; t = use(t + 1)) {
            const struct ops *const o = &tables[t];
            struct dev *const got = room(o, n);
            const struct weight w = {
                .dtype = DT_F32, .data = put_floats(o, x, n), .rows = 1, .cols = n, .round = to[k]
            };

            assert_int_equal(o->expand(got, &w), 0);
            assert_memory_equal(get_floats(o, got, n), want, (size_t)n * sizeof *want);
        }
    }
}

/* ---- a row alone ---- */

static void row_alone(enum dtype dtype, int cols, enum dtype round)
{
    for (int t = use(PORTABLE); t < CPU_TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = random_weight(o, dtype, O, cols, 64, round, 1);
        const struct dev *const x = put_random(o, N * cols, 2), *const bias = put_random(o, O, 3);
        struct dev *const y = room(o, N * O);

        assert_int_equal(linear_alone(o, y, NULL, x, &w, bias, NULL, NULL, N), 0);
        const float *const all = get_floats(o, y, N * O);

        for (int m = 1; m <= 15; m++) {
            const int first = N - 3 * m;
            struct dev *const some = room(o, m * O);

            assert_int_equal(linear_alone(o, some, NULL,
                                          o->slice_const(x, (size_t)(first * cols) * sizeof(float)),
                                          &w, bias, NULL, NULL, m),
                             0);
            assert_memory_equal(get_floats(o, some, m * O), all + first * O,
                                (size_t)(m * O) * sizeof(float));
        }
    }
}

static void a_row_alone_is_the_row_among_others(void **state)
{
    (void)state;
    static const enum dtype round[] = { DT_F32, DT_BF16, DT_F16 };

    for (int i = 0; i < COUNT(round); i++) {
        row_alone(DT_NF4, C, round[i]);
        row_alone(DT_NF4, 640, round[i]); /* rows of whole blocks */
        row_alone(DT_F16, 656, round[i]);
        row_alone(DT_BF16, 656, round[i]);
        row_alone(DT_F16, 655, round[i]);
        for (enum dtype t = DT_Q4_0; t <= DT_IQ4_XS; t++)
            row_alone(t, width(t), round[i]);
    }
}

static void loss_alone(enum dtype round)
{
    for (int t = use(PORTABLE); t < CPU_TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = random_weight(o, DT_F16, V, C, 64, round, 1);
        const struct dev *const h = put_random(o, N * C, 2), *const targets =
                                                                 put_ints(o, some_targets(), N);
        struct dev *const nll = room(o, N), *const one = room(o, 1);

        assert_int_equal(o->head_loss(nll, NULL, NULL, h, &w, NULL, targets, NULL, N), 0);
        for (int i = 0; i < N; i += 50) {
            assert_int_equal(
                o->head_loss(one, NULL, NULL, o->slice_const(h, (size_t)(i * C) * sizeof(float)),
                             &w, NULL, o->slice_const(targets, (size_t)i * sizeof(int32_t)), NULL,
                             1),
                0);
            assert_memory_equal(get_floats(o, one, 1), get_floats(o, nll, N) + i, sizeof(float));
        }
    }
}

static void a_loss_alone_is_the_loss_among_others(void **state)
{
    (void)state;
    loss_alone(DT_F32);
    loss_alone(DT_BF16);
}

/* A prompt at once; its last token on a cache; its end after a shared beginning. */
static void a_query_alone_is_the_query_among_others(void **state)
{
    enum { H = 2, D = 24, T = 290, SHARED = 270 };

    (void)state;
    for (int t = use(PORTABLE); t < CPU_TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct dev *const q = put_random(o, T * H * D, 1),
                                *const k = put_random(o, T * H * D, 2),
                                *const v = put_random(o, T * H * D, 3);
        const struct seq way[] = {
            { .q_len = T, .k_len = T },
            { .q_len = 1, .k_len = T },
            { .q_len = T - SHARED, .k_start = SHARED, .k_len = T - SHARED, .shared_len = SHARED },
        };
        const struct attention shape = attention_shape(H, H, D, 0.5f);
        const float *want = NULL;

        for (int i = 0; i < COUNT(way); i++) {
            const struct packed rows = pack(o, &way[i], 1);
            const int n = way[i].q_len;
            struct dev *const y = room(o, n * H * D);

            assert_int_equal(
                o->attention_forward(y, NULL,
                                     o->slice_const(q, (size_t)((T - n) * H * D) * sizeof(float)),
                                     k, v, &rows, &shape),
                0);
            const float *const last = get_floats(o, y, n * H * D) + (n - 1) * H * D;

            want = want ? want : last;
            assert_memory_equal(last, want, H * D * sizeof(float));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(linear_has_the_same_bytes),
        OP_TEST(attention_has_the_same_bytes),
        OP_TEST(head_has_the_same_bytes),
        OP_TEST(activation_has_the_same_bytes),
        OP_TEST(portable_has_them_too_where_nothing_is_fused),
        OP_TEST(rounding_is_that_of_one_value),
        OP_TEST(a_row_alone_is_the_row_among_others),
        OP_TEST(a_loss_alone_is_the_loss_among_others),
        OP_TEST(a_query_alone_is_the_query_among_others),
    };

    return RUN_TESTS(tests);
}
