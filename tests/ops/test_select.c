/* What is asked of logits without a row of them leaving the device. */
#include "ops_test.h"

struct shape {
    int64_t M, C, V, n;
    enum dtype dtype, round;
    bool bias;
};

/* More rows than a block; one; a vocabulary that is no multiple of anything; no ids. */
static const struct shape shapes[] = {
    { 1, 7, 5, 2, DT_F32, DT_F32, false },      { 3, 64, 131, 4, DT_F16, DT_F32, true },
    { 70, 48, 1001, 3, DT_F32, DT_F32, true },  { 5, 640, 300, 1, DT_NF4, DT_F32, false },
    { 9, 96, 517, 6, DT_BF16, DT_BF16, false }, { 2, 32, 40, 0, DT_F32, DT_F32, false },
    { 150, 16, 33, 2, DT_F16, DT_BF16, true },  { 9, 640, 300, 3, DT_NF4, DT_F16, true },
};

static int32_t *ids_of(const struct shape *s)
{
    int32_t *const ids = host((size_t)(s->M * s->n + 1) * sizeof *ids);

    for (int64_t i = 0; i < s->M * s->n; i++)
        ids[i] = i % 7 == 3 ? -1 : (int32_t)((i * 37 + 11) % s->V);
    return ids;
}

struct answers {
    double *logp;
    int32_t *best;
};

static struct answers ask(const struct ops *o, const struct dev *h, const struct weight *w,
                          const struct dev *bias, const int32_t *ids, int64_t M, int64_t n)
{
    struct dev *const logp = n ? hold(o, o->alloc((size_t)(M * n) * sizeof(double))) : NULL;
    struct dev *const best = room(o, M);
    const struct answers a = { host((size_t)(M * n + 1) * sizeof *a.logp),
                               host((size_t)M * sizeof *a.best) };

    assert_int_equal(
        o->head_select(logp, best, h, w, bias, n ? put_ints(o, ids, M * n) : NULL, M, n), 0);
    if (n)
        assert_int_equal(o->get(a.logp, logp, (size_t)(M * n) * sizeof *a.logp), 0);
    assert_int_equal(o->get(a.best, best, (size_t)M * sizeof *a.best), 0);
    return a;
}

/* As a tool would from the row itself; the CPU adds in the row's order. */
static void check_row(int t, const float *x, const struct shape *s, const int32_t *id,
                      const double *logp, int32_t best)
{
    double top = (double)x[0], sum = 0;
    int64_t first = 0;

    for (int64_t v = 1; v < s->V; v++) {
        top = fmax(top, (double)x[v]);
        if (x[v] > x[first])
            first = v;
    }
    for (int64_t v = 0; v < s->V; v++)
        sum += exp((double)x[v] - top);
    assert_int_equal(best, first);
    for (int64_t i = 0; i < s->n; i++) {
        const double want = id[i] < 0 ? 0 : (double)x[id[i]] - (top + log(sum));

        assert_close("logp", logp[i], want, t < CPU_TABLES ? 0 : 1e-13);
    }
}

/* What head_logits' rows say, at any number of threads. */
static void answers_are_those_of_the_rows(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int k = 0; k < COUNT(shapes); k++)
            for (int threads = 1; threads < 4; threads++) {
                const struct shape *const s = &shapes[k];
                const struct ops *const o = &tables[t];
                const struct weight w = random_weight(o, s->dtype, s->V, s->C, 64, s->round, 1);
                const struct dev *const h = put_random(o, s->M * s->C, 2), *const bias =
                                                                               s->bias
                                                                                   ? put_random(
                                                                                         o, s->V, 3)
                                                                                   : NULL;
                const int32_t *const ids = ids_of(s);
                struct dev *const y = room(o, s->M * s->V);

                omp_set_num_threads(threads);
                assert_int_equal(o->head_logits(y, h, &w, bias, s->M), 0);
                const float *const rows = get_floats(o, y, s->M * s->V);
                const struct answers a = ask(o, h, &w, bias, ids, s->M, s->n);

                for (int64_t i = 0; i < s->M; i++)
                    check_row(t, rows + i * s->V, s, ids + i * s->n, a.logp + i * s->n, a.best[i]);
            }
    omp_set_num_threads(omp_get_num_procs());
}

