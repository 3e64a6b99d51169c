/* Attention over rows that stand apart, through windows, for heads of many sizes: against sums
 * written out here. */
#include "ops_test.h"

struct shape {
    int lengths[3], n;
    int64_t H, K, D, window;
    int64_t gap; /* elements between the rows' ends and the next */
};

/* Every head size there is; a window of one; longer than the text; as long as a tile of keys, one
 * less and one more; that whole tiles lie before; odd sizes. */
static const struct shape shapes[] = {
    { { 20, 1, 9 }, 3, 9, 3, 64, 5, 0 }, { { 33 }, 1, 4, 2, 32, 1, 8 },
    { { 40, 3 }, 2, 2, 1, 80, 0, 3 },    { { 17, 30 }, 2, 3, 3, 96, 100, 32 },
    { { 31 }, 1, 4, 1, 128, 16, 128 },   { { 19, 2 }, 2, 2, 2, 256, 3, 5 },
    { { 7, 11 }, 2, 6, 2, 5, 4, 1 },     { { 270 }, 1, 2, 1, 8, 256, 2 },
    { { 300 }, 1, 1, 1, 13, 255, 0 },    { { 300 }, 1, 1, 1, 4, 257, 7 },
    { { 600, 5 }, 2, 2, 1, 16, 30, 16 }, { { 5, 400 }, 2, 3, 1, 33, 129, 4 },
    { { 1, 1, 1 }, 3, 3, 3, 40, 1, 0 },  { { 700 }, 1, 1, 1, 3, 300, 0 },
};

static struct attention shape_of(const struct shape *s)
{
    return (struct attention){ .heads = s->H,
                               .kv_heads = s->K,
                               .head_dim = s->D,
                               .q_ld = s->H * s->D + s->gap,
                               .kv_ld = s->K * s->D + s->gap,
                               .window = s->window,
                               .scale = 2 / sqrtf((float)s->D) };
}

/* ---- the definition ---- */

struct arrays {
    const float *q, *k, *v, *g; /* g (N, H, D): the gradient of out */
    double *out, *lse, *dq, *dk, *dv;
};

static double product(const float *a, const float *b, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Row ROW, which sees the rows FROM..ROW, head h. */
static void define_query(const struct arrays *x, const struct attention *a, int64_t from,
                         int64_t row, int64_t h)
{
    const int64_t D = a->head_dim, kh = h / (a->heads / a->kv_heads), n = row - from + 1;
    const int64_t qa = row * a->q_ld + h * D, oa = (row * a->heads + h) * D;
    double *const p = host((size_t)n * sizeof *p), sum = 0, along = 0;

    for (int64_t j = 0; j < n; j++) {
        p[j] = exp(a->scale * product(x->q + qa, x->k + (from + j) * a->kv_ld + kh * D, D));
        sum += p[j];
    }
    x->lse[row * a->heads + h] = log(sum);
    for (int64_t j = 0; j < n; j++) {
        const int64_t ka = (from + j) * a->kv_ld + kh * D;

        p[j] /= sum;
        along += p[j] * product(x->g + oa, x->v + ka, D);
        for (int64_t d = 0; d < D; d++)
            x->out[oa + d] += p[j] * x->v[ka + d];
    }
    for (int64_t j = 0; j < n; j++) {
        const int64_t ka = (from + j) * a->kv_ld + kh * D;
        const double ds = a->scale * p[j] * (product(x->g + oa, x->v + ka, D) - along);

        for (int64_t d = 0; d < D; d++) {
            x->dq[qa + d] += ds * x->k[ka + d];
            x->dk[ka + d] += ds * x->q[qa + d];
            x->dv[ka + d] += p[j] * x->g[oa + d];
        }
    }
}

static void define(const struct arrays *x, const struct attention *a, const struct packed *rows)
{
    for (int64_t s = 0; s < rows->seqs; s++)
        for (int64_t i = 0; i < rows->seq[s].q_len; i++)
            for (int64_t h = 0; h < a->heads; h++) {
                const int64_t start = rows->seq[s].q_start;
                const int64_t first = a->window && i >= a->window ? i - a->window + 1 : 0;

                define_query(x, a, start + first, start + i, h);
            }
}

static double *zeros(int64_t n)
{
    return hold(NULL, xcalloc((size_t)n, sizeof(double)));
}

/* ---- the ops ---- */

/* x (rows, WIDTH) out of rows LD apart. */
static struct dev *packed_rows(const struct ops *o, const struct dev *x, int64_t rows,
                               int64_t width, int64_t ld)
{
    const float *const all = get_floats(o, x, rows * ld);
    float *const some = host((size_t)(rows * width) * sizeof *some);

    for (int64_t i = 0; i < rows; i++)
        memcpy(some + i * width, all + i * ld, (size_t)width * sizeof *some);
    return put_floats(o, some, rows * width);
}

static void run_window(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct attention a = shape_of(s);
    const struct packed rows = pack_lengths(o, s->lengths, s->n);
    const int64_t N = rows.tokens, HD = s->H * s->D, KD = s->K * s->D;
    const struct dev *const q = put_random_act(o, N * a.q_ld, 1),
                            *const k = put_random_act(o, N * a.kv_ld, 2),
                            *const v = put_random_act(o, N * a.kv_ld, 3),
                            *const g = put_random_act(o, N * HD, 4);
    struct dev *const y = act_room(o, N * HD), *const lse = room(o, N * s->H);
    struct dev *const dq = act_room(o, N * a.q_ld), *const dk = act_room(o, N * a.kv_ld),
                      *const dv = act_room(o, N * a.kv_ld);

    assert_int_equal(o->attention_forward(y, lse, q, k, v, &rows, &a), 0);
    assert_int_equal(
        o->attention_backward(dq, dk, dv, room(o, N * s->H), g, y, lse, q, k, v, &rows, &a), 0);
    give_act(out, o, "out", y, N * HD);
    give(out, o, "lse", lse, N * s->H);
    give_rows(out, o, "dq", dq, N, HD, a.q_ld);
    give_rows(out, o, "dk", dk, N, KD, a.kv_ld);
    give_rows(out, o, "dv", dv, N, KD, a.kv_ld);
}

/* Rounding of one result to float, and a little for the scores. */
static void assert_rows(const char *what, const float *x, const double *want, int64_t rows,
                        int64_t width, int64_t ld)
{
    double largest = 0;

    for (int64_t i = 0; i < rows * ld; i++)
        largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < width; c++)
            assert_close(what, x[i * width + c], want[i * ld + c], 2e-7 * largest + 1e-12);
}

