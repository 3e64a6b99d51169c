/* The linear layer: dense and NF4 weights, bias, LoRA with dropout on its input. */
#include "ops_test.h"
#include "rng.h"

struct shape {
    int lengths[3], n;
    int64_t O, C, R; /* R 0: no LoRA */
    enum dtype dtype, round;
    float p;
    bool bias, add;
    int block; /* of NF4; 0: 64 */
};

/* Each storage; rows that are not whole blocks; odd sizes; ranks that are not whole vectors; one
 * token, as in generation; Phi-2's widths; other blocks; more rows and columns than a cache holds;
 * many ranks, many tokens. */
static const struct shape shapes[] = {
    { { 1 }, 1, 1, 1, 1, DT_F32, DT_F32, 0, false, false, 0 },
    { { 5, 2 }, 2, 7, 33, 3, DT_F32, DT_F32, 0.5f, true, true, 0 },
    { { 3, 9, 1 }, 3, 65, 96, 8, DT_F16, DT_F32, 0.1f, true, false, 0 },
    { { 11 }, 1, 30, 47, 0, DT_BF16, DT_F32, 0, true, true, 0 },
    { { 20, 13 }, 2, 160, 160, 5, DT_NF4, DT_F32, 0.05f, true, false, 0 },
    { { 4, 3 }, 2, 37, 95, 16, DT_NF4, DT_F16, 0, false, true, 0 },
    { { 1 }, 1, 95, 2560, 16, DT_NF4, DT_F32, 0, true, false, 0 },
    { { 1 }, 1, 95, 272, 0, DT_F16, DT_F32, 0, true, false, 0 },
    { { 1, 2 }, 2, 70, 2560, 4, DT_BF16, DT_F32, 0, true, false, 0 },
    { { 60, 41 }, 2, 130, 192, 16, DT_NF4, DT_BF16, 0.05f, true, true, 0 },
    { { 50, 43 }, 2, 131, 650, 8, DT_F16, DT_BF16, 0.05f, true, false, 0 },
    { { 500, 270 }, 2, 290, 640, 4, DT_NF4, DT_BF16, 0.05f, true, true, 0 },
    { { 21 }, 1, 70, 95, 3, DT_F32, DT_BF16, 0, false, true, 0 },
    { { 1 }, 1, 100, 320, 0, DT_NF4, DT_BF16, 0, true, false, 0 },
    { { 6 }, 1, 512, 64, 0, DT_NF4, DT_F32, 0, false, false, 0 },
    { { 7 }, 1, 33, 160, 4, DT_NF4, DT_F32, 0, false, false, 32 },
    { { 5, 6 }, 2, 24, 192, 4, DT_NF4, DT_F32, 0, true, false, 256 },
    { { 30, 11 }, 2, 24, 10240, 16, DT_NF4, DT_F32, 0.05f, true, true, 0 },
    { { 400 }, 1, 300, 24, 4, DT_NF4, DT_F32, 0.05f, true, true, 0 },
    { { 70, 61 }, 2, 131, 520, 16, DT_NF4, DT_F32, 0.05f, true, false, 0 },
    { { 1 }, 1, 95, 576, 0, DT_Q4_1, DT_F32, 0, true, false, 0 },
    { { 3 }, 1, 37, 1536, 4, DT_Q8_0, DT_F32, 0, false, true, 0 },
    { { 20, 13 }, 2, 70, 288, 5, DT_Q4_0, DT_F32, 0.05f, true, false, 0 },
    { { 60, 41 }, 2, 130, 96, 16, DT_Q5_0, DT_BF16, 0.05f, true, true, 0 },
    { { 7 }, 1, 33, 160, 4, DT_Q5_1, DT_F16, 0, false, false, 0 },
    { { 400 }, 1, 300, 32, 0, DT_IQ4_NL, DT_F32, 0, true, false, 0 },
    { { 1, 2 }, 2, 70, 768, 4, DT_Q2_K, DT_F32, 0, true, false, 0 },
    { { 5, 6 }, 2, 24, 512, 4, DT_Q3_K, DT_F32, 0, true, false, 0 },
    { { 1 }, 1, 100, 768, 0, DT_Q4_K, DT_BF16, 0, true, false, 0 },
    { { 70, 61 }, 2, 131, 512, 16, DT_Q5_K, DT_F32, 0.05f, true, false, 0 },
    { { 50, 43 }, 2, 131, 256, 8, DT_Q6_K, DT_BF16, 0.05f, true, false, 0 },
    { { 4 }, 1, 65, 2560, 3, DT_IQ4_XS, DT_F32, 0.1f, true, true, 0 },
    { { 21 }, 1, 70, 95, 3, DT_F32, DT_F16, 0, false, true, 0 },
    { { 50, 43 }, 2, 131, 656, 8, DT_F16, DT_F16, 0.05f, true, false, 0 },
    { { 1 }, 1, 100, 320, 0, DT_NF4, DT_F16, 0, true, false, 0 },
    { { 60, 41 }, 2, 130, 256, 16, DT_Q4_K, DT_F16, 0.05f, true, true, 0 },
    { { 9, 4 }, 2, 24, 72, 70, DT_NF4, DT_BF16, 0.25f, true, true, 0 },
    { { 4100 }, 1, 8, 24, 3, DT_F32, DT_BF16, 0.25f, true, false, 0 },
};

