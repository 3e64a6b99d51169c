/* Label smoothing behind the head's loss. */
#include "ops_test.h"

/* Arguments of head_loss and head_smooth. */
struct case_of {
    int64_t M, V, C;
    const struct dev *h, *bias, *target, *weight;
    struct weight w;
    float share;
};

static void run_case(const struct ops *o, const struct case_of *c, struct dev *nll, struct dev *dh)
{
    struct dev *const mean = room(o, c->C);

    assert_int_equal(o->mean_row(mean, &c->w), 0);
    assert_int_equal(o->head_loss(nll, dh, NULL, c->h, &c->w, c->bias, c->target, c->weight, c->M),
                     0);
    assert_int_equal(
        o->head_smooth(nll, dh, c->h, &c->w, c->bias, mean, c->target, c->weight, c->share, c->M),
        0);
}

/* Logits 0, log 3, log 2 as in test_head.c: the softmax is (1, 3, 2) / 6. */
static void three_words_by_hand(void **state)
{
    const float h[6] = { 1, 0, 1, 0, 1, 0 }, bias[3] = { 0, 0, -logf(2) };
    const float table[6] = { 0, 0, logf(3), 0, logf(4), 0 }, weight[3] = { 1, 2, 5 };
    static const int32_t target[3] = { 1, 0, -1 };
    const double all = 0.1 * (log(6) + log(2) + log(3)); /* 0.3 in three parts */
    const double dh = (3. / 6 - 0.7 - 0.1) * log(3) + (2. / 6 - 0.1) * log(4),
                 dh2 = 2 * ((3. / 6 - 0.1) * log(3) + (2. / 6 - 0.1) * log(4));

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const nll = room(o, 3), *const grad = room(o, 6), *const alone = room(o, 3);
        struct case_of c = {
            .M = 3,
            .V = 3,
            .C = 2,
            .h = put_floats(o, h, 6),
            .bias = put_floats(o, bias, 3),
            .target = put_ints(o, target, 3),
            .weight = put_floats(o, weight, 3),
            .w = { .dtype = DT_F32, .data = put_floats(o, table, 6), .rows = 3, .cols = 2 },
            .share = 0.3f,
        };
        const float want[3] = { (float)(0.7 * log(2) + all), (float)(0.7 * log(6) + all), 0 };

        run_case(o, &c, nll, grad);
        assert_floats("nll", get_floats(o, nll, 3), want, 3, 3e-7);
        assert_floats("dh", get_floats(o, grad, 6), (float[]){ (float)dh, 0, (float)dh2, 0, 0, 0 },
                      6, 3e-7);
        c.weight = NULL;
        run_case(o, &c, alone, NULL);
        assert_floats("nll alone", get_floats(o, alone, 3), get_floats(o, nll, 3), 3, 0);
    }
}

struct shape {
    int64_t M, V, C;
    enum dtype dtype;
    bool bias;
    enum dtype round;
};

static const struct shape shapes[] = {
    { 1, 2, 1, DT_F32, false, DT_F32 },      { 5, 33, 7, DT_F32, true, DT_F32 },
    { 20, 509, 160, DT_BF16, true, DT_F32 }, { 37, 1025, 64, DT_F16, true, DT_BF16 },
    { 9, 70, 128, DT_NF4, false, DT_F32 },   { 9, 70, 96, DT_Q8_0, false, DT_BF16 },
    { 20, 509, 160, DT_F32, true, DT_F16 },
};

/* Every third row has no target. */
static int32_t *targets(int64_t M, int64_t V)
{
    int32_t *const target = host((size_t)M * sizeof *target);

    for (int64_t i = 0; i < M; i++)
        target[i] = i % 3 == 1 ? -1 : (int32_t)(i * 31 % V);
    return target;
}

static struct case_of random_case(const struct ops *o, const struct shape *s)
{
    return (struct case_of){
        .M = s->M,
        .V = s->V,
        .C = s->C,
        .h = put_random_act(o, s->M * s->C, 2),
        .bias = s->bias ? put_random(o, s->V, 3) : NULL,
        .target = put_ints(o, targets(s->M, s->V), s->M),
        .weight = put_random(o, s->M, 4),
        .w = random_weight(o, s->dtype, s->V, s->C, 64, s->round, 1),
        .share = 0.1f,
    };
}

static void run_smooth(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct case_of c = random_case(o, shape);
    struct dev *const nll = room(o, c.M), *const dh = act_room(o, c.M * c.C);

    run_case(o, &c, nll, dh);
    give(out, o, "nll", nll, c.M);
    give_act(out, o, "dh", dh, c.M * c.C);
}

/* As head_loss does, of which it is a part. */
static void tables_agree(void **state)
{
    (void)state;
    CHECK_OP(run_smooth, shapes, 1e-6);
}

/* (1 - share) nll + share * mean over the vocabulary, in double from the logits of a linear. */
static void it_is_what_it_says(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int k = 0; k < COUNT(shapes); k++) {
            const struct ops *const o = &tables[t];
            const struct case_of c = random_case(o, &shapes[k]);
            const int32_t *const target = targets(c.M, c.V);
            struct dev *const nll = room(o, c.M), *const y = room(o, c.M * c.V);
            const float *logits;

            run_case(o, &c, nll, NULL);
            assert_int_equal(linear_alone(o, y, NULL, c.h, &c.w, c.bias, NULL, NULL, c.M), 0);
            logits = get_floats(o, y, c.M * c.V);
            for (int64_t i = 0; i < c.M; i++) {
                const float *const x = logits + i * c.V;
                double sum = 0, mean = 0;

                for (int64_t v = 0; v < c.V; v++) {
                    sum += exp(x[v]);
                    mean += x[v] / (double)c.V;
                }
                const double want = target[i] < 0 ? 0 : log(sum) - 0.9 * x[target[i]] - 0.1 * mean;

                assert_close("nll", get_floats(o, nll, c.M)[i], want, 2e-6);
            }
        }
}

static double loss(void *context)
{
    const struct case_of *const c = context;
    const size_t before = n_held;
    struct case_of now = *c;
    struct dev *const nll = room(&tables[REF], c->M);
    double sum;

    now.weight = NULL;
    run_case(&tables[REF], &now, nll, NULL);
    sum = weighted_sum(get_floats(&tables[REF], c->weight, c->M),
                       get_floats(&tables[REF], nll, c->M), c->M);
    release_from(before);
    return sum;
}

/* ref's device memory is the host's, so that the finite differences change what the op reads. */
static void the_gradient_is_the_slope(void **state)
{
    const struct shape s = { 4, 19, 5, DT_F32, true, DT_F32 };
    const struct ops *const o = &tables[REF];
    struct case_of c = random_case(o, &s);
    struct dev *const dh = room(o, s.M * s.C), *const h = put_random(o, s.M * s.C, 2);

    (void)state;
    c.h = h;
    c.share = 0.4f;
    run_case(o, &c, room(o, s.M), dh);
    check_gradient("dh", (float *)(void *)h, get_floats(o, dh, s.M * s.C), s.M * s.C, 1e-3, loss,
                   &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(three_words_by_hand),
        OP_TEST(tables_agree),
        OP_TEST(it_is_what_it_says),
        OP_TEST(the_gradient_is_the_slope),
    };

    return RUN_TESTS(tests);
}
