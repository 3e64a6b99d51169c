/* Attention where q, k and v may be rounded to halves, as a device does it whose multipliers want
 * them: within what these roundings make, and as deterministic as in f32. */
#include "ops_test.h"

struct shape {
    int lengths[3], n;
    int64_t H, K, D, window;
    int64_t gap;    /* elements between the rows' ends and the next */
    int32_t shared; /* rows that every query sees besides; forward only */
    enum dtype round;
};

/* Every head size there is; grouped heads; lengths around the tiles of 64 queries and 32 keys; a
 * hundred-odd of few; windows in and across tiles; rows that stand apart; a shared beginning. */
#define SHAPES(type)                                                                               \
    { { 40, 1, 17 }, 3, 2, 2, 80, 0, 0, 0, type }, { { 300 }, 1, 7, 1, 32, 0, 8, 0, type },        \
        { { 63, 65 }, 2, 4, 2, 64, 0, 0, 0, type }, { { 64, 33 }, 2, 2, 1, 96, 20, 32, 0, type },  \
        { { 100 }, 1, 2, 2, 128, 33, 128, 0, type }, { { 9, 2 }, 2, 2, 1, 256, 0, 4, 0, type },    \
        { { 5, 31, 3 }, 3, 2, 1, 16, 0, 0, 40, type }, { { 130 }, 1, 1, 1, 48, 1, 0, 0, type },    \
    {                                                                                              \
        { 90 }, 1, 2, 1, 112, 50, 0, 77, type                                                      \
    }

static const struct shape bfloat16[] = { SHAPES(DT_BF16) }, float16[] = { SHAPES(DT_F16) };

struct inputs {
    struct attention a;
    struct packed rows;
    int64_t N;
    const struct dev *q, *k, *v;
};

static struct inputs inputs_of(const struct ops *o, const struct shape *s)
{
    struct seq *const seq = sequences(s->lengths, s->n);
    struct inputs in = { .a = { .heads = s->H,
                                .kv_heads = s->K,
                                .head_dim = s->D,
                                .q_ld = s->H * s->D + s->gap,
                                .kv_ld = s->K * s->D + s->gap,
                                .window = s->window,
                                .scale = 2 / sqrtf((float)s->D),
                                .round = s->round } };

    for (int i = 0; i < s->n; i++) {
        seq[i].k_start += s->shared;
        seq[i].shared_len = s->shared;
    }
    in.rows = pack(o, seq, s->n);
    in.N = in.rows.tokens;
    in.q = put_random(o, in.N * in.a.q_ld, 1);
    in.k = put_random(o, (in.N + s->shared) * in.a.kv_ld, 2);
    in.v = put_random(o, (in.N + s->shared) * in.a.kv_ld, 3);
    return in;
}

/* Rows of HEADS heads, LD apart. */
static void give_rows(struct outputs *out, const struct ops *o, const char *name,
                      const struct dev *x, int64_t rows, int64_t width, int64_t ld)
{
    const float *const all = get_floats(o, x, rows * ld);
    float *const some = host((size_t)(rows * width) * sizeof *some);

    for (int64_t i = 0; i < rows; i++)
        memcpy(some + i * width, all + i * ld, (size_t)width * sizeof *some);
    give(out, o, name, put_floats(o, some, rows * width), rows * width);
}

static void run_half(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct inputs in = inputs_of(o, s);
    const int64_t N = in.N, HD = s->H * s->D, KD = s->K * s->D;
    struct dev *const y = room(o, N * HD), *const lse = room(o, N * s->H);

    assert_int_equal(o->attention_forward(y, lse, in.q, in.k, in.v, &in.rows, &in.a), 0);
    give(out, o, "out", y, N * HD);
    give(out, o, "lse", lse, N * s->H);
    if (s->shared)
        return;
    struct dev *const dq = room(o, N * in.a.q_ld), *const dk = room(o, N * in.a.kv_ld),
                      *const dv = room(o, N * in.a.kv_ld);

    assert_int_equal(o->attention_backward(dq, dk, dv, room(o, N * s->H), put_random(o, N * HD, 4),
                                           y, lse, in.q, in.k, in.v, &in.rows, &in.a),
                     0);
    give_rows(out, o, "dq", dq, N, HD, in.a.q_ld);
    give_rows(out, o, "dk", dk, N, KD, in.a.kv_ld);
    give_rows(out, o, "dv", dv, N, KD, in.a.kv_ld);
}