/* Everything one linear is called with. */
struct layer {
    const struct ops *o;
    struct packed rows;
    int64_t N;
    struct weight w;
    struct lora lora;
    const struct dev *bias, *x;
};

static struct layer layer_of(const struct ops *o, const struct shape *s)
{
    struct layer l = { .o = o, .rows = pack_lengths(o, s->lengths, s->n) };

    l.N = l.rows.tokens;
    l.w = random_weight(o, s->dtype, s->O, s->C, s->block ? s->block : 64, s->round, 1);
    l.x = put_random_act(o, l.N * s->C, 2);
    l.bias = s->bias ? put_random(o, s->O, 3) : NULL;
    if (s->R)
        l.lora = (struct lora){ put_random(o, s->R * s->C, 4),
                                put_random(o, s->O * s->R, 5),
                                s->R,
                                0.25f,
                                { s->p, 99, 17 },
                                s->p > 0 ? kept_room(o, l.N, s->C) : NULL };
    return l;
}

/* y (N, O); u may be NULL where there is no LoRA. */
static struct dev *forward(const struct layer *l, struct dev *u)
{
    struct dev *const y = act_room(l->o, l->N * l->w.rows);

    assert_int_equal(linear_alone(l->o, y, u, l->x, &l->w, l->bias, l->lora.rank ? &l->lora : NULL,
                                  &l->rows, l->N),
                     0);
    return y;
}

/* W = (1 2 3; 4 5 6), bias (0.5, -0.5), x = (1, 0, -1); A = (1 1 1; 1 0 2), B = (1 0; 0 10), scale
 * 2: Wx = (-2, -2), u = Ax = (0, -1), so y = (-2 + 0.5 + 0, -2 - 0.5 - 20). */
static void one_token_by_hand(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct layer l = {
            .o = o,
            .rows = pack_lengths(o, (int[]){ 1 }, 1),
            .N = 1,
            .w = { .dtype = DT_F32,
                   .data = put_floats(o, (float[]){ 1, 2, 3, 4, 5, 6 }, 6),
                   .rows = 2,
                   .cols = 3 },
            .lora = { put_floats(o, (float[]){ 1, 1, 1, 1, 0, 2 }, 6),
                      put_floats(o, (float[]){ 1, 0, 0, 10 }, 4),
                      2,
                      2,
                      { .p = 0 },
                      NULL },
            .bias = put_floats(o, (float[]){ 0.5f, -0.5f }, 2),
            .x = put_floats(o, (float[]){ 1, 0, -1 }, 3),
        };
        struct dev *const u = room(o, 2);

        assert_floats("y", get_floats(o, forward(&l, u), 2), (float[]){ -1.5f, -22.5f }, 2, 0);
        assert_floats("u", get_floats(o, u, 2), (float[]){ 0, -1 }, 2, 0);
    }
}

/* x = (1 + 2^-9, 1 + 3/2^8) and W = (1 + 1/2^8, 256 + 1/2) round to (1, 1 + 4/2^8) and (1, 256)
 * in bfloat16, ties to even, so y = 1 + 260 + bias; LoRA's A sees x as it was. */
