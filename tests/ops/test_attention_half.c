/* Attention where q, k and v may be rounded to halves, as a device does it whose multipliers want
 * them: within what these roundings make, and as deterministic as in f32. */
#include "ops_test.h"

struct shape {
    int lengths[3], n; /* in turn, if there are more than three */
    int64_t H, K, D, window;
    int64_t gap;    /* elements between the rows' ends and the next */
    int32_t shared; /* rows that every query sees besides; forward only */
    enum dtype round;
};

/* Every head size there is; grouped heads; lengths around the tiles of 64 and 32; a hundred of few;
 * one that is long; windows in and across tiles, one that ends with a tile's first row; rows that
 * stand apart; a shared beginning. */
#define SHAPES(type)                                                                               \
    { { 40, 1, 17 }, 3, 2, 2, 80, 0, 0, 0, type }, { { 300 }, 1, 7, 1, 32, 0, 8, 0, type },        \
        { { 63, 65 }, 2, 4, 2, 64, 0, 0, 0, type }, { { 64, 33 }, 2, 2, 1, 96, 20, 32, 0, type },  \
        { { 100 }, 1, 2, 2, 128, 34, 128, 0, type }, { { 9, 2 }, 2, 2, 1, 256, 0, 4, 0, type },    \
        { { 5, 31, 3 }, 3, 2, 1, 16, 0, 0, 40, type }, { { 130 }, 1, 1, 1, 48, 1, 0, 0, type },    \
        { { 70, 3 }, 2, 2, 2, 256, 40, 0, 0, type },                                               \
        { { 3, 3, 9 }, 100, 1, 1, 64, 0, 0, 0, type },                                             \
        { { 33, 1 }, 2, 2, 2, 112, 1000, 0, 0, type },                                             \
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
    int *const lengths = host((size_t)s->n * sizeof *lengths);
    struct inputs in = { .a = { .heads = s->H,
                                .kv_heads = s->K,
                                .head_dim = s->D,
                                .q_ld = s->H * s->D + s->gap,
                                .kv_ld = s->K * s->D + s->gap,
                                .window = s->window,
                                .scale = 2 / sqrtf((float)s->D),
                                .round = s->round } };

    for (int i = 0; i < s->n; i++)
        lengths[i] = s->lengths[i % 3];
    struct seq *const seq = sequences(lengths, s->n);

    for (int i = 0; i < s->n; i++) {
        seq[i].k_start += s->shared;
        seq[i].shared_len = s->shared;
    }
    in.rows = pack(o, seq, s->n);
    in.N = in.rows.tokens;
    in.q = put_random_act(o, in.N * in.a.q_ld, 1);
    in.k = put_random_act(o, (in.N + s->shared) * in.a.kv_ld, 2);
    in.v = put_random_act(o, (in.N + s->shared) * in.a.kv_ld, 3);
    return in;
}

/* What forward gives and, of a gradient G of it, backward. */
struct results {
    struct dev *out, *lse, *dq, *dk, *dv;
};

static struct results attend(const struct ops *o, const struct inputs *in, const struct dev *g)
{
    const int64_t N = in->N, H = in->a.heads, D = in->a.head_dim;
    struct results r = { .out = act_room(o, N * H * D), .lse = room(o, N * H) };

    assert_int_equal(o->attention_forward(r.out, r.lse, in->q, in->k, in->v, &in->rows, &in->a), 0);
    if (!g)
        return r;
    r.dq = act_room(o, N * in->a.q_ld);
    r.dk = act_room(o, N * in->a.kv_ld);
    r.dv = act_room(o, N * in->a.kv_ld);
    assert_int_equal(o->attention_backward(r.dq, r.dk, r.dv, room(o, N * H), g, r.out, r.lse, in->q,
                                           in->k, in->v, &in->rows, &in->a),
                     0);
    return r;
}

static void run_half(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct inputs in = inputs_of(o, s);
    const int64_t N = in.N, HD = s->H * s->D, KD = s->K * s->D;
    const struct results r = attend(o, &in, s->shared ? NULL : put_random_act(o, N * HD, 4));

    give_act(out, o, "out", r.out, N * HD);
    give(out, o, "lse", r.lse, N * s->H);
    if (s->shared)
        return;
    give_rows(out, o, "dq", r.dq, N, HD, in.a.q_ld);
    give_rows(out, o, "dk", r.dk, N, KD, in.a.kv_ld);
    give_rows(out, o, "dv", r.dv, N, KD, in.a.kv_ld);
}

/* Each of four or five roundings is off by 2^-9 at most (2^-12 in float16), 2e-6 of its square. */
static void halves_are_good_enough(void **state)
{
    (void)state;
    CHECK_OP(run_half, bfloat16, 1e-5);
    CHECK_OP(run_half, float16, 1e-6);
}

