/* Optimiser steps and the sum of squares. */
#include "ops_test.h"

/* One weight of 1, gradient 0.5, states m 0.1 and v 0.04 at step 3: NUMERICS D.4 in double. */
static const struct optim_step step = { OPTIM_ADAMW_BNB, 0.01, 0.9, 0.99, 1e-8, 0.1, 0.5, 3 };

static void run_step(const struct ops *o, const struct optim_step *s, float out[3])
{
    struct dev *const p = put_floats(o, (float[]){ 1 }, 1), *const m =
                                                                put_floats(o, (float[]){ 0.1f }, 1);
    struct dev *const v = put_floats(o, (float[]){ 0.04f }, 1);

    assert_int_equal(o->optim(p, m, v, put_floats(o, (float[]){ 0.5f }, 1), 1, s), 0);
    out[0] = *get_floats(o, p, 1);
    out[1] = *get_floats(o, m, 1);
    out[2] = *get_floats(o, v, 1);
}

/* The clipped gradient is 0.25: m 0.115, v 0.040225; corrections 1 - 0.9^3 and 1 - 0.99^3. */
static void adamw_decays_after_or_before(void **state)
{
    const double m = 0.115, v = 0.040225, update = 0.01 * (m / 0.271) / (sqrt(v / 0.029701) + 1e-8);
    struct optim_step torch = step;

    (void)state;
    torch.kind = OPTIM_ADAMW_TORCH;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        float got[3];

        run_step(&tables[t], &step, got);
        assert_close("bnb p", got[0], (1 - update) * 0.999, 6e-8);
        assert_close("bnb m", got[1], m, 1e-8);
        assert_close("bnb v", got[2], v, 4e-9);
        run_step(&tables[t], &torch, got);
        assert_close("torch p", got[0], 0.999 - update, 6e-8);
    }
}

/* At step 1 the update is lr times the sign of the gradient, whatever its size. */
static void the_first_step_has_the_length_of_lr(void **state)
{
    static const float g[4] = { 1e-3f, -1e-3f, 30, -30 };
    const struct optim_step s = { OPTIM_ADAMW_BNB, 0.5, 0.9, 0.999, 1e-8, 0, 1, 1 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        static const float zero[4] = { 0 };
        struct dev *const p = put_floats(o, zero, 4);

        assert_int_equal(
            o->optim(p, put_floats(o, zero, 4), put_floats(o, zero, 4), put_floats(o, g, 4), 4, &s),
            0);
        assert_floats("p", get_floats(o, p, 4), (float[]){ -0.5f, 0.5f, -0.5f, 0.5f }, 4, 1e-5);
    }
}

static void sgd_keeps_no_state(void **state)
{
    const struct optim_step s = {
        .kind = OPTIM_SGD, .lr = 0.1, .weight_decay = 0.5, .clip = 0.25, .t = 1
    };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        struct dev *const p = put_floats(&tables[t], (float[]){ 1 }, 1);

        assert_int_equal(
            tables[t].optim(p, NULL, NULL, put_floats(&tables[t], (float[]){ 4 }, 1), 1, &s), 0);
        assert_floats("p", get_floats(&tables[t], p, 1), (float[]){ 0.85f }, 1, 6e-8);
    }
}

static void squares_are_summed_in_double(void **state)
{
    enum { N = 100003 };
    float *const x = host(N * sizeof *x);

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = i == 0 ? 4096 : 0x1p-6f; /* 2^24 and 100,002 times 2^-12: a float would lose these */
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        double sum;

        assert_int_equal(tables[t].sum_squares(&sum, put_floats(&tables[t], x, N), N), 0);
        assert_true(sum == 0x1p24 + 100002 * 0x1p-12);
        assert_int_equal(tables[t].sum_squares(&sum, put_floats(&tables[t], x, 1), 0), 0);
        assert_true(sum == 0);
        x[3] = NAN;
        assert_int_equal(tables[t].sum_squares(&sum, put_floats(&tables[t], x, N), N), 0);
        assert_true(isnan(sum));
        x[3] = 0x1p-6f;
    }
}

struct shape {
    enum optim kind;
    int64_t n, t;
};

static const struct shape shapes[] = {
    { OPTIM_ADAMW_BNB, 1, 1 },         { OPTIM_ADAMW_BNB, 1001, 2 }, { OPTIM_ADAMW_TORCH, 37, 1 },
    { OPTIM_ADAMW_TORCH, 10000, 448 }, { OPTIM_SGD, 255, 5 },
};

static void run_optim(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct optim_step st = { s->kind, 2e-3, 0.9, 0.999, 1e-8, 0.01, 0.7, s->t };
    float *const squares = random_floats(s->n, 3);
    struct dev *const p = put_random(o, s->n, 1), *const m = put_random(o, s->n, 2),
                      *const g = put_random(o, s->n, 4);
    struct dev *v;
    double sum;

    for (int64_t i = 0; i < s->n; i++)
        squares[i] *= squares[i];
    v = put_floats(o, squares, s->n);
    assert_int_equal(o->optim(p, m, v, g, s->n, &st), 0);
    give(out, o, "p", p, s->n);
    give(out, o, "m", m, s->n);
    give(out, o, "v", v, s->n);
    assert_int_equal(o->sum_squares(&sum, g, s->n), 0);
    give(out, o, "sum of squares", put_floats(o, (float[]){ (float)sum }, 1), 1);
}

/* A few operations in float an element. */
static void optim_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_optim, shapes, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(adamw_decays_after_or_before),
        OP_TEST(the_first_step_has_the_length_of_lr),
        OP_TEST(sgd_keeps_no_state),
        OP_TEST(squares_are_summed_in_double),
        OP_TEST(optim_agrees),
    };

    return RUN_TESTS(tests);
}