static void operands_are_rounded(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = { .dtype = DT_F32,
                                  .data = put_floats(o, (float[]){ 1 + 0x1p-8f, 256.5f }, 2),
                                  .rows = 1,
                                  .cols = 2,
                                  .round = DT_BF16 };
        const struct packed rows = pack_lengths(o, (int[]){ 1 }, 1);
        const struct lora lora = { put_floats(o, (float[]){ 1, 0 }, 2),
                                   put_floats(o, (float[]){ 1 }, 1),
                                   1,
                                   1,
                                   { .p = 0 },
                                   NULL };
        struct dev *const y = room(o, 1), *const u = room(o, 1), *const dx = room(o, 2);
        struct dev *const da = put_floats(o, (float[]){ 0, 0 }, 2), *const db = put_floats(
                                                                        o, (float[]){ 0 }, 1);
        const struct dev *const x = put_floats(o, (float[]){ 1 + 0x1p-9f, 1 + 3 * 0x1p-8f }, 2);

        assert_int_equal(
            linear_alone(o, y, u, x, &w, put_floats(o, (float[]){ 0.5f }, 1), &lora, &rows, 1), 0);
        assert_floats("u", get_floats(o, u, 1), (float[]){ 1 + 0x1p-9f }, 1, 0);
        assert_floats("y", get_floats(o, y, 1), (float[]){ 261.5f + 1 + 0x1p-9f }, 1, 0);
        assert_int_equal(o->linear_backward(dx, da, db, put_floats(o, (float[]){ 1 + 0x1p-9f }, 1),
                                            x, u, room(o, 1), &w, &lora, &rows, 1, false),
                         0);
        assert_floats("dx", get_floats(o, dx, 2), (float[]){ 2 + 0x1p-9f, 256 }, 2, 0);
        assert_floats("db", get_floats(o, db, 1), (float[]){ 1 + 0x1p-8f + 0x1p-18f }, 1, 0x1p-23);
    }
}

/* float16 as IEEE 754 has it: below 2^-14 multiples of 2^-24, ties to even; 65520 and beyond is
 * infinite. An operand on either side of a product with 1, of one row and of many. */
static void float16_has_subnormals_and_infinity(void **state)
{
    enum { N = 6 };
    static const float value[N] = { 3 * 0x1p-25f, -0x1p-25f, 0x1.002p-15f, 65519, 65520, -1e30f },
                       want[N] = { 0x1p-23f, -0.0f, 0x1p-15f, 65504, INFINITY, -INFINITY },
                       ones[N] = { 1, 1, 1, 1, 1, 1 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight one = {
            .dtype = DT_F32, .data = put_floats(o, ones, 1), .rows = 1, .cols = 1, .round = DT_F16
        };
        struct weight many = one;
        struct dev *const y = room(o, N), *const dx = room(o, N);

        many.data = put_floats(o, value, N);
        many.rows = N;
        assert_int_equal(
            linear_alone(o, y, NULL, put_floats(o, value, N), &one, NULL, NULL, NULL, N), 0);
        assert_floats("x", get_floats(o, y, 3), want, 3, 0);
        assert_memory_equal(get_floats(o, y, N) + 3, want + 3, 3 * sizeof *want);
        assert_int_equal(
            linear_alone(o, y, NULL, put_floats(o, ones, 1), &many, NULL, NULL, NULL, 1), 0);
        assert_floats("W", get_floats(o, y, 3), want, 3, 0);
        assert_memory_equal(get_floats(o, y, N) + 3, want + 3, 3 * sizeof *want);
        assert_int_equal(o->linear_backward(dx, NULL, NULL, put_floats(o, value, N),
                                            put_floats(o, ones, N), NULL, NULL, &one, NULL, NULL, N,
                                            false),
                         0);
        assert_floats("dy", get_floats(o, dx, 3), want, 3, 0);
        assert_memory_equal(get_floats(o, dx, N) + 3, want + 3, 3 * sizeof *want);
    }
}

/* The gradients of the same layer for dy = (1, 2): dy B = (1, 20), times 2: (2, 40);
 * dx = dy W + (2, 40) A = (9 + 42, 12 + 2, 15 + 82), dA = (2, 40)^T x, dB = 2 dy^T u. */
