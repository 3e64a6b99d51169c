/* Dropout from Philox counters, and the residual sum it stands in. */
#include "ops_test.h"
#include "rng.h"

/* Known answers of Random123 (kat_vectors, philox4x32 10 rounds). */
static void philox_gives_the_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4];
        uint64_t key;
        uint32_t want[4];
    } known[] = {
        { { 0, 0, 0, 0 }, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          0xffffffffffffffff,
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          0x299f31d0a4093822,
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    (void)state;
    for (int i = 0; i < COUNT(known); i++) {
        uint32_t out[4];

        philox4x32(out, known[i].counter, known[i].key);
        assert_memory_equal(out, known[i].want, sizeof out);
    }
}

/* Is (token, channel) kept? As kernels.h words it. */
static bool kept(const struct dropout *d, int pos, uint32_t sample, int channel)
{
    const uint32_t counter[4] = { (uint32_t)channel / 4, (uint32_t)pos, sample, d->site };
    uint32_t word[4];

    philox4x32(word, counter, d->seed);
    return word[channel % 4] >= (double)d->p * 4294967296.0;
}

static void masks_are_those_of_the_contract(void **state)
{
    enum { N = 7, C = 13 };
    const struct dropout da = { 0.25f, 0x123456789abcdef0u, 3 },
                         dm = { 0.5f, 0x123456789abcdef0u, 4 };
    static const int lengths[2] = { 4, 3 };
    const float *const a = random_floats(N * C, 1), *const m = random_floats(N * C, 2),
                       *const x = random_floats(N * C, 3);
    float want[N * C];

    (void)state;
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++) {
            const int pos = n < 4 ? n : n - 4;
            const uint32_t sample = n < 4 ? 100 : 101;
            const float left = kept(&da, pos, sample, c) ? a[n * C + c] / 0.75f : 0;

            want[n * C + c] =
                left + (kept(&dm, pos, sample, c) ? m[n * C + c] * 2 : 0) + x[n * C + c];
        }
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, lengths, 2);
        struct dev *const out = put_floats(o, x, N * C);

        assert_int_equal(o->residual_forward(out, out, put_floats(o, a, N * C),
                                             put_floats(o, m, N * C), &da, &dm, &rows, N, C),
                         0);
        assert_floats("residual", get_floats(o, out, N * C), want, N * C, 5e-7);
    }
}

static void no_dropout_is_a_plain_sum(void **state)
{
    static const float a[3] = { 1, 2, 3 }, m[3] = { 10, 20, 30 }, x[3] = { 100, 200, 300 };
    const struct dropout none = { 0 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ 1 }, 1);
        struct dev *const out = room(o, 3), *const dout = put_floats(o, x, 3),
                          *const da = room(o, 3);

        assert_int_equal(o->residual_forward(out, dout, put_floats(o, a, 3), put_floats(o, m, 3),
                                             &none, &none, &rows, 1, 3),
                         0);
        assert_floats("sum", get_floats(o, out, 3), (float[]){ 111, 222, 333 }, 3, 0);
        assert_int_equal(o->residual_backward(da, dout, dout, &none, &none, &rows, 1, 3), 0);
        assert_floats("da", get_floats(o, da, 3), x, 3, 0);
        assert_floats("dm", get_floats(o, dout, 3), x, 3, 0);
    }
}

/* Without m nothing is asked of it or of its mask. */
static void one_branch_alone(void **state)
{
    enum { C = 37, N = 8 };
    const struct dropout d = { 0.25f, 42, 3 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ 3, 5 }, 2);
        struct dev *const x = put_random(o, N * C, 1), *const a = put_random(o, N * C, 2),
                          *const da = room(o, N * C), *const db = room(o, N * C);
        const float *const in = get_floats(o, x, N * C);

        assert_int_equal(o->residual_backward(da, NULL, a, &d, NULL, &rows, N, C), 0);
        assert_int_equal(o->residual_backward(db, room(o, N * C), a, &d, &d, &rows, N, C), 0);
        assert_memory_equal(get_floats(o, da, N * C), get_floats(o, db, N * C), N * C * 4);
        assert_int_equal(o->residual_forward(x, x, a, NULL, &d, NULL, &rows, N, C), 0);
        const float *const sum = get_floats(o, x, N * C), *const kept_a = get_floats(o, da, N * C);

        for (int i = 0; i < N * C; i++)
            assert_true(sum[i] == kept_a[i] + in[i]);
    }
}

/* A third of 2^32 lots falls below p = 0.3 or so: 4 standard deviations of a fair draw. */
static void as_many_fall_as_p_says(void **state)
{
    enum { N = 100, C = 400 };
    const struct dropout d = { 0.3f, 42, 0 };
    static const float zero[N * C] = { 0 };
    float *const ones = host(N * C * sizeof *ones);

    (void)state;
    for (int i = 0; i < N * C; i++)
        ones[i] = 1;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ N }, 1);
        struct dev *const da = room(o, N * C), *const dm = put_floats(o, zero, N * C);
        const float *x;
        int fallen = 0;

        assert_int_equal(
            o->residual_backward(da, dm, put_floats(o, ones, N * C), &d, &d, &rows, N, C), 0);
        x = get_floats(o, da, N * C);
        for (int i = 0; i < N * C; i++)
            fallen += x[i] == 0;
        assert_close("share", (double)fallen / (N * C), 0.3, 4 * sqrt(0.3 * 0.7 / (N * C)));
    }
}

struct shape {
    int lengths[3], n;
    int64_t C;
    float pa, pm;
};

static const struct shape shapes[] = {
    { { 1 }, 1, 1, 0.5f, 0 },
    { { 3, 5, 2 }, 3, 37, 0, 0.1f },
    { { 9 }, 1, 2560, 0.1f, 0.1f },
    { { 2, 2 }, 2, 160, 0, 0 },
};

static void run_residual(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct packed rows = pack_lengths(o, s->lengths, s->n);
    const struct dropout da = { s->pa, 7, 1 }, dm = { s->pm, 7, 2 };
    const int64_t n = rows.tokens * s->C;
    struct dev *const y = act_room(o, n), *const ga = act_room(o, n), *const gm = act_room(o, n);

    assert_int_equal(o->residual_forward(y, put_random_act(o, n, 1), put_random_act(o, n, 2),
                                         put_random_act(o, n, 3), &da, &dm, &rows, rows.tokens,
                                         s->C),
                     0);
    give_act(out, o, "out", y, n);
    assert_int_equal(
        o->residual_backward(ga, gm, put_random_act(o, n, 4), &da, &dm, &rows, rows.tokens, s->C),
        0);
    give_act(out, o, "da", ga, n);
    give_act(out, o, "dm", gm, n);
}

/* Two sums and a product in float. */
static void residual_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_residual, shapes, 1e-13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(philox_gives_the_known_answers), OP_TEST(masks_are_those_of_the_contract),
        OP_TEST(no_dropout_is_a_plain_sum),      OP_TEST(one_branch_alone),
        OP_TEST(as_many_fall_as_p_says),         OP_TEST(residual_agrees),
    };

    return RUN_TESTS(tests);
}