/* Each of four roundings is off by 2^-9 at most (2^-12 in float16), a part in 1e6 of its square. */
static void halves_are_good_enough(void **state)
{
    (void)state;
    CHECK_OP(run_half, bfloat16, 1e-5);
    CHECK_OP(run_half, float16, 1e-6);
}

static float *attend(const struct ops *o, const struct inputs *in)
{
    const int64_t n = in->N * in->a.heads * in->a.head_dim;
    struct dev *const y = room(o, n);

    assert_int_equal(o->attention_forward(y, NULL, in->q, in->k, in->v, &in->rows, &in->a), 0);
    return get_floats(o, y, n);
}

/* ref and cpu do not round; what does is seen to. */
static void only_a_device_rounds(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        struct inputs in = inputs_of(&tables[t], &bfloat16[2]);
        const int64_t n = in.N * in.a.heads * in.a.head_dim;
        const float *const rounded = attend(&tables[t], &in);

        in.a.round = DT_F32;
        const double e = nmse(rounded, attend(&tables[t], &in), n);

        assert_true(t == CUDA ? e > 1e-8 : e == 0);
    }
}

/* A sequence's rows have the same bytes alone as between two others. */
static void neighbours_do_not_matter(void **state)
{
    static const struct shape three = { { 20, 70, 9 }, 3, 2, 1, 64, 0, 0, 0, DT_BF16 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct inputs all = inputs_of(o, &three);
        struct inputs one = all;

        one.N = 70;
        one.rows = pack_lengths(o, &three.lengths[1], 1);
        one.q = o->slice_const(all.q, (size_t)(20 * all.a.q_ld) * sizeof(float));
        one.k = o->slice_const(all.k, (size_t)(20 * all.a.kv_ld) * sizeof(float));
        one.v = o->slice_const(all.v, (size_t)(20 * all.a.kv_ld) * sizeof(float));
        assert_memory_equal(attend(o, &one), attend(o, &all) + 20 * 2 * 64,
                            70 * 2 * 64 * sizeof(float));
    }
}

/* A query that sees one key: its value, rounded, and no slope at all, as in f32. */
static void one_key_has_no_slope(void **state)
{
    enum { N = 33, H = 2, D = 80, n = N * H * D };
    const struct attention f32 = attention_shape(H, H, D, 1);

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct attention a = f32;
        const struct packed rows = pack_lengths(o, (int[]){ N }, 1);
        struct dev *const y = room(o, n), *const lse = room(o, N * H), *const dq = room(o, n);
        const struct dev *const q = put_random(o, n, 1), *const k = put_random(o, n, 2),
                                *const v = put_random(o, n, 3);

        a.window = 1;
        a.round = DT_BF16;
        assert_int_equal(o->attention_forward(y, lse, q, k, v, &rows, &a), 0);
        assert_int_equal(o->attention_backward(dq, room(o, n), room(o, n), room(o, N * H),
                                               put_random(o, n, 4), y, lse, q, k, v, &rows, &a),
                         0);
        float *const none = host(n * sizeof *none);

        memset(none, 0, n * sizeof *none);
        assert_floats("dq", get_floats(o, dq, n), none, n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(halves_are_good_enough),
        OP_TEST(only_a_device_rounds),
        OP_TEST(neighbours_do_not_matter),
        OP_TEST(one_key_has_no_slope),
    };

    return RUN_TESTS(tests);
}