static void one_token_backward_by_hand(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ 1 }, 1);
        const struct weight w = { .dtype = DT_F32,
                                  .data = put_floats(o, (float[]){ 1, 2, 3, 4, 5, 6 }, 6),
                                  .rows = 2,
                                  .cols = 3 };
        const struct lora lora = { put_floats(o, (float[]){ 1, 1, 1, 1, 0, 2 }, 6),
                                   put_floats(o, (float[]){ 1, 0, 0, 10 }, 4),
                                   2,
                                   2,
                                   { .p = 0 },
                                   NULL };
        struct dev *const dx = room(o, 3), *const da =
                                               put_floats(o, (float[]){ 1, 1, 1, 1, 1, 1 }, 6);
        struct dev *const db = put_floats(o, (float[]){ 1, 1, 1, 1 }, 4);

        assert_int_equal(o->linear_backward(dx, da, db, put_floats(o, (float[]){ 1, 2 }, 2),
                                            put_floats(o, (float[]){ 1, 0, -1 }, 3),
                                            put_floats(o, (float[]){ 0, -1 }, 2), room(o, 2), &w,
                                            &lora, &rows, 1, false),
                         0);
        assert_floats("dx", get_floats(o, dx, 3), (float[]){ 51, 14, 97 }, 3, 0);
        assert_floats("da", get_floats(o, da, 6), (float[]){ 3, 1, -1, 41, 1, -39 }, 6, 0);
        assert_floats("db", get_floats(o, db, 4), (float[]){ 1, -1, 1, -3 }, 4, 0);
    }
}

/* NF4 and blocks are nothing but their expansion. */
static void a_weight_equals_its_expansion(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(shapes); i++) {
            const struct ops *const o = &tables[t];
            const struct layer packed = layer_of(o, &shapes[i]);
            const int64_t n = packed.w.rows * packed.w.cols;
            struct dev *const dense = room(o, n), *const u = room(o, packed.N * shapes[i].R + 1);
            struct layer expanded = packed;

            assert_int_equal(o->expand(dense, &packed.w), 0);
            expanded.w = (struct weight){
                .dtype = DT_F32,
                .data = dense,
                .rows = packed.w.rows,
                .cols = packed.w.cols,
                .round = packed.w.round,
            };
            assert_floats("y", get_floats(o, forward(&packed, u), packed.N * packed.w.rows),
                          get_floats(o, forward(&expanded, u), packed.N * packed.w.rows),
                          packed.N * packed.w.rows, t == REF ? 0 : 2e-6);
        }
}

/* What a token's row becomes does not depend on the rows beside it, to the last bit. */
static void rows_do_not_see_each_other(void **state)
{
    (void)state;
    for (int t = use(REF); t < CPU_TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(shapes); i++) {
            const struct ops *const o = &tables[t];
            const struct layer all = layer_of(o, &shapes[i]);
            const int64_t O = all.w.rows, C = all.w.cols, last = all.N - 1;
            struct dev *const u = room(o, all.N * shapes[i].R + 1), *const y = forward(&all, u);
            struct seq seq = all.rows.seq[all.rows.seqs - 1];
            struct layer one = all;
            struct packed alone;

            /* the last token of the last sequence, as if its keys were in a cache */
            seq.q_start = 0;
            seq.q_len = 1;
            alone = pack(o, &seq, 1);
            one.rows = alone;
            one.N = 1;
            one.x = o->slice_const(all.x, (size_t)(last * C) * sizeof(float));
            assert_memory_equal(get_floats(o, forward(&one, u), O),
                                get_floats(o, y, all.N * O) + last * O, (size_t)O * sizeof(float));
        }
}

static bool kept(const struct dropout *d, int64_t pos, uint32_t sample, int64_t channel)
{
    const uint32_t counter[4] = { (uint32_t)(channel / 4), (uint32_t)pos, sample, d->site };
    uint32_t word[4];

    philox4x32(word, counter, d->seed);
    return word[channel % 4] >= (double)d->p * 4294967296.0;
}

/* u = drop(x) A^T with the mask of the contract, and only u is dropped. */
static void dropout_is_on_the_input_of_a(void **state)
{
    enum { N = 5, C = 22, R = 3 };
    const struct shape s = { { 2, 3 }, 2, 9, C, R, DT_F32, DT_F32, 0.25f, true, false, 0 };
    const float *const x = random_floats(N * C, 2), *const a = random_floats(R * C, 4);
    const struct dropout d = { 0.25f, 99, 17 };
    float want[N * R];

    (void)state;
    for (int n = 0; n < N; n++)
        for (int r = 0; r < R; r++) {
            double sum = 0;

            for (int c = 0; c < C; c++)
                if (kept(&d, n < 2 ? n : n - 2, n < 2 ? 100 : 101, c))
                    sum += x[n * C + c] / 0.75 * a[r * C + c];
            want[n * R + r] = (float)sum;
        }
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        struct layer l = layer_of(&tables[t], &s);
        struct dev *const u = room(l.o, N * R);
        const float *dropped, *plain;

        dropped = get_floats(l.o, forward(&l, u), N * s.O);
        assert_floats("u", get_floats(l.o, u, N * R), want, N * R, 2e-6);
        l.lora.drop.p = 0;
        l.lora.scale = 0;
        plain = get_floats(l.o, forward(&l, u), N * s.O);
        for (int i = 0; i < N * 9; i++) {
            const int n = i / 9, o = i % 9;
            const float *const b = random_floats(9 * R, 5) + o * R;
            double sum = plain[i];

            for (int r = 0; r < R; r++)
                sum += 0.25 * want[n * R + r] * b[r];
            assert_close("y", dropped[i], sum, 4e-6);
        }
    }
}

