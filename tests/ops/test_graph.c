/* Passes that a device records and plays again: whatever happens to memory between them, they give
 * what the same ops give when they are queued one by one. */
#include "ops_test.h"

enum { DIM = 64, HEADS = 2, KEYS = 24, VOCAB = 96, MOST = 6, STEPS = 6 };

/* What a small model needs to go through a pass of N sequences, a new token of each. */
struct setup {
    const struct ops *o;
    int N;
    struct weight table, q, k, v, out;
    struct lora lora;
    struct dev *x, *heads, *key, *value, *seen, *sum, *u, *best;
    struct dev *k_cache, *v_cache, *cosine, *sine, *upload;
};

enum kind { FEW, HALVES, MANY };

static struct weight matrix(const struct ops *o, enum kind kind, int64_t rows, uint64_t seed)
{
    return random_weight(o, DT_NF4, rows, DIM, 64, kind == FEW ? DT_F32 : DT_BF16, seed);
}

static void load(struct setup *s, bool load)
{
    struct weight *const w[] = { &s->table, &s->q, &s->k, &s->v, &s->out };

    for (int i = 0; i < COUNT(w); i++)
        if (load)
            assert_int_equal(s->o->weight_load(w[i]), 0);
        else
            s->o->weight_free(w[i]);
}

static struct setup set_up(const struct ops *o, int N, enum kind kind)
{
    struct setup s = { .o = o,
                       .N = N,
                       .table = matrix(o, kind, VOCAB, 1),
                       .q = matrix(o, kind, DIM, 2),
                       .k = matrix(o, kind, DIM, 3),
                       .v = matrix(o, kind, DIM, 4),
                       .out = matrix(o, kind, DIM, 5) };
    struct dev **const rows[] = { &s.x, &s.heads, &s.key, &s.value, &s.seen, &s.sum, &s.u };

    s.lora = (struct lora){
        .a = put_random(o, 4 * DIM, 6), .b = put_random(o, DIM * 4, 7), .rank = 4, .scale = 0.5f
    };
    for (int i = 0; i < COUNT(rows); i++)
        *rows[i] = room(o, MOST * DIM);
    s.best = room(o, MOST);
    s.k_cache = room(o, MOST * KEYS * DIM);
    s.v_cache = room(o, MOST * KEYS * DIM);
    s.cosine = put_random(o, KEYS * DIM, 8);
    s.sine = put_random(o, KEYS * DIM, 9);
    s.upload = room(o, 1024);
    load(&s, true);
    return s;
}

/* ---- one pass ---- */

enum { POS = 512, ROWS = 640, IDS = 768 }; /* where they are in the upload; seqs are first */

/* Token AT of each sequence: its place and what it is. */
static struct packed put_step(const struct setup *s, int at)
{
    static struct seq seq[MOST];
    unsigned char all[1024] = { 0 };

    for (int32_t i = 0; i < s->N; i++) {
        const int32_t row = i * KEYS + at, id = (at * 37 + i * 11) % VOCAB;

        seq[i] = (struct seq){ .q_start = i, .q_len = 1, .k_start = i * KEYS, .k_len = at + 1 };
        memcpy(all + POS + 4 * i, &at, 4);
        memcpy(all + ROWS + 4 * i, &row, 4);
        memcpy(all + IDS + 4 * i, &id, 4);
    }
    memcpy(all, seq, sizeof seq);
    assert_int_equal(s->o->put(s->upload, all, sizeof all), 0);
    return (struct packed){ .tokens = s->N,
                            .seqs = s->N,
                            .seq = seq,
                            .seq_dev = s->upload,
                            .pos = s->o->slice(s->upload, POS) };
}

static int queue(const struct setup *s, const struct packed *rows, int64_t head_dim)
{
    const struct ops *const o = s->o;
    const struct attention shape = attention_shape(HEADS, HEADS, head_dim, 0.2f);
    const struct dropout none = { 0 };
    const int64_t N = s->N;

    return o->embed(s->x, &s->table, o->slice(s->upload, IDS), N) < 0 ||
                   linear_alone(o, s->heads, s->u, s->x, &s->q, NULL, &s->lora, rows, N) < 0 ||
                   linear_alone(o, s->key, NULL, s->x, &s->k, NULL, NULL, rows, N) < 0 ||
                   linear_alone(o, s->value, NULL, s->x, &s->v, NULL, NULL, rows, N) < 0 ||
                   o->rope(s->heads, DIM, s->cosine, s->sine, rows, N, HEADS, 32, 32, 1) < 0 ||
                   o->scatter_rows(s->k_cache, s->key, DIM, o->slice(s->upload, ROWS), N, DIM) <
                       0 ||
                   o->scatter_rows(s->v_cache, s->value, DIM, o->slice(s->upload, ROWS), N, DIM) <
                       0 ||
                   o->attention_forward(s->seen, NULL, s->heads, s->k_cache, s->v_cache, rows,
                                        &shape) < 0 ||
                   linear_alone(o, s->sum, NULL, s->seen, &s->out, NULL, NULL, rows, N) < 0 ||
                   o->residual_forward(s->x, s->x, s->sum, NULL, &none, NULL, rows, N, DIM) < 0 ||
                   o->head_select(NULL, s->best, s->x, &s->table, NULL, NULL, N, 0) < 0
               ? -1
               : 0;
}

