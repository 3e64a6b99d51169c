/* Norms by the mean square. */
#include "ops_test.h"

/* Value and gradient of transformers' LlamaRMSNorm in float32 (transformers 5.24.0, torch
 * 2.15.0). */
static void eight_numbers_of_llama(void **state)
{
    static const float x[8] = { 1, -2, 3, 0.5f, -0.25f, 8, -1.5f, 0 };
    static const float gain[8] = { 1, 2, 0.5f, -1, 1.5f, 1, 0.25f, 3 };
    static const float dy[8] = { 1, 1, -2, 0.5f, 3, 1, -1, 0.25f };
    static const float y[8] = { 0.31512171f,   -1.26048684f, 0.472682565f,  -0.157560855f,
                                -0.118170641f, 2.52097368f,  -0.118170641f, 0 };
    static const float dx[8] = { 0.311210185f, 0.638066471f, -0.326856256f, -0.159516618f,
                                 1.41902554f,  0.2838296f,   -0.072913155f, 0.236341283f };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct dev *const in = put_floats(o, x, 8), *const g = put_floats(o, gain, 8);
        struct dev *const out = room(o, 8), *const rstd = room(o, 1);

        assert_int_equal(o->norm_forward(out, NULL, rstd, in, g, NULL, NORM_RMS, 1, 8, 1e-5f), 0);
        assert_floats("y", get_floats(o, out, 8), y, 8, 2.4e-7);
        assert_int_equal(
            o->norm_backward(out, put_floats(o, dy, 8), in, NULL, rstd, g, NORM_RMS, 1, 8, false),
            0);
        assert_floats("dx", get_floats(o, out, 8), dx, 8, 2.4e-7);
    }
}

struct shape {
    int64_t N, C;
    bool add;
};

/* Rows of the stream, and of one head each. */
static const struct shape shapes[] = {
    { 1, 1, false },  { 3, 7, true },     { 33, 576, false }, { 5, 2560, true },
    { 67, 65, true }, { 90, 32, false },  { 90, 64, true },   { 30, 80, false },
    { 30, 96, true }, { 60, 128, false }, { 21, 256, true },
};

static const float eps = 1e-6f;

static void run_rms(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const int64_t n = s->N * s->C;
    const struct dev *const x = put_random_act(o, n, 1), *const gain = put_random(o, s->C, 2);
    struct dev *const y = act_room(o, n), *const rstd = room(o, s->N);
    struct dev *const dx = s->add ? put_random_act(o, n, 5) : act_room(o, n), *const dy =
                                                                                  put_random_act(
                                                                                      o, n, 4);

    assert_int_equal(o->norm_forward(y, NULL, rstd, x, gain, NULL, NORM_RMS, s->N, s->C, eps), 0);
    give_act(out, o, "y", y, n);
    give(out, o, "rstd", rstd, s->N);
    assert_int_equal(o->norm_backward(dx, dy, x, NULL, rstd, gain, NORM_RMS, s->N, s->C, s->add),
                     0);
    give_act(out, o, "dx", dx, n);
    assert_int_equal(o->norm_backward(dy, dy, x, NULL, rstd, gain, NORM_RMS, s->N, s->C, false), 0);
    give_act(out, o, "dx in place", dy, n);
}

static double rstd_of(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return 1 / sqrt(sum / (double)n + eps);
}

static void ref_is_the_definition(void **state)
{
    (void)state;
    for (int k = 0; k < COUNT(shapes); k++) {
        const struct shape *const s = &shapes[k];
        const int64_t C = s->C, n = s->N * C;
        const float *const x = random_floats(n, 1), *const gain = random_floats(C, 2),
                           *const dy = random_floats(n, 4), *const before = random_floats(n, 5);
        const struct outputs got = run_op(run_rms, &tables[REF], s);

        for (int64_t i = 0; i < s->N; i++) {
            const float *const in = x + i * C;
            const double r = rstd_of(in, C);
            double along = 0;

            assert_close("rstd", got.of[1].x[i], r, 1.2e-7 * r);
            for (int64_t c = 0; c < C; c++)
                along += (double)dy[i * C + c] * gain[c] * in[c];
            for (int64_t c = 0; c < C; c++) {
                const int64_t at = i * C + c;
                const double d = r * dy[at] * gain[c] - r * r * r * in[c] * along / (double)C;

                assert_close("y", got.of[0].x[at], in[c] * r * gain[c], 5e-7);
                assert_close("dx", got.of[2].x[at], d + (s->add ? before[at] : 0), 1e-6 * (1 + r));
                assert_close("dx in place", got.of[3].x[at], d, 1e-6 * (1 + r));
            }
        }
    }
}

static void rms_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_rms, shapes, 1e-12);
}

/* A gradient in the place of what it is made of: for layer norms as well. */
static void layer_norms_may_be_in_place(void **state)
{
    enum { N = 5, C = 83 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct dev *const x = put_random(o, N * C, 1), *const gain = put_random(o, C, 2);
        struct dev *const y = room(o, N * C), *const mean = room(o, N), *const rstd = room(o, N),
                          *const dx = room(o, N * C), *const dy = put_random(o, N * C, 3);

        assert_int_equal(
            o->norm_forward(y, mean, rstd, x, gain, put_random(o, C, 4), NORM_LAYER, N, C, eps), 0);
        assert_int_equal(o->norm_backward(dx, dy, x, mean, rstd, gain, NORM_LAYER, N, C, false), 0);
        assert_int_equal(o->norm_backward(dy, dy, x, mean, rstd, gain, NORM_LAYER, N, C, false), 0);
        assert_memory_equal(get_floats(o, dy, N * C), get_floats(o, dx, N * C),
                            N * C * sizeof(float));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(eight_numbers_of_llama),
        OP_TEST(ref_is_the_definition),
        OP_TEST(rms_agrees),
        OP_TEST(layer_norms_may_be_in_place),
    };

    return RUN_TESTS(tests);
}