struct gradients {
    struct dev *dx, *da, *db;
};

/* dx where ADD, and da and db always, are added to what is there: random_floats of 11, 12, 13. */
static struct gradients backward(const struct layer *l, const struct dev *dy, bool add,
                                 bool want_dx)
{
    const struct ops *const o = l->o;
    const int64_t N = l->N, O = l->w.rows, C = l->w.cols, R = l->lora.rank;
    struct dev *const u = room(o, N * R + 1), *const scratch = room(o, N * R + 1);
    const struct gradients g = { add ? put_random_act(o, N * C, 11) : act_room(o, N * C),
                                 put_random(o, R * C, 12), put_random(o, O * R, 13) };

    (void)forward(l, u);
    assert_int_equal(o->linear_backward(want_dx ? g.dx : NULL, g.da, g.db, dy, l->x, u, scratch,
                                        &l->w, R ? &l->lora : NULL, &l->rows, N, add),
                     0);
    return g;
}

static void run_linear(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct layer l = layer_of(o, s);
    const struct dev *const dy = put_random_act(o, l.N * s->O, 6);
    struct dev *const u = room(o, l.N * s->R + 1);
    const struct gradients g = backward(&l, dy, s->add, true);

    give_act(out, o, "y", forward(&l, u), l.N * s->O);
    give_act(out, o, "dx", g.dx, l.N * s->C);
    if (!s->R)
        return;
    give(out, o, "u", u, l.N * s->R);
    give(out, o, "da", g.da, s->R * s->C);
    give(out, o, "db", g.db, s->O * s->R);
    give(out, o, "da without dx", backward(&l, dy, false, false).da, s->R * s->C);
}

/* Float sums of C (2560 at most) terms: 2^-24 times the root of C each, squared. */
static void linear_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_linear, shapes, 1e-11);
}

/* ---- gradients, dropout included: its mask does not depend on the numbers ---- */

struct gradient {
    const struct shape *s;
    const float *x, *a, *b, *g;
};

static struct layer layer_with(const struct gradient *c)
{
    struct layer l = layer_of(&tables[REF], c->s);

    l.x = put_floats(l.o, c->x, l.N * c->s->C);
    l.lora.a = put_floats(l.o, c->a, c->s->R * c->s->C);
    l.lora.b = put_floats(l.o, c->b, c->s->O * c->s->R);
    return l;
}

static double linear_loss(void *context)
{
    const struct gradient *const c = context;
    const size_t before = n_held;
    const struct layer l = layer_with(c);
    const int64_t n = l.N * c->s->O;
    const double loss =
        weighted_sum(c->g, get_floats(l.o, forward(&l, room(l.o, l.N * c->s->R)), n), n);

    release_from(before);
    return loss;
}

/* A backward that adds gives what was there plus the gradient. */
static float *added(const struct gradient *c, const struct dev *d, int64_t n, uint64_t seed)
{
    const float *const before = random_floats(n, seed);
    float *const x = get_floats(&tables[REF], d, n);

    (void)c;
    for (int64_t i = 0; i < n; i++)
        x[i] -= before[i];
    return x;
}