struct result {
    float x[MOST * DIM];
    int32_t best[MOST];
};

/* What became of a pass. */
static struct {
    int played, again;
} count;

/* BETWEEN: what is done in the midst of it, or NULL. */
static struct result step_with(const struct setup *s, uint64_t key, int at,
                               void (*between)(const struct setup *))
{
    const struct packed rows = put_step(s, at);
    struct result r = { 0 };
    int again;

    do {
        const int begun = s->o->begin(key);

        assert_true(begun >= 0);
        if (begun == 0) {
            assert_int_equal(queue(s, &rows, DIM / HEADS), 0);
            if (between)
                between(s);
        }
        count.played += begun;
        again = s->o->end(true);
        assert_true(again >= 0);
        count.again += again;
    } while (again);
    assert_int_equal(s->o->get(r.x, s->x, (size_t)(s->N * DIM) * sizeof *r.x), 0);
    assert_int_equal(s->o->get(r.best, s->best, (size_t)s->N * sizeof *r.best), 0);
    return r;
}

static struct result step(const struct setup *s, uint64_t key, int at)
{
    return step_with(s, key, at, NULL);
}

/* The results of STEPS passes that are queued op by op. */
static void plainly(const struct setup *s, struct result want[STEPS])
{
    for (int at = 0; at < STEPS; at++) {
        want[at] = step(s, 0, at);
        for (int i = 0; i < s->N * DIM; i++)
            assert_true(isfinite(want[at].x[i]));
    }
}

static void assert_result(const struct result *got, const struct result *want, int at)
{
    if (memcmp(got, want, sizeof *got))
        fail_msg("step %d has other bytes than op by op", at);
}

static const struct ops *on_device(void)
{
    count.played = count.again = 0;
    if (use(CUDA) != CUDA)
        skip();
    return &tables[CUDA];
}

/* ---- tests ---- */

static void check_played(int N, enum kind kind)
{
    const size_t before = n_held;
    struct setup s = set_up(on_device(), N, kind);
    struct result want[STEPS], got;

    plainly(&s, want);
    for (int at = 0; at < STEPS; at++) {
        got = step(&s, 5, at);
        assert_result(&got, &want[at], at);
    }
    assert_int_equal(count.played, STEPS - 2);
    assert_int_equal(count.again, 0);
    load(&s, false);
    release_from(before);
}

static void the_third_pass_of_a_key_is_played(void **state)
{
    (void)state;
    for (int k = 0; vary(CUDA, k); k++) {
        check_played(1, FEW);
        check_played(3, HALVES);
        check_played(MOST, MANY);
    }
}

enum { MEMORY = 16 << 20 };

/* Takes so much of the device that no copy of a weight is kept, even if other programs on it end;
 * nothing where they took it. */
static struct dev *take_memory(const struct ops *o)
{
    struct memory_use has;

    o->memory_use(&has);
    return o->alloc(has.free > has.total / 16 ? has.free - has.total / 16 : 1);
}

static void limit_memory(void)
{
    char machine[64];

    (void)snprintf(machine, sizeof machine, "memory=%d", MEMORY);
    setenv("SLMTOOLS_EMULATE", machine, 1);
}

static void multiply(const struct setup *s, const struct weight *w)
{
    assert_int_equal(linear_alone(s->o, s->sum, NULL, s->x, w, NULL, NULL, NULL, MOST), 0);
}

/* A product between passes, and behind it one during which the first's weight is expanded for the
 * next time. AFTER: what a pass of its own expands for what comes after it is another one. */
static void between_passes(const struct setup *s, bool after, float y[MOST * DIM])
{
    if (after)
        multiply(s, &s->out);
    multiply(s, &s->v);
    assert_int_equal(s->o->get(y, s->sum, MOST * DIM * sizeof *y), 0);
    multiply(s, &s->k);
}

