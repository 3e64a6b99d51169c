/* LayerNorm. */
#include "ops_test.h"

struct shape {
    int64_t N, C;
    bool add;
};

static const struct shape shapes[] = {
    { 1, 1, false }, { 3, 7, true }, { 33, 160, false }, { 5, 2560, true }, { 67, 65, true },
};

static const float eps = 1e-5f;

/* 1, 2, 3, 6: mean 3, biased variance 3.5. */
static void four_numbers_by_hand(void **state)
{
    static const float x[4] = { 1, 2, 3, 6 }, gain[4] = { 1, 1, 2, 1 },
                       bias[4] = { 0, 0, 0.5f, -1 };
    const double r = 1 / sqrt(3.5 + 0.25);

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const y = room(o, 4), *const mean = room(o, 1), *const rstd = room(o, 1);
        const float want[4] = { (float)(-2 * r), (float)-r, 0.5f, (float)(3 * r - 1) };

        assert_int_equal(o->norm_forward(y, mean, rstd, put_floats(o, x, 4), put_floats(o, gain, 4),
                                         put_floats(o, bias, 4), NORM_LAYER, 1, 4, 0.25f),
                         0);
        assert_floats("y", get_floats(o, y, 4), want, 4, 2e-7);
        assert_floats("mean", get_floats(o, mean, 1), (float[]){ 3 }, 1, 0);
        assert_floats("rstd", get_floats(o, rstd, 1), (float[]){ (float)r }, 1, 6e-8);
    }
}

/* Values near 1000 with a spread of 1: a variance from sums of squares would lose half its digits.
 */
static void a_large_mean_costs_nothing(void **state)
{
    enum { C = 512 };
    float *const x = random_floats(C, 1), *const far = random_floats(C, 1), gain[C],
                 bias[C] = { 0 };

    (void)state;
    for (int i = 0; i < C; i++) {
        x[i] = roundf(x[i] * 4096) / 4096; /* so that 1000 + x is exact */
        far[i] = x[i] + 1000;
        gain[i] = 1;
    }
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct dev *const g = put_floats(o, gain, C), *const b = put_floats(o, bias, C);
        struct dev *const near_y = room(o, C), *const far_y = room(o, C);

        assert_int_equal(
            o->norm_forward(near_y, NULL, NULL, put_floats(o, x, C), g, b, NORM_LAYER, 1, C, eps),
            0);
        assert_int_equal(
            o->norm_forward(far_y, NULL, NULL, put_floats(o, far, C), g, b, NORM_LAYER, 1, C, eps),
            0);
        /* the mean as a float is known to 3e-5 */
        assert_floats("far", get_floats(o, far_y, C), get_floats(o, near_y, C), C,
                      t == REF ? 1e-6 : 2e-4);
    }
}

static void an_unknown_kind_is_an_error(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const enum norm kind = (enum norm)7;
        struct dev *const d = room(o, 4);

        assert_int_equal(o->norm_forward(d, NULL, NULL, d, d, d, kind, 1, 4, eps), -1);
        assert_int_equal(err_code(), EXIT_NODEVICE);
        assert_non_null(strstr(err_text(), "norm 7"));
        assert_int_equal(o->norm_backward(d, d, d, d, d, d, kind, 1, 4, false), -1);
    }
}

static void run_norm(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const int64_t n = s->N * s->C;
    const struct dev *const x = put_random_act(o, n, 1), *const gain = put_random(o, s->C, 2);
    struct dev *const y = act_room(o, n), *const mean = room(o, s->N), *const rstd = room(o, s->N);
    struct dev *const dx = s->add ? put_random_act(o, n, 5) : act_room(o, n);

    assert_int_equal(o->norm_forward(y, mean, rstd, x, gain, put_random(o, s->C, 3), NORM_LAYER,
                                     s->N, s->C, eps),
                     0);
    give_act(out, o, "y", y, n);
    give(out, o, "mean", mean, s->N);
    give(out, o, "rstd", rstd, s->N);
    assert_int_equal(o->norm_backward(dx, put_random_act(o, n, 4), x, mean, rstd, gain, NORM_LAYER,
                                      s->N, s->C, s->add),
                     0);
    give_act(out, o, "dx", dx, n);
}

/* Float sums over C: relative errors of some 2^-24, squared. */
static void norm_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_norm, shapes, 1e-12);
}

struct gradient {
    const struct ops *o;
    const float *x, *gain, *bias, *g;
    int64_t N, C;
};

static double norm_loss(void *context)
{
    const struct gradient *const c = context;
    const struct ops *const o = c->o;
    const size_t before = n_held;
    struct dev *const y = room(o, c->N * c->C);
    double loss;

    assert_int_equal(o->norm_forward(y, NULL, NULL, put_floats(o, c->x, c->N * c->C),
                                     put_floats(o, c->gain, c->C), put_floats(o, c->bias, c->C),
                                     NORM_LAYER, c->N, c->C, eps),
                     0);
    loss = weighted_sum(c->g, get_floats(o, y, c->N * c->C), c->N * c->C);
    release_from(before);
    return loss;
}

static void the_gradient_is_the_slope(void **state)
{
    enum { N = 3, C = 13 };
    const struct ops *const o = &tables[REF];
    float *const x = random_floats(N * C, 1);
    struct gradient c = { o, x, random_floats(C, 2), random_floats(C, 3), random_floats(N * C, 4),
                          N, C };
    struct dev *const y = room(o, N * C), *const mean = room(o, N), *const rstd = room(o, N),
                      *const dx = room(o, N * C);
    const struct dev *const in = put_floats(o, x, N * C), *const gain = put_floats(o, c.gain, C);

    (void)state;
    assert_int_equal(
        o->norm_forward(y, mean, rstd, in, gain, put_floats(o, c.bias, C), NORM_LAYER, N, C, eps),
        0);
    assert_int_equal(o->norm_backward(dx, put_floats(o, c.g, N * C), in, mean, rstd, gain,
                                      NORM_LAYER, N, C, false),
                     0);
    check_gradient("norm", x, get_floats(o, dx, N * C), N * C, 1e-3, norm_loss, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(four_numbers_by_hand),        OP_TEST(a_large_mean_costs_nothing),
        OP_TEST(an_unknown_kind_is_an_error), OP_TEST(norm_agrees),
        OP_TEST(the_gradient_is_the_slope),
    };

    return RUN_TESTS(tests);
}
