/* Causal attention over packed sequences. */
#include "ops_test.h"

struct inputs {
    const float *q, *k, *v;
    int64_t q_rows, k_rows, H, K, D;
};

static struct inputs random_inputs(int64_t q_rows, int64_t k_rows, int64_t H, int64_t K, int64_t D)
{
    return (struct inputs){ random_floats(q_rows * H * D, 1),
                            random_floats(k_rows * K * D, 2),
                            random_floats(k_rows * K * D, 3),
                            q_rows,
                            k_rows,
                            H,
                            K,
                            D };
}

static struct attention shape_of(const struct inputs *in)
{
    return attention_shape(
        in->H, in->K, in->D,
        3 / sqrtf((float)in->D)); /* steeper than usual, so that the softmax is far from flat */
}

static float *attend(const struct ops *o, const struct inputs *in, const struct seq *seq, int seqs,
                     float *lse)
{
    const int64_t n = in->q_rows * in->H * in->D;
    const struct packed rows = pack(o, seq, seqs);
    const struct attention shape = shape_of(in);
    struct dev *const out = act_room(o, n), *const log_sums = room(o, in->q_rows * in->H);

    assert_int_equal(o->attention_forward(out, lse ? log_sums : NULL, put_act(o, in->q, n),
                                          put_act(o, in->k, in->k_rows * in->K * in->D),
                                          put_act(o, in->v, in->k_rows * in->K * in->D), &rows,
                                          &shape),
                     0);
    if (lse)
        assert_int_equal(o->get(lse, log_sums, (size_t)(in->q_rows * in->H) * sizeof *lse), 0);
    return get_act(o, out, n);
}

/* Two tokens, one head of 1. The first sees itself; the second sees scores 0 and log 3: 1/4 and
 * 3/4. */
static void two_tokens_by_hand(void **state)
{
    static const float v[2] = { 8, 4 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const float q[2] = { 5, 1 }, k[2] = { 0, logf(3) / 3 };
        const struct inputs in = { q, k, v, 2, 2, 1, 1, 1 };
        float lse[2];
        const float *const out = attend(&tables[t], &in, sequences((int[]){ 2 }, 1), 1, lse);

        assert_floats("out", out, (float[]){ 8, 5 }, 2, 1e-6);
        assert_floats("lse", lse, (float[]){ 0, logf(4) }, 2, 2e-7);
    }
}

/* Scores of plus and minus thousands: nothing overflows, and the largest takes all. */
static void large_scores_do_not_overflow(void **state)
{
    static const float q[3] = { 1, 1, 1 }, k[3] = { -3000, 3000, 2000 }, v[3] = { 1, 2, 3 };
    const struct inputs in = { q, k, v, 3, 3, 1, 1, 1 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        assert_floats("out", attend(&tables[t], &in, sequences((int[]){ 3 }, 1), 1, NULL),
                      (float[]){ 1, 2, 2 }, 3, 0);
}

/* A sequence's rows have the same bytes alone as between two others. */
static void neighbours_do_not_matter(void **state)
{
    static const int lengths[3] = { 5, 13, 4 };
    enum { H = 6, K = 3, D = 20, AT = 5, N = 13 };
    const struct inputs all = random_inputs(22, 22, H, K, D);
    const struct inputs one = {
        all.q + AT * H * D, all.k + AT * K * D, all.v + AT * K * D, N, N, H, K, D
    };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const float *const together = attend(&tables[t], &all, sequences(lengths, 3), 3, NULL);
        const float *const alone = attend(&tables[t], &one, sequences(&lengths[1], 1), 1, NULL);

        assert_memory_equal(alone, together + AT * H * D, N * H * D * sizeof *alone);
    }
}

/* The last query alone, its keys in a cache and read by two heads each, has the bytes it has among
 * all. */
static void a_new_token_gives_what_the_whole_gave(void **state)
{
    enum { H = 4, K = 2, D = 16, N = 300, LAST = (N - 1) * H * D };
    const struct inputs whole = random_inputs(N, N, H, K, D);
    const struct inputs last = { whole.q + LAST, whole.k, whole.v, 1, N, H, K, D };
    const struct seq seq = { .q_len = 1, .k_len = N };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const float *const all = attend(&tables[t], &whole, sequences((int[]){ N }, 1), 1, NULL);

        assert_memory_equal(attend(&tables[t], &last, &seq, 1, NULL), all + LAST,
                            H * D * sizeof *all);
    }
}

