/* Activations. */
#include "ops_test.h"

/* gelu_new at 0, 1, -1, 3 and far out: values of the formula, to 15 digits by an
 * arbitrary-precision calculator. */
static void values_of_gelu_new(void **state)
{
    static const float x[6] = { 0, 1, -1, 3, 20, -20 };
    static const float want[6] = {
        0, 0.841191990608276f, -0.158808009391724f, 2.99636260791823f, 20, 0
    };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const y = room(o, 6), *const in = put_floats(o, x, 6);

        assert_int_equal(o->act_forward(y, in, ACT_GELU_NEW, 6), 0);
        assert_floats("gelu", get_floats(o, y, 6), want, 6, t == REF ? 2.4e-7 : 5e-7);
        assert_int_equal(o->act_forward(in, in, ACT_GELU_NEW, 6), 0);
        assert_memory_equal(get_floats(o, in, 6), get_floats(o, y, 6), 6 * sizeof(float));
    }
}

static const int64_t sizes[] = { 1, 7, 1023, 10240 };

static void run_act(struct outputs *out, const struct ops *o, const void *shape)
{
    const int64_t n = *(const int64_t *)shape;
    float *const x = random_floats(n, 1);
    struct dev *const y = act_room(o, n), *const dx = act_room(o, n);
    struct dev *const dy = put_random_act(o, n, 2);

    for (int64_t i = 0; i < n; i++)
        x[i] *= 8;
    assert_int_equal(o->act_forward(y, put_act(o, x, n), ACT_GELU_NEW, n), 0);
    give_act(out, o, "y", y, n);
    assert_int_equal(o->act_backward(dx, dy, put_act(o, x, n), ACT_GELU_NEW, n), 0);
    give_act(out, o, "dx", dx, n);
    assert_int_equal(o->act_backward(dy, dy, put_act(o, x, n), ACT_GELU_NEW, n), 0);
    give_act(out, o, "dx in place", dy, n);
}

/* A float tanh of 2 ulp. */
static void act_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_act, sizes, 1e-12);
}

struct gradient {
    const struct ops *o;
    const float *x, *g;
    int64_t n;
};

static double act_loss(void *context)
{
    const struct gradient *const c = context;
    const size_t before = n_held;
    struct dev *const y = room(c->o, c->n);
    double loss;

    assert_int_equal(c->o->act_forward(y, put_floats(c->o, c->x, c->n), ACT_GELU_NEW, c->n), 0);
    loss = weighted_sum(c->g, get_floats(c->o, y, c->n), c->n);
    release_from(before);
    return loss;
}

static void the_gradient_is_the_slope(void **state)
{
    enum { N = 101 };
    float *const x = random_floats(N, 1);

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - N / 2) / 10;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        struct gradient c = { &tables[t], x, random_floats(N, 2), N };
        struct dev *const dx = room(c.o, N);

        assert_int_equal(
            c.o->act_backward(dx, put_floats(c.o, c.g, N), put_floats(c.o, x, N), ACT_GELU_NEW, N),
            0);
        check_gradient("gelu_new", x, get_floats(c.o, dx, N), N, 1e-3, act_loss, &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(values_of_gelu_new),
        OP_TEST(act_agrees),
        OP_TEST(the_gradient_is_the_slope),
    };

    return RUN_TESTS(tests);
}
