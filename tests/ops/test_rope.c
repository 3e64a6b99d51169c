/* Rotary positions. */
#include "ops_test.h"

/* One head of 5, 4 of them turned: pairs (0, 2) and (1, 3). At position 1 by a quarter turn and by
 * nothing, at position 0 by nothing. */
static void quarter_turns_by_hand(void **state)
{
    static const float cos_table[4] = { 1, 1, 0, 1 }, sin_table[4] = { 0, 0, 1, 0 }; /* (2, 2) */
    static const float x[10] = { 1, 2, 3, 4, 5, 1, 2, 3, 4, 5 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ 2 }, 1);
        struct dev *const d = put_floats(o, x, 10);
        const struct dev *const c = put_floats(o, cos_table, 4), *const s =
                                                                     put_floats(o, sin_table, 4);

        assert_int_equal(o->rope(d, 5, c, s, &rows, 2, 1, 5, 4, 1), 0);
        assert_floats("turned", get_floats(o, d, 10), (float[]){ 1, 2, 3, 4, 5, -3, 2, 1, 4, 5 },
                      10, 0);
        assert_int_equal(o->rope(d, 5, c, s, &rows, 2, 1, 5, 4, -1), 0);
        assert_floats("turned back", get_floats(o, d, 10), x, 10, 0);
    }
}

/* Two heads of 2 in rows 7 apart: what lies between stays. */
static void rows_may_stand_apart(void **state)
{
    static const float cos_table[2] = { 1, 0 }, sin_table[2] = { 0, 1 }; /* (2, 1) */
    static const float x[14] = { 1, 2, 3, 4, 9, 9, 9, 1, 2, 3, 4, 9, 9, 9 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ 2 }, 1);
        struct dev *const d = put_floats(o, x, 14);

        assert_int_equal(o->rope(d, 7, put_floats(o, cos_table, 2), put_floats(o, sin_table, 2),
                                 &rows, 2, 2, 2, 2, 1),
                         0);
        assert_floats("turned", get_floats(o, d, 14),
                      (float[]){ 1, 2, 3, 4, 9, 9, 9, -2, 1, -4, 3, 9, 9, 9 }, 14, 0);
    }
}

struct shape {
    int lengths[3], n;
    int64_t H, D, rot;
};

/* Phi-2's head; whole heads; an odd head; one pair; no pair. */
static const struct shape shapes[] = {
    { { 5, 1, 9 }, 3, 3, 80, 32 }, { { 7 }, 1, 2, 16, 16 }, { { 3, 4 }, 2, 5, 33, 12 },
    { { 1 }, 1, 1, 2, 2 },         { { 4 }, 1, 2, 8, 0 },
};

enum { POSITIONS = 16 };

static void angles(float *cosines, float *sines, int64_t half)
{
    for (int64_t p = 0; p < POSITIONS; p++)
        for (int64_t j = 0; j < half; j++) {
            const double angle = (double)p * pow(10000, -(double)j / (double)half);

            cosines[p * half + j] = (float)cos(angle);
            sines[p * half + j] = (float)sin(angle);
        }
}

static struct dev *turned(const struct ops *o, const struct shape *s, const float *x, int dir)
{
    const struct packed rows = pack_lengths(o, s->lengths, s->n);
    const int64_t half = s->rot / 2, n = rows.tokens * s->H * s->D;
    float *const c = host((size_t)(POSITIONS * half) * sizeof *c), *const sn = host(
                                                                       (size_t)(POSITIONS * half) *
                                                                       sizeof *sn);
    struct dev *const d = put_act(o, x, n);

    angles(c, sn, half);
    assert_int_equal(o->rope(d, s->H * s->D, put_floats(o, c, POSITIONS * half),
                             put_floats(o, sn, POSITIONS * half), &rows, rows.tokens, s->H, s->D,
                             s->rot, dir),
                     0);
    return d;
}

static int64_t size_of(const struct shape *s)
{
    int64_t tokens = 0;

    for (int i = 0; i < s->n; i++)
        tokens += s->lengths[i];
    return tokens * s->H * s->D;
}

static void run_rope(struct outputs *out, const struct ops *o, const void *shape)
{
    const float *const x = random_floats(size_of(shape), 1);

    give_act(out, o, "forward", turned(o, shape, x, 1), size_of(shape));
    give_act(out, o, "backward", turned(o, shape, x, -1), size_of(shape));
}

/* Two products and a sum in float: 2^-24 each. */
static void rope_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_rope, shapes, 1e-13);
}

/* A turn is orthogonal: its gradient is the turn back, <g, turn x> = <turn back g, x>. */
static void backward_is_the_transpose(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(shapes); i++) {
            const int64_t n = size_of(&shapes[i]);
            const float *const x = random_floats(n, 1), *const g = random_floats(n, 2);
            const float *const y = get_floats(&tables[t], turned(&tables[t], &shapes[i], x, 1), n);
            const float *const dx =
                get_floats(&tables[t], turned(&tables[t], &shapes[i], g, -1), n);

            assert_close("<g, turn x>", weighted_sum(g, y, n), weighted_sum(dx, x, n),
                         1e-6 * (double)n);
        }
}

/* Every backend's bytes are the reference's: sums and products in double, rounded once. */
static void bytes_are_the_references(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(shapes); i++) {
        const int64_t n = size_of(&shapes[i]);
        const float *const x = random_floats(n, 1);
        const float *const want =
            get_floats(&tables[REF], turned(&tables[REF], &shapes[i], x, 1), n);

        for (int t = use(PORTABLE); t < TABLES; t = use(t + 1)) {
            const struct dev *const d = turned(&tables[t], &shapes[i], x, 1);

            assert_memory_equal(get_floats(&tables[t], d, n), want, (size_t)n * sizeof *want);
        }
        (void)use(REF);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(quarter_turns_by_hand),     OP_TEST(rows_may_stand_apart),     OP_TEST(rope_agrees),
        OP_TEST(backward_is_the_transpose), OP_TEST(bytes_are_the_references),
    };

    return RUN_TESTS(tests);
}