static void ref_is_the_definition(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(shapes); i++) {
        const struct shape *const s = &shapes[i];
        const struct attention a = shape_of(s);
        const struct ops *const o = &tables[REF];
        const struct packed rows = pack_lengths(o, s->lengths, s->n);
        const int64_t N = rows.tokens, HD = s->H * s->D, KD = s->K * s->D;
        const struct arrays x = { random_floats(N * a.q_ld, 1),
                                  random_floats(N * a.kv_ld, 2),
                                  random_floats(N * a.kv_ld, 3),
                                  random_floats(N * HD, 4),
                                  zeros(N * HD),
                                  zeros(N * s->H),
                                  zeros(N * a.q_ld),
                                  zeros(N * a.kv_ld),
                                  zeros(N * a.kv_ld) };
        const struct outputs got = run_op(run_window, o, s);

        define(&x, &a, &rows);
        assert_rows("out", got.of[0].x, x.out, N, HD, HD);
        assert_rows("lse", got.of[1].x, x.lse, N, s->H, s->H);
        assert_rows("dq", got.of[2].x, x.dq, N, HD, a.q_ld);
        assert_rows("dk", got.of[3].x, x.dk, N, KD, a.kv_ld);
        assert_rows("dv", got.of[4].x, x.dv, N, KD, a.kv_ld);
        release_from(0);
    }
}

static void windows_agree(void **state)
{
    (void)state;
    CHECK_OP(run_window, shapes, 1e-11);
}

/* The same numbers side by side or apart, and no window or one that hides nothing: the same
 * bytes. */
static void gaps_change_nothing(void **state)
{
    static const struct shape together = { { 40, 270 }, 2, 4, 2, 16, 0, 0 };
    struct shape same = together;

    (void)state;
    same.window = 270;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct outputs want = run_op(run_window, o, &together),
                             got = run_op(run_window, o, &same);

        check_bytes(t, &got, &want, "through a window that hides nothing");
    }
}

/* Queries, keys and values as column ranges of one array, their gradients of another: bytes as in
 * arrays of their own, and nothing written beside. */