/* N keys in one piece, or SHARED of them as a beginning and the rest elsewhere, for the last NEW
 * queries. */
static void split_keys(int32_t N, int32_t shared, int32_t new)
{
    enum { H = 4, D = 16, SHARED_AT = 2, HD = H * D };
    const int32_t own = N - shared, own_at = SHARED_AT + shared + 5, rows = own_at + own;
    const struct inputs whole = random_inputs(N, N, H, H, D);
    float *const k = random_floats(rows * HD, 8), *const v = random_floats(rows * HD, 9);
    const struct inputs split = { whole.q + (N - new) * HD, k, v, new, rows, H, H, D };
    const struct seq seq = { .q_len = new,
                             .k_start = own_at,
                             .k_len = own,
                             .shared_start = SHARED_AT,
                             .shared_len = shared };

    memcpy(k + SHARED_AT * HD, whole.k, (size_t)(shared * HD) * sizeof *k);
    memcpy(v + SHARED_AT * HD, whole.v, (size_t)(shared * HD) * sizeof *v);
    memcpy(k + own_at * HD, whole.k + shared * HD, (size_t)(own * HD) * sizeof *k);
    memcpy(v + own_at * HD, whole.v + shared * HD, (size_t)(own * HD) * sizeof *v);
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const float *const want = attend(&tables[t], &whole, sequences((int[]){ N }, 1), 1, NULL);
        const float *const got = attend(&tables[t], &split, &seq, 1, NULL);

        assert_memory_equal(got, want + (N - new) * HD, (size_t)(new *HD) * sizeof *got);
    }
}

static void shared_rows_stand_before_the_own(void **state)
{
    (void)state;
    split_keys(11, 6, 3);
    split_keys(300, 256, 44);
    split_keys(301, 270, 1);
}

/* Query heads 0 and 1 read key head 0, heads 2 and 3 key head 1: as with the keys written out. */
static void heads_share_keys_by_group(void **state)
{
    enum { N = 7, H = 4, K = 2, D = 8 };
    const struct inputs grouped = random_inputs(N, N, H, K, D);
    float *const k = host(N * H * D * sizeof *k), *const v = host(N * H * D * sizeof *v);
    const struct inputs full = { grouped.q, k, v, N, N, H, H, D };

    (void)state;
    for (int n = 0; n < N; n++)
        for (int h = 0; h < H; h++) {
            memcpy(k + (n * H + h) * D, grouped.k + (n * K + h / 2) * D, D * sizeof *k);
            memcpy(v + (n * H + h) * D, grouped.v + (n * K + h / 2) * D, D * sizeof *v);
        }
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const float *const want = attend(&tables[t], &full, sequences((int[]){ N }, 1), 1, NULL);

        assert_floats("grouped", attend(&tables[t], &grouped, sequences((int[]){ N }, 1), 1, NULL),
                      want, N * H * D, t == REF ? 0 : 1e-6);
    }
}

struct shape {
    int lengths[3], n;
    int64_t H, K, D;
};

/* One token; Phi-2's head; an odd head; grouped heads; more keys and queries than a tile. */
static const struct shape shapes[] = {
    { { 1 }, 1, 1, 1, 1 },      { { 40, 1, 17 }, 3, 2, 2, 80 }, { { 3, 9 }, 2, 5, 5, 33 },
    { { 12, 5 }, 2, 6, 2, 16 }, { { 300 }, 1, 2, 1, 8 },
};

struct gradients {
    struct dev *dq, *dk, *dv;
};

static struct gradients backward(const struct ops *o, const struct inputs *in,
                                 const struct packed *rows, const float *g)
{
    const int64_t nq = in->q_rows * in->H * in->D, nk = in->k_rows * in->K * in->D;
    const struct dev *const q = put_act(o, in->q, nq), *const k = put_act(o, in->k, nk),
                            *const v = put_act(o, in->v, nk);
    struct dev *const out = act_room(o, nq), *const lse = room(o, in->q_rows * in->H);
    const struct gradients d = { act_room(o, nq), act_room(o, nk), act_room(o, nk) };
    const struct attention shape = shape_of(in);

    assert_int_equal(o->attention_forward(out, lse, q, k, v, rows, &shape), 0);
    assert_int_equal(o->attention_backward(d.dq, d.dk, d.dv, room(o, in->q_rows * in->H),
                                           put_act(o, g, nq), out, lse, q, k, v, rows, &shape),
                     0);
    return d;
}