/* Weights are expanded ahead, on a stream beside. */
static void streams_beside_are_recorded_too(void **state)
{
    limit_memory();
    const struct ops *const o = on_device();

    (void)state;
    for (int k = 0; vary(CUDA, k); k++) {
        static float want_y[STEPS][MOST * DIM], y[MOST * DIM];
        struct memory_use has;
        struct setup s = set_up(o, MOST, MANY);
        struct result want[STEPS], got;
        struct dev *const taken = take_memory(o);

        assert_non_null(taken);
        for (int at = 0; at < STEPS; at++) {
            want[at] = step(&s, 0, at);
            between_passes(&s, true, want_y[at]);
        }
        count.played = 0;
        for (int round = 0; round < 2; round++)
            for (int at = 0; at < STEPS; at++) {
                got = step(&s, 5, at);
                assert_result(&got, &want[at], at);
                between_passes(&s, round + at == 0, y);
                assert_memory_equal(y, want_y[at], sizeof y);
            }
        o->memory_use(&has);
        assert_int_equal(has.expanded, 0);
        assert_int_equal(count.played, 2 * STEPS - 2);
        o->release(taken);
        load(&s, false);
        release_from(0);
    }
    unsetenv("SLMTOOLS_EMULATE");
}

static void keys_are_told_apart(void **state)
{
    const struct ops *const o = on_device();
    struct setup s[2] = { set_up(o, 2, FEW), set_up(o, 3, FEW) };
    struct result want[2][STEPS], got;

    (void)state;
    for (int i = 0; i < 2; i++)
        plainly(&s[i], want[i]);
    for (int at = 0; at < STEPS; at++)
        for (int i = 0; i < 2; i++) {
            got = step(&s[i], 5 + (uint64_t)i, at);
            assert_result(&got, &want[i][at], at);
        }
    assert_int_equal(count.played, 2 * (STEPS - 2));
    for (int i = 0; i < 2; i++)
        load(&s[i], false);
}

/* The cache of keys, a kept copy, scratch: whichever goes, what names it is not played. */
static void what_names_memory_that_is_released_is_forgotten(void **state)
{
    enum { EVENTS = 5 };
    struct memory_use has;
    struct dev *taken = NULL;

    limit_memory();
    const struct ops *const o = on_device();
    struct setup s = set_up(o, MOST, MANY);
    struct weight large = random_weight(o, DT_NF4, 64, 4096, 64, DT_BF16, 3);
    struct dev *const in = room(o, 16 * 4096), *const to = room(o, 16 * 64);
    struct result want[STEPS], got;

    (void)state;
    plainly(&s, want);
    for (int event = 0; event < EVENTS; event++) {
        for (int at = 0; at < STEPS; at++) {
            got = step(&s, 5, at);
            assert_result(&got, &want[at], at);
        }
        assert_int_equal(count.played, STEPS - 2);
        count.played = 0;
        if (event == 0) {
            struct dev *const part = o->alloc(64); /* of nobody */

            o->release(part);
        } else if (event == 1) {
            load(&s, false);
            load(&s, true);
        } else if (event == 2) {
            assert_int_equal(linear_alone(o, to, NULL, in, &large, NULL, NULL, NULL, 16), 0);
        } else if (event == 3) {
            struct dev *const fresh = o->alloc(MOST * KEYS * DIM * sizeof(float));

            assert_int_equal(o->copy(fresh, s.k_cache, MOST * KEYS * DIM * sizeof(float)), 0);
            for (size_t i = 0; i < n_held; i++)
                if (held[i].p == s.k_cache)
                    held[i].p = fresh;
            o->release(s.k_cache);
            s.k_cache = fresh;
        } else { /* copies of weights make room */
            o->memory_use(&has);
            if (has.total != MEMORY)
                break;
            taken = o->alloc(has.free + has.expanded / 2);
            assert_non_null(taken);
        }
        got = step(&s, 5, STEPS - 1);
        assert_result(&got, &want[STEPS - 1], STEPS - 1);
        assert_int_equal(count.played, 0);
        load(&s, false); /* none is known any more */
        load(&s, true);
    }
    o->release(taken);
    unsetenv("SLMTOOLS_EMULATE");
    load(&s, false);
}

/* What the device cannot do is done op by op. */
static void check_machine(const char *machine, int played, int again)
{
    const struct ops *const o = on_device();
    struct setup s = set_up(o, 2, FEW);
    struct result want[STEPS], got;

    plainly(&s, want);
    setenv("SLMTOOLS_EMULATE", machine, 1);
    for (int at = 0; at < STEPS; at++) {
        got = step(&s, 5, at);
        assert_result(&got, &want[at], at);
    }
    unsetenv("SLMTOOLS_EMULATE");
    assert_int_equal(count.played, played);
    assert_int_equal(count.again, again);
    load(&s, false);
}

static void machines_may_record_nothing(void **state)
{
    (void)state;
    if (getenv("CUDA_PLUGIN")) /* a card */
        skip();
    check_machine("captures=0", 0, 0);
    check_machine("graphs=0", 0, 3);
}