static void run_select(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct weight w = random_weight(o, s->dtype, s->V, s->C, 64, s->round, 1);
    const struct dev *const h = put_random_act(o, s->M * s->C, 2);
    const struct answers a =
        ask(o, h, &w, s->bias ? put_random(o, s->V, 3) : NULL, ids_of(s), s->M, s->n);
    float *const logp = host((size_t)(s->M * s->n + 1) * sizeof *logp);

    for (int64_t i = 0; i < s->M * s->n; i++)
        logp[i] = (float)a.logp[i];
    give(out, o, "logp", put_floats(o, logp, s->M * s->n), s->M * s->n);
}

static void tables_agree(void **state)
{
    (void)state;
    CHECK_OP(run_select, shapes, 1e-11);
}

/* Logits 0, 1, 2, 3 and a tie. */
static void four_logits_by_hand(void **state)
{
    static const float w[8] = { 0, 0, 1, 0, 2, 0, 3, 3 }, h[4] = { 1, 0, 0, 1 };
    static const int32_t ids[4] = { 3, 0, 3, -1 };
    const double whole = log(1 + exp(1) + exp(2) + exp(3));

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight weight = {
            .dtype = DT_F32, .data = put_floats(o, w, 8), .rows = 4, .cols = 2
        };
        const struct answers a = ask(o, put_floats(o, h, 4), &weight, NULL, ids, 2, 2);
        struct dev *const zero = put_floats(o, (float[2]){ 0 }, 2);

        assert_close("3", a.logp[0], 3 - whole, 1e-14);
        assert_close("0", a.logp[1], -whole, 1e-14);
        assert_close("second row", a.logp[2], 3 - log(3 + exp(3)), 1e-14);
        assert_true(a.logp[3] == 0 && a.best[0] == 3 && a.best[1] == 3);
        assert_int_equal(ask(o, zero, &weight, NULL, ids, 1, 2).best[0], 0);
    }
}

/* One row of three has a logit that is no number, or infinite: it alone says so. */
static void a_row_that_is_not_finite_says_so(void **state)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY, 3e38f };
    static const int32_t ids[6] = { 1, -1, 0, 4, -1, 2 };
    enum { C = 2, V = 21 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int k = 0; k < COUNT(bad); k++) {
            const struct ops *const o = &tables[t];
            float *const w = random_floats(V * C, 1), h[6] = { 1, 0, 1, 4, 1, 0 };

            w[2 * 17 + 1] = k < 3 ? 1 : bad[k]; /* 4 times it overflows */
            if (k < 3)
                h[3] = bad[k];
            const struct weight weight = {
                .dtype = DT_F32, .data = put_floats(o, w, V * C), .rows = V, .cols = C
            };
            const struct answers a = ask(o, put_floats(o, h, 6), &weight, NULL, ids, 3, 2);

            assert_true(isnan(a.logp[2]) && isnan(a.logp[3]) && a.best[1] == -1);
            assert_true(isfinite(a.logp[0]) && a.logp[1] == 0 && a.best[0] >= 0);
            assert_true(a.logp[4] == 0 && isfinite(a.logp[5]) && a.best[2] == a.best[0]);
        }
}

/* Nothing but the best, and nothing but the probabilities. */
static void either_may_be_left_out(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct shape *const s = &shapes[2];
        const struct weight w = random_weight(o, s->dtype, s->V, s->C, 64, s->round, 1);
        const struct dev *const h = put_random(o, s->M * s->C, 2);
        const int32_t *const ids = ids_of(s);
        const struct answers both = ask(o, h, &w, NULL, ids, s->M, s->n),
                             best = ask(o, h, &w, NULL, NULL, s->M, 0);
        const size_t bytes = (size_t)(s->M * s->n) * sizeof(double);
        struct dev *const logp = hold(o, o->alloc(bytes));
        double *const alone = host(bytes);

        assert_memory_equal(best.best, both.best, (size_t)s->M * sizeof *best.best);
        assert_int_equal(
            o->head_select(logp, NULL, h, &w, NULL, put_ints(o, ids, s->M * s->n), s->M, s->n), 0);
        assert_int_equal(o->get(alone, logp, bytes), 0);
        assert_memory_equal(alone, both.logp, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(answers_are_those_of_the_rows), OP_TEST(tables_agree),
        OP_TEST(four_logits_by_hand),           OP_TEST(a_row_that_is_not_finite_says_so),
        OP_TEST(either_may_be_left_out),
    };

    return RUN_TESTS(tests);
}