static void run_attention(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct packed rows = pack_lengths(o, s->lengths, s->n);
    const int64_t N = rows.tokens, nq = N * s->H * s->D, nk = N * s->K * s->D;
    const struct inputs in = random_inputs(N, N, s->H, s->K, s->D);
    float *const lse = host((size_t)(N * s->H) * sizeof *lse);
    const float *const y = attend(o, &in, rows.seq, s->n, lse);
    const struct gradients d = backward(o, &in, &rows, random_floats(nq, 5));

    give_act(out, o, "out", put_act(o, y, nq), nq);
    give(out, o, "lse", put_floats(o, lse, N * s->H), N * s->H);
    give_act(out, o, "dq", d.dq, nq);
    give_act(out, o, "dk", d.dk, nk);
    give_act(out, o, "dv", d.dv, nk);
}

/* Float scores of size 10 make exponentials good to 1e-6 of themselves. */
static void attention_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_attention, shapes, 1e-11);
}

struct gradient {
    struct inputs in;
    const float *g;
    const struct seq *seq;
    int seqs;
};

static double attention_loss(void *context)
{
    const struct gradient *const c = context;
    const size_t before = n_held;
    const float *const out = attend(&tables[REF], &c->in, c->seq, c->seqs, NULL);
    const double loss = weighted_sum(c->g, out, c->in.q_rows * c->in.H * c->in.D);

    release_from(before);
    return loss;
}

static void gradients_are_the_slopes(void **state)
{
    enum { N = 6, H = 4, K = 2, D = 3 };
    static const int lengths[2] = { 4, 2 };
    const struct ops *const o = &tables[REF];
    float *const q = random_floats(N * H * D, 1), *const k = random_floats(N * K * D, 2),
                 *const v = random_floats(N * K * D, 3);
    struct gradient c = {
        { q, k, v, N, N, H, K, D }, random_floats(N * H * D, 4), sequences(lengths, 2), 2
    };
    const struct packed rows = pack_lengths(o, lengths, 2);
    const struct gradients d = backward(o, &c.in, &rows, c.g);

    (void)state;
    check_gradient("dq", q, get_floats(o, d.dq, N * H * D), N * H * D, 1e-3, attention_loss, &c);
    check_gradient("dk", k, get_floats(o, d.dk, N * K * D), N * K * D, 1e-3, attention_loss, &c);
    check_gradient("dv", v, get_floats(o, d.dv, N * K * D), N * K * D, 1e-3, attention_loss, &c);
}

/* A query that sees one key has its value for a result whatever the score: no slope at all, where a
 * rounding error would be all there is, and an optimiser would follow it. */
static void one_key_has_no_slope(void **state)
{
    static const int lengths[3] = { 1, 1, 1 };
    static const int64_t sizes[2] = { 80, 300 };

    (void)state;
    for (int i = 0; i < 2; i++)
        for (int t = use(REF); t < TABLES; t = use(t + 1)) {
            const int64_t H = 2, n = 3 * H * sizes[i];
            const struct inputs in = {
                random_floats(n, 1), random_floats(n, 2), random_floats(n, 3), 3, 3, H, H, sizes[i]
            };
            const struct ops *const o = &tables[t];
            const struct packed rows = pack_lengths(o, lengths, 3);
            const struct gradients d = backward(o, &in, &rows, random_floats(n, 4));
            float *const none = xcalloc((size_t)n, sizeof *none);

            assert_floats("dq", get_floats(o, d.dq, n), none, n, 0);
            assert_floats("dk", get_floats(o, d.dk, n), none, n, 0);
            free(none);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(two_tokens_by_hand),
        OP_TEST(large_scores_do_not_overflow),
        OP_TEST(neighbours_do_not_matter),
        OP_TEST(a_new_token_gives_what_the_whole_gave),
        OP_TEST(shared_rows_stand_before_the_own),
        OP_TEST(heads_share_keys_by_group),
        OP_TEST(attention_agrees),
        OP_TEST(gradients_are_the_slopes),
        OP_TEST(one_key_has_no_slope),
    };

    return RUN_TESTS(tests);
}