static void gradients_are_the_slopes(void **state)
{
    static const struct shape small[] = {
        { { 3, 2 }, 2, 6, 9, 4, DT_F32, DT_F32, 0.4f, true, true, 0 },
        { { 4 }, 1, 7, 70, 2, DT_NF4, DT_F32, 0.2f, false, true, 0 },
        { { 2, 2 }, 2, 5, 11, 3, DT_BF16, DT_F32, 0, true, true, 0 },
    };

    (void)state;
    for (int i = 0; i < COUNT(small); i++) {
        const struct shape *const s = &small[i];
        const int64_t N = s->lengths[0] + s->lengths[1], O = s->O, C = s->C, R = s->R;
        float *const x = random_floats(N * C, 2), *const a = random_floats(R * C, 4),
                     *const b = random_floats(O * R, 5);
        struct gradient c = { s, x, a, b, random_floats(N * O, 6) };
        const struct layer l = layer_with(&c);
        const struct gradients d = backward(&l, put_floats(l.o, c.g, N * O), true, true);

        check_gradient("dx", x, added(&c, d.dx, N * C, 11), N * C, 1e-4, linear_loss, &c);
        check_gradient("da", a, added(&c, d.da, R * C, 12), R * C, 1e-4, linear_loss, &c);
        check_gradient("db", b, added(&c, d.db, O * R, 13), O * R, 1e-4, linear_loss, &c);
    }
}

/* Of several linears that read one x each gives what it gives alone, whatever LoRA the others have.
 */
static void several_give_what_each_gives(void **state)
{
    static const struct {
        int64_t N, C;
        enum dtype dtype[LINEARS_MAX], round;
    } cases[] = {
        { 1, 576, { DT_Q4_1, DT_Q4_1, DT_Q8_0 }, DT_F32 },
        { 3, 320, { DT_NF4, DT_F16, DT_NF4 }, DT_BF16 },
        { 30, 96, { DT_NF4, DT_F32, DT_BF16 }, DT_F32 },
        { 800, 288, { DT_Q4_1, DT_NF4, DT_F32 }, DT_F32 },
        { 800, 288, { DT_NF4, DT_F16, DT_Q5_0 }, DT_BF16 },
    };
    static const int64_t O[LINEARS_MAX] = { 70, 24, 600 }, R[LINEARS_MAX] = { 8, 0, 3 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            const struct ops *const o = &tables[t];
            const int64_t N = cases[k].N, C = cases[k].C;
            const struct packed rows = pack_lengths(o, (int[]){ (int)N }, 1);
            const struct dev *const x = put_random_act(o, N * C, 2);
            struct weight w[LINEARS_MAX];
            struct lora lora[LINEARS_MAX];
            struct linear l[LINEARS_MAX];

            for (int i = 0; i < LINEARS_MAX; i++) {
                const uint64_t seed = (uint64_t)(10 * i);

                w[i] = random_weight(o, cases[k].dtype[i], O[i], C, 64, cases[k].round, seed + 1);
                lora[i] = (struct lora){ put_random(o, (R[i] + 1) * C, seed + 4),
                                         put_random(o, O[i] * (R[i] + 1), seed + 5),
                                         R[i],
                                         0.25f,
                                         { 0.1f, 99, (uint32_t)i },
                                         kept_room(o, N, C) };
                l[i] = (struct linear){ act_room(o, N * O[i]), room(o, N * (R[i] + 1)), &w[i],
                                        i == 2 ? NULL : put_random(o, O[i], seed + 3),
                                        R[i] ? &lora[i] : NULL };
            }
            assert_int_equal(o->linear_forward(l, LINEARS_MAX, x, &rows, N), 0);
            for (int i = 0; i < LINEARS_MAX; i++) {
                const float *const got = get_act(o, l[i].y, N * O[i]);
                struct dev *const y = act_room(o, N * O[i]), *const u = room(o, N * (R[i] + 1));

                assert_int_equal(linear_alone(o, y, u, x, &w[i], l[i].bias, l[i].lora, &rows, N),
                                 0);
                assert_memory_equal(got, get_act(o, y, N * O[i]), (size_t)(N * O[i]) * sizeof *got);
                if (R[i])
                    assert_memory_equal(get_floats(o, l[i].u, N * R[i]), get_floats(o, u, N * R[i]),
                                        (size_t)(N * R[i]) * sizeof *got);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(one_token_by_hand),
        OP_TEST(one_token_backward_by_hand),
        OP_TEST(operands_are_rounded),
        OP_TEST(float16_has_subnormals_and_infinity),
        OP_TEST(a_weight_equals_its_expansion),
        OP_TEST(rows_do_not_see_each_other),
        OP_TEST(dropout_is_on_the_input_of_a),
        OP_TEST(several_give_what_each_gives),
        OP_TEST(linear_agrees),
        OP_TEST(gradients_are_the_slopes),
    };

    return RUN_TESTS(tests);
}
