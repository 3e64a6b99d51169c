/* SiLU, and activations as gates. */
#include "ops_test.h"

/* SiLU and its slope as torch 2.15.0 has them in float32. */
static void values_of_silu(void **state)
{
    enum { N = 9 };
    static const float x[N] = { 0, 1, -1, 3, -4, 10, -20, -100, 100 };
    static const float want[N] = {
        0, 0.731058598f, -0.268941432f, 2.85772252f, -0.07194484f, 9.99954605f, -4.12230747e-08f,
        0, 100
    };
    static const float slope[N] = { 0.5f,
                                    0.927670538f,
                                    0.0723294839f,
                                    1.08810413f,
                                    -0.0526646115f,
                                    1.00040877f,
                                    -3.91619217e-08f,
                                    0,
                                    1 };
    float ones[N];

    (void)state;
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const y = room(o, N), *const in = put_floats(o, x, N);

        assert_int_equal(o->act_forward(y, in, ACT_SILU, N), 0);
        assert_floats("silu", get_floats(o, y, N), want, N, 4e-7);
        assert_int_equal(o->act_backward(y, put_floats(o, ones, N), in, ACT_SILU, N), 0);
        assert_floats("slope", get_floats(o, y, N), slope, N, 2.5e-7);
    }
}

/* What is not finite is seen, but what overflows nothing is not. */
static void far_out(void **state)
{
    static const float x[4] = { 3e38f, -3e38f, INFINITY, NAN };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const y = room(o, 4);
        const float *got;

        assert_int_equal(o->act_forward(y, put_floats(o, x, 4), ACT_SILU, 4), 0);
        got = get_floats(o, y, 4);
        assert_true(got[0] == 3e38f && fabsf(got[1]) < 1e-30f && got[2] == INFINITY &&
                    isnan(got[3]));
    }
}

struct shape {
    int64_t N, I, gap; /* rows of gate and up are I + gap apart */
    enum activation act;
};

static const struct shape shapes[] = {
    { 1, 1, 0, ACT_SILU },      { 3, 7, 2, ACT_SILU },      { 9, 1536, 1536, ACT_SILU },
    { 5, 33, 0, ACT_GELU_NEW }, { 4, 48, 5, ACT_GELU_NEW }, { 90, 1537, 3, ACT_SILU },
};

static float *steep_floats(int64_t n, uint64_t seed)
{
    float *const x = random_floats(n, seed);

    for (int64_t i = 0; i < n; i++)
        x[i] *= 8;
    return x;
}

static void run_gate(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const int64_t ld = s->I + s->gap, n = s->N * s->I, all = s->N * ld;
    struct dev *const gate = put_act(o, steep_floats(all, 1), all), *const up =
                                                                        put_random_act(o, all, 2);
    struct dev *const y = act_room(o, n), *const dgate = act_room(o, all),
                      *const dup = act_room(o, all);
    const struct dev *const dy = put_random_act(o, n, 3);

    assert_int_equal(o->gate_forward(y, gate, up, ld, s->act, s->N, s->I), 0);
    assert_int_equal(o->gate_backward(dgate, dup, dy, gate, up, ld, s->act, s->N, s->I), 0);
    give_act(out, o, "y", y, n);
    give_rows(out, o, "dgate", dgate, s->N, s->I, ld);
    give_rows(out, o, "dup", dup, s->N, s->I, ld);
    assert_int_equal(o->gate_backward(gate, up, dy, gate, up, ld, s->act, s->N, s->I), 0);
    give_rows(out, o, "dgate in place", gate, s->N, s->I, ld);
    give_rows(out, o, "dup in place", up, s->N, s->I, ld);
}

static double act(enum activation kind, double x)
{
    const double z = 0.79788456080286535588 * (x + 0.044715 * x * x * x);

    return kind == ACT_SILU ? x / (1 + exp(-x)) : 0.5 * x * (1 + tanh(z));
}

static void ref_is_the_definition(void **state)
{
    const double h = 1e-4;

    (void)state;
    for (int k = 0; k < COUNT(shapes); k++) {
        const struct shape *const s = &shapes[k];
        const int64_t ld = s->I + s->gap, n = s->N * s->I;
        const float *const gate = steep_floats(s->N * ld, 1),
                           *const up = random_floats(s->N * ld, 2), *const dy = random_floats(n, 3);
        const struct outputs got = run_op(run_gate, &tables[REF], s);

        for (int64_t i = 0; i < n; i++) {
            const int64_t at = i / s->I * ld + i % s->I;
            const double g = gate[at], slope = (act(s->act, g + h) - act(s->act, g - h)) / (2 * h);

            assert_close("y", got.of[0].x[i], act(s->act, g) * up[at], 5e-7);
            assert_close("dgate", got.of[1].x[i], dy[i] * up[at] * slope, 1e-6);
            assert_close("dup", got.of[2].x[i], dy[i] * act(s->act, g), 5e-7);
            assert_true(got.of[3].x[i] == got.of[1].x[i] && got.of[4].x[i] == got.of[2].x[i]);
        }
    }
}

static void gates_agree(void **state)
{
    (void)state;
    CHECK_OP(run_gate, shapes, 1e-12);
}

static void results_may_take_an_operands_place(void **state)
{
    enum { N = 3, I = 50 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const gate = put_random(o, N * I, 1), *const up = put_random(o, N * I, 2),
                          *const y = room(o, N * I);

        assert_int_equal(o->gate_forward(y, gate, up, I, ACT_SILU, N, I), 0);
        const float *const want = get_floats(o, y, N * I);

        assert_int_equal(o->gate_forward(up, put_random(o, N * I, 1), up, I, ACT_SILU, N, I), 0);
        assert_memory_equal(get_floats(o, up, N * I), want, N * I * sizeof *want);
        assert_int_equal(o->gate_forward(gate, gate, put_random(o, N * I, 2), I, ACT_SILU, N, I),
                         0);
        assert_memory_equal(get_floats(o, gate, N * I), want, N * I * sizeof *want);
    }
}

static void an_unknown_activation_is_an_error(void **state)
{
    const enum activation act = (enum activation)9;

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const d = room(o, 4);

        assert_int_equal(o->act_forward(d, d, act, 4), -1);
        assert_int_equal(err_code(), EXIT_NODEVICE);
        assert_non_null(strstr(err_text(), "activation 9"));
        assert_int_equal(o->act_backward(d, d, d, act, 4), -1);
        assert_int_equal(o->gate_forward(d, d, d, 4, act, 1, 4), -1);
        assert_int_equal(o->gate_backward(d, d, d, d, d, 4, act, 1, 4), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(values_of_silu),
        OP_TEST(far_out),
        OP_TEST(ref_is_the_definition),
        OP_TEST(gates_agree),
        OP_TEST(results_may_take_an_operands_place),
        OP_TEST(an_unknown_activation_is_an_error),
    };

    return RUN_TESTS(tests);
}