static void a_recording_that_cannot_be_played_is_queued(void **state)
{
    const struct ops *const o = on_device();
    struct setup s = set_up(o, 2, FEW);
    struct result want[STEPS], got;

    (void)state;
    plainly(&s, want);
    for (int at = 0; at < STEPS; at++) {
        if (at == 3 && !getenv("CUDA_PLUGIN"))
            setenv("SLMTOOLS_EMULATE", "graphs=0", 1);
        got = step(&s, 5, at);
        assert_result(&got, &want[at], at);
    }
    unsetenv("SLMTOOLS_EMULATE");
    assert_int_equal(count.played, getenv("CUDA_PLUGIN") ? STEPS - 2 : 1);
    load(&s, false);
}

static void wait_for_it(const struct setup *s)
{
    float x;

    (void)s->o->get(&x, s->x, sizeof x);
}

/* When it is captured, as the first pass of all was not. */
static void ask_for_memory(const struct setup *s)
{
    static int times;

    if (times++ == 1)
        (void)s->o->head_select(NULL, s->best, s->k_cache, &s->table, NULL, NULL, MOST * KEYS, 0);
}

static void release(const struct setup *s)
{
    s->o->release(s->o->alloc(100));
}

static void check_again(void (*between)(const struct setup *), int played, int again)
{
    const struct ops *const o = on_device();
    struct setup s = set_up(o, 2, FEW);
    struct result want[STEPS], got;

    plainly(&s, want);
    for (int at = 0; at < STEPS; at++) {
        got = step_with(&s, 5, at, between);
        assert_result(&got, &want[at], at);
    }
    assert_int_equal(count.played, played);
    assert_int_equal(count.again, again);
    load(&s, false);
}

/* As often as it is tried, and then no more. */
static void what_cannot_be_recorded_is_made_again(void **state)
{
    (void)state;
    check_again(wait_for_it, 0, 3);
    check_again(ask_for_memory, STEPS - 3, 1);
    check_again(release, 0, 3);
}

static void an_op_that_fails_says_why(void **state)
{
    const struct ops *const o = on_device();
    struct setup s = set_up(o, 2, FEW);
    const struct packed rows = put_step(&s, 0);

    (void)state;
    for (int i = 0; i < 4; i++) {
        int again;

        do {
            assert_int_equal(o->begin(5), 0);
            assert_int_equal(queue(&s, &rows, 1024), -1);
            again = o->end(false);
            assert_true(again >= 0);
            count.again += again;
        } while (again);
        assert_non_null(strstr(err_text(), "heads of 1024 channels"));
    }
    assert_int_equal(count.again, 3);
    load(&s, false);
}

/* More keys than a device remembers: the one that was not used for longest goes. */
static void keys_may_be_many(void **state)
{
    const struct ops *const o = on_device();
    struct setup s = set_up(o, 1, FEW);
    const struct result want = step(&s, 0, 0);

    (void)state;
    for (int round = 0; round < 3; round++)
        for (uint64_t key = 1; key <= 40; key++) {
            const struct result often = step(&s, 1000, 0), rare = step(&s, key, 0);

            assert_result(&often, &want, 0);
            assert_result(&rare, &want, 0);
        }
    assert_int_equal(count.played, 120 - 2);
    load(&s, false);
}

static void recording_can_be_switched_off(void **state)
{
    setenv("SLMTOOLS_CUDA", "nograph", 1);
    const struct ops *const o = on_device();
    struct setup s = set_up(o, 1, FEW);

    (void)state;
    for (int at = 0; at < STEPS; at++)
        (void)step(&s, 5, at);
    assert_int_equal(count.played + count.again, 0);
    load(&s, false);
    release_from(0);
    setenv("SLMTOOLS_CUDA", "somehow", 1);
    assert_null(ops_find("cuda", 1, DT_F32, DT_F32));
    assert_int_equal(err_code(), EXIT_NODEVICE);
    assert_non_null(strstr(err_text(), "SLMTOOLS_CUDA=somehow is not known"));
    unsetenv("SLMTOOLS_CUDA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(the_third_pass_of_a_key_is_played),
        OP_TEST(streams_beside_are_recorded_too),
        OP_TEST(keys_are_told_apart),
        OP_TEST(what_names_memory_that_is_released_is_forgotten),
        OP_TEST(machines_may_record_nothing),
        OP_TEST(a_recording_that_cannot_be_played_is_queued),
        OP_TEST(what_cannot_be_recorded_is_made_again),
        OP_TEST(an_op_that_fails_says_why),
        OP_TEST(keys_may_be_many),
        OP_TEST(recording_can_be_switched_off),
    };

    return RUN_TESTS(tests);
}