static void column_ranges_of_one_array(void **state)
{
    enum { N = 150, H = 4, K = 2, D = 24, HD = H * D, KD = K * D, ALL = HD + 2 * KD + 3 };
    const float *const all = random_floats(N * ALL, 1);

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct packed rows = pack_lengths(o, (int[]){ N }, 1);
        struct attention a = attention_shape(H, K, D, 0.3f);
        struct dev *const in = put_floats(o, all, N * ALL), *const to = put_floats(o, all, N * ALL);
        const struct dev *const kin = o->slice(in, HD * 4), *const vin =
                                                                o->slice(in, (HD + KD) * 4);
        const struct dev *const g = put_random(o, N * HD, 2);
        struct dev *const y = room(o, N * HD), *const lse = room(o, N * H),
                          *const scratch = room(o, N * H);
        struct outputs got = { 0 }, want = { 0 };

        a.q_ld = a.kv_ld = ALL;
        assert_int_equal(o->attention_forward(y, lse, in, kin, vin, &rows, &a), 0);
        assert_int_equal(o->attention_backward(to, o->slice(to, HD * 4),
                                               o->slice(to, (HD + KD) * 4), scratch, g, y, lse, in,
                                               kin, vin, &rows, &a),
                         0);
        give(&got, o, "out", y, N * HD);
        give(&got, o, "dq", packed_rows(o, to, N, HD, ALL), N * HD);
        give(&got, o, "dk", packed_rows(o, o->slice(to, HD * 4), N - 1, KD, ALL), (N - 1) * KD);

        const float *const end = get_floats(o, to, N * ALL);

        for (int64_t i = 0; i < N; i++)
            assert_memory_equal(end + i * ALL + ALL - 3, all + i * ALL + ALL - 3,
                                3 * sizeof(float));
        struct dev *const q = packed_rows(o, in, N, HD, ALL);
        struct dev *const k = room(o, N * KD), *const v = room(o, N * KD);
        struct dev *const dq = room(o, N * HD), *const dk = room(o, N * KD),
                          *const dv = room(o, N * KD);

        for (int64_t i = 0; i < N; i++) {
            assert_int_equal(o->put(o->slice(k, (size_t)(i * KD) * 4), all + i * ALL + HD, KD * 4),
                             0);
            assert_int_equal(
                o->put(o->slice(v, (size_t)(i * KD) * 4), all + i * ALL + HD + KD, KD * 4), 0);
        }
        a.q_ld = HD;
        a.kv_ld = KD;
        assert_int_equal(o->attention_forward(y, lse, q, k, v, &rows, &a), 0);
        assert_int_equal(o->attention_backward(dq, dk, dv, scratch, g, y, lse, q, k, v, &rows, &a),
                         0);
        give(&want, o, "out", y, N * HD);
        give(&want, o, "dq", dq, N * HD);
        give(&want, o, "dk", dk, (N - 1) * KD);
        check_bytes(t, &got, &want, "as a column range");
    }
}

/* ---- windows and caches ---- */

static const float *last_rows(const struct ops *o, const struct attention *a, const struct seq *seq,
                              const float *q, const float *k, const float *v, int64_t rows)
{
    const struct packed p = pack(o, seq, 1);
    const int64_t n = seq->q_len * a->heads * a->head_dim;
    struct dev *const y = room(o, n);

    assert_int_equal(o->attention_forward(y, NULL, put_floats(o, q, n),
                                          put_floats(o, k, rows * a->kv_ld),
                                          put_floats(o, v, rows * a->kv_ld), &p, a),
                     0);
    return get_floats(o, y, n);
}

/* The last queries of a text on a cache, and behind a shared beginning, have the bytes that they
 * have among all: keys are counted in the sequence's own numbering. */
static void a_window_looks_back_over_caches(void **state)
{
    enum { N = 530, H = 2, D = 16, HD = H * D, GAP = 3 };
    static const int windows[] = { 1, 4, 40, 256, 257, 300, 529, 600 };
    static const int news[] = { 1, 2, 37, 200 }, shareds[] = { 5, 256, 270 };
    const float *const q = random_floats(N * HD, 1), *const k = random_floats(N * HD, 2),
                       *const v = random_floats(N * HD, 3);
    const struct seq whole = { .q_len = N, .k_len = N };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(windows) * COUNT(news); i++) {
            const size_t before = n_held;
            const int32_t n = news[i % COUNT(news)], shared = shareds[i % COUNT(shareds)];
            struct attention a = attention_shape(H, H, D, 0.5f);
            float *const sk = random_floats((N + GAP) * HD, 4), *const sv = random_floats(
                                                                    (N + GAP) * HD, 5);
            const struct seq cached = { .q_len = n, .k_len = N };
            const struct seq split = { .q_len = n,
                                       .k_start = 0,
                                       .k_len = N - shared,
                                       .shared_start = N - shared + GAP,
                                       .shared_len = shared };
            const size_t own = (size_t)((N - shared) * HD) * sizeof *k;

            a.window = windows[i / COUNT(news)];
            memcpy(sk, k + shared * HD, own);
            memcpy(sv, v + shared * HD, own);
            memcpy(sk + (N - shared + GAP) * HD, k, (size_t)(shared * HD) * sizeof *k);
            memcpy(sv + (N - shared + GAP) * HD, v, (size_t)(shared * HD) * sizeof *v);

            const struct ops *const o = &tables[t];
            const float *const want = last_rows(o, &a, &whole, q, k, v, N) + (N - n) * HD;
            const float *const tail = q + (N - n) * HD;
            const size_t bytes = (size_t)(n * HD) * sizeof *want;

            assert_memory_equal(last_rows(o, &a, &cached, tail, k, v, N), want, bytes);
            assert_memory_equal(last_rows(o, &a, &split, tail, sk, sv, N + GAP), want, bytes);
            release_from(before);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(ref_is_the_definition),
        OP_TEST(windows_agree),
        OP_TEST(gaps_change_nothing),
        OP_TEST(column_ranges_of_one_array),
        OP_TEST(a_window_looks_back_over_caches),
    };

    return RUN_TESTS(tests);
}