/* ref and cpu do not round; what does is seen to. */
static void only_a_device_rounds(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct inputs in = inputs_of(o, &bfloat16[2]);
        const int64_t n = in.N * in.a.heads * in.a.head_dim;
        const struct dev *const g = put_random(o, n, 4);
        const struct results rounded = attend(o, &in, g);

        in.a.round = DT_F32;
        const struct results same = attend(o, &in, g);
        const double e = nmse(get_floats(o, rounded.out, n), get_floats(o, same.out, n), n),
                     back = nmse(get_floats(o, rounded.dq, n), get_floats(o, same.dq, n), n);

        assert_true(t == CUDA ? e > 1e-8 && back > 1e-8 : e == 0 && back == 0);
    }
}

/* A sequence's rows have the same bytes alone as between two others. */
static void neighbours_do_not_matter(void **state)
{
    static const struct shape three = { { 20, 70, 9 }, 3, 2, 1, 64, 0, 0, 0, DT_BF16 };
    enum { HD = 2 * 64, KD = 64 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct inputs all = inputs_of(o, &three);
        const struct dev *const g = put_random(o, 99 * HD, 4);
        const struct results among = attend(o, &all, g);
        struct inputs one = all;
        struct outputs got = { 0 }, want = { 0 };

        one.N = 70;
        one.rows = pack_lengths(o, &three.lengths[1], 1);
        one.q = o->slice_const(all.q, 20 * HD * sizeof(float));
        one.k = o->slice_const(all.k, 20 * KD * sizeof(float));
        one.v = o->slice_const(all.v, 20 * KD * sizeof(float));
        const struct results alone = attend(o, &one, o->slice_const(g, 20 * HD * sizeof(float)));

        give(&got, o, "out", alone.out, 70 * HD);
        give(&got, o, "dq", alone.dq, 70 * HD);
        give(&got, o, "dk", alone.dk, 70 * KD);
        give(&got, o, "dv", alone.dv, 70 * KD);
        give(&want, o, "out", o->slice_const(among.out, 20 * HD * sizeof(float)), 70 * HD);
        give(&want, o, "dq", o->slice_const(among.dq, 20 * HD * sizeof(float)), 70 * HD);
        give(&want, o, "dk", o->slice_const(among.dk, 20 * KD * sizeof(float)), 70 * KD);
        give(&want, o, "dv", o->slice_const(among.dv, 20 * KD * sizeof(float)), 70 * KD);
        check_bytes(t, &got, &want, "alone");
    }
}

/* A gradient far below the least number of float16: what a large one gives, in proportion; and
 * none. */
static void small_gradients_are_kept(void **state)
{
    static const float sizes[] = { 1, 0x1p-40f, 0x1p+60f, 0 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int s = 0; s < COUNT(sizes); s++) {
            const struct ops *const o = &tables[t];
            const struct inputs in = inputs_of(o, &float16[2]);
            const int64_t n = in.N * in.a.heads * in.a.head_dim;
            float *const g = random_floats(n, 4);
            const struct results want = attend(o, &in, put_floats(o, g, n));

            for (int64_t i = 0; i < n; i++)
                g[i] *= sizes[s];
            const struct results got = attend(o, &in, put_floats(o, g, n));
            float *const dq = get_floats(o, want.dq, n), *const dk = get_floats(o, want.dk, n / 2),
                         *const dv = get_floats(o, want.dv, n / 2);

            for (int64_t i = 0; i < n; i++)
                dq[i] *= sizes[s];
            for (int64_t i = 0; i < n / 2; i++) {
                dk[i] *= sizes[s];
                dv[i] *= sizes[s];
            }
            assert_floats("dq", get_floats(o, got.dq, n), dq, n, 0);
            assert_floats("dk", get_floats(o, got.dk, n / 2), dk, n / 2, 0);
            assert_floats("dv", get_floats(o, got.dv, n / 2), dv, n / 2, 0);
        }
}

/* A query that sees one key: its value, rounded, and no slope, as in f32. */
static void one_key_has_no_slope(void **state)
{
    static const struct shape one = { { 33 }, 1, 2, 2, 80, 1, 0, 0, DT_BF16 };
    enum { N = 33 * 2 * 80 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct inputs in = inputs_of(o, &one);
        const struct results r = attend(o, &in, put_random(o, N, 4));
        float *const none = host(N * sizeof *none);

        memset(none, 0, N * sizeof *none);
        assert_floats("dq", get_floats(o, r.dq, N), none, N, t == CUDA ? 1e-6 : 0);
        assert_floats("dk", get_floats(o, r.dk, N), none, N, t == CUDA ? 1e-6 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(halves_are_good_enough),   OP_TEST(only_a_device_rounds),
        OP_TEST(neighbours_do_not_matter), OP_TEST(small_gradients_are_kept),
        OP_TEST(one_key_has_no_slope),
    };

    return RUN_TESTS(tests);
}
