/* The output head with cross-entropy. */
#include "ops_test.h"

/* h = (1, 0), W = (0 0; log 3 0; log 4 0), bias (0, 0, -log 2): logits 0, log 3, log 2, so that the
 * softmax is (1, 3, 2) / 6. Targets 1, 0 and none. */
static void three_words_by_hand(void **state)
{
    const float h[6] = { 1, 0, 1, 0, 1, 0 }, bias[3] = { 0, 0, -logf(2) };
    const float table[6] = { 0, 0, logf(3), 0, logf(4), 0 }, weight[3] = { 1, 2, 5 };
    static const int32_t target[3] = { 1, 0, -1 };
    const double dh = (3. / 6 - 1) * log(3) + 2. / 6 * log(4),
                 dh2 = 2 * (3. / 6 * log(3) + 2. / 6 * log(4));

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = {
            .dtype = DT_F32, .data = put_floats(o, table, 6), .rows = 3, .cols = 2
        };
        struct dev *const nll = room(o, 3), *const grad = room(o, 6), *const best = room(o, 3);
        int32_t words[3];

        assert_int_equal(o->head_loss(nll, grad, best, put_floats(o, h, 6), &w,
                                      put_floats(o, bias, 3), put_ints(o, target, 3),
                                      put_floats(o, weight, 3), 3),
                         0);
        assert_floats("nll", get_floats(o, nll, 3), (float[]){ logf(2), logf(6), 0 }, 3, 3e-7);
        assert_floats("dh", get_floats(o, grad, 6), (float[]){ (float)dh, 0, (float)dh2, 0, 0, 0 },
                      6, 3e-7);
        assert_int_equal(o->get(words, best, sizeof words), 0);
        assert_memory_equal(words, ((int32_t[]){ 1, 1, 1 }), sizeof words);
    }
}

/* Two words far apart share the largest logit. */
static void the_first_of_equals_is_best(void **state)
{
    enum { V = 3000 };
    float table[V] = { 0 };

    (void)state;
    table[1023] = table[1500] = table[2999] = 2;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = {
            .dtype = DT_F32, .data = put_floats(o, table, V), .rows = V, .cols = 1
        };
        struct dev *const nll = room(o, 1), *const best = room(o, 1);
        int32_t word;

        assert_int_equal(o->head_loss(nll, NULL, best, put_floats(o, (float[]){ 1 }, 1), &w, NULL,
                                      put_ints(o, (int32_t[]){ -1 }, 1), NULL, 1),
                         0);
        assert_int_equal(o->get(&word, best, sizeof word), 0);
        assert_int_equal(word, 1023);
        assert_floats("nll", get_floats(o, nll, 1), (float[]){ 0 }, 1, 0);
    }
}

/* Logits of thousands: the loss of the largest is 0, of another the distance. */
static void large_logits_do_not_overflow(void **state)
{
    static const float table[3] = { 3000, -3000, 1000 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = {
            .dtype = DT_F32, .data = put_floats(o, table, 3), .rows = 3, .cols = 1
        };
        struct dev *const nll = room(o, 3);

        assert_int_equal(o->head_loss(nll, NULL, NULL, put_floats(o, (float[]){ 1, 1, 1 }, 3), &w,
                                      NULL, put_ints(o, (int32_t[]){ 0, 1, 2 }, 3), NULL, 3),
                         0);
        assert_floats("nll", get_floats(o, nll, 3), (float[]){ 0, 6000, 2000 }, 3, 0);
    }
}

struct shape {
    int64_t M, V, C;
    enum dtype dtype;
    bool bias;
    enum dtype round;
};

/* One row; fewer and more rows than a chunk; a vocabulary that is no multiple of anything. */
static const struct shape shapes[] = {
    { 1, 2, 1, DT_F32, false, DT_F32 },       { 5, 33, 7, DT_F32, true, DT_F32 },
    { 20, 509, 160, DT_BF16, true, DT_F32 },  { 37, 1025, 64, DT_F16, true, DT_F32 },
    { 3, 2000, 2560, DT_F16, false, DT_F32 }, { 800, 40, 9, DT_F32, true, DT_F32 },
    { 9, 2500, 20, DT_F32, true, DT_F32 },
};

static int32_t *targets(int64_t M, int64_t V)
{
    int32_t *const target = host((size_t)M * sizeof *target);

    for (int64_t i = 0; i < M; i++)
        target[i] = i % 3 == 1 ? -1 : (int32_t)(i * 31 % V);
    return target;
}

static void run_head(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct weight w = random_weight(o, s->dtype, s->V, s->C, 64, s->round, 1);
    struct dev *const nll = room(o, s->M), *const dh = act_room(o, s->M * s->C),
                      *const only = room(o, s->M), *const logits = room(o, s->M * s->V);
    const struct dev *const h = put_random_act(o, s->M * s->C, 2), *const bias =
                                                                       s->bias
                                                                           ? put_random(o, s->V, 3)
                                                                           : NULL;
    const struct dev *const target = put_ints(o, targets(s->M, s->V), s->M);

    assert_int_equal(o->head_loss(nll, dh, NULL, h, &w, bias, target, put_random(o, s->M, 4), s->M),
                     0);
    give(out, o, "nll", nll, s->M);
    give_act(out, o, "dh", dh, s->M * s->C);
    assert_int_equal(o->head_loss(only, NULL, NULL, h, &w, bias, target, NULL, s->M), 0);
    give(out, o, "nll alone", only, s->M);
    assert_int_equal(o->head_logits(logits, h, &w, bias, s->M), 0);
    give(out, o, "logits", logits, s->M * s->V);
}

/* Float logits of size 1 with sums over C, float exponentials. */
static void head_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_head, shapes, 1e-11);
}

/* The softmax is rounded at two scales: each term of dh to 2^-9 of itself in bfloat16, 2^-12 in
 * float16. */
static void head_agrees_in_16_bits(void **state)
{
    static const struct shape rounded[] = {
        { 5, 33, 7, DT_F32, true, DT_BF16 },
        { 37, 1025, 64, DT_F16, true, DT_BF16 },
        { 70, 2500, 90, DT_F16, true, DT_BF16 },
    },
                              half[] = {
        { 5, 33, 7, DT_F32, true, DT_F16 },
        { 37, 1025, 64, DT_F16, true, DT_F16 },
        { 9, 2500, 96, DT_NF4, true, DT_F16 },
    };

    (void)state;
    CHECK_OP(run_head, rounded, 1e-6);
    CHECK_OP(run_head, half, 1e-7);
}

/* The argmax is that of the logits, and rows do not see each other. */
static void best_is_the_largest_logit(void **state)
{
    enum { M = 21, V = 777, C = 96 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = random_weight(o, DT_BF16, V, C, 64, DT_F32, 1);
        const struct dev *const h = put_random(o, M * C, 2), *const bias = put_random(o, V, 3);
        const struct dev *const target = put_ints(o, targets(M, V), M);
        struct dev *const y = room(o, M * V), *const nll = room(o, M), *const best = room(o, M),
                          *const one = room(o, 1);
        const float *logits;
        int32_t words[M];

        assert_int_equal(o->head_logits(y, h, &w, bias, M), 0);
        logits = get_floats(o, y, M * V);
        assert_int_equal(o->head_loss(nll, NULL, best, h, &w, bias, target, NULL, M), 0);
        assert_int_equal(o->get(words, best, sizeof words), 0);
        for (int i = 0; i < M; i++)
            for (int v = 0; v < V; v++)
                assert_true(logits[i * V + words[i]] >= logits[i * V + v] - 1e-5f);
        assert_int_equal(o->head_loss(one, NULL, NULL, o->slice_const(h, 20 * C * sizeof(float)),
                                      &w, bias, o->slice_const(target, 20 * sizeof(int32_t)), NULL,
                                      1),
                         0);
        assert_floats("alone", get_floats(o, one, 1), get_floats(o, nll, M) + 20, 1,
                      t < CPU_TABLES ? 0 : 1e-6);
    }
}

struct gradient {
    const float *h, *weight;
};

enum { GM = 4, GV = 19, GC = 5 };

static void gradient_case(const struct gradient *c, struct dev *nll, struct dev *dh)
{
    const struct ops *const o = &tables[REF];
    const struct weight w = random_weight(o, DT_F32, GV, GC, 64, DT_F32, 1);

    assert_int_equal(o->head_loss(nll, dh, NULL, put_floats(o, c->h, GM * GC), &w,
                                  put_random(o, GV, 3), put_ints(o, targets(GM, GV), GM),
                                  dh ? put_floats(o, c->weight, GM) : NULL, GM),
                     0);
}

static double head_loss(void *context)
{
    const struct gradient *const c = context;
    const size_t before = n_held;
    struct dev *const nll = room(&tables[REF], GM);
    double loss;

    gradient_case(c, nll, NULL);
    loss = weighted_sum(c->weight, get_floats(&tables[REF], nll, GM), GM);
    release_from(before);
    return loss;
}

static void the_gradient_is_the_slope(void **state)
{
    float *const h = random_floats(GM * GC, 2);
    struct gradient c = { h, random_floats(GM, 4) };
    struct dev *const dh = room(&tables[REF], GM * GC);

    (void)state;
    gradient_case(&c, room(&tables[REF], GM), dh);
    check_gradient("dh", h, get_floats(&tables[REF], dh, GM * GC), GM * GC, 1e-3, head_loss, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(three_words_by_hand),          OP_TEST(the_first_of_equals_is_best),
        OP_TEST(large_logits_do_not_overflow), OP_TEST(head_agrees),
        OP_TEST(head_agrees_in_16_bits),       OP_TEST(best_is_the_largest_logit),
        OP_TEST(the_gradient_is_the_slope),
    };

    return RUN_TESTS(tests);
}
