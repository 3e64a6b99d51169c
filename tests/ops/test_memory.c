/* Device memory: what goes up comes down. */
#include "ops_test.h"

static void allocations_are_aligned(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (size_t bytes = 0; bytes < 1000; bytes += 333) {
            struct dev *const d = tables[t].alloc(bytes);

            assert_non_null(d);
            assert_int_equal((uintptr_t)d % 256, 0);
            tables[t].release(d);
        }
}

static void too_much_is_an_error(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        assert_null(tables[t].alloc(SIZE_MAX));
        assert_int_equal(err_code(), EXIT_MEMORY);
        tables[t].release(NULL);
    }
}

static void bytes_survive_the_way(void **state)
{
    static const float x[6] = { 1, 2, 3, 4, 5, 6 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const a = put_floats(o, x, 6), *const b = room(o, 6);
        float back[6];

        assert_int_equal(o->copy(b, a, sizeof x), 0);
        assert_int_equal(o->zero(o->slice(b, 2 * sizeof *x), 2 * sizeof *x), 0);
        assert_int_equal(o->put(o->slice(b, 5 * sizeof *x), x, sizeof *x), 0);
        assert_int_equal(o->get(back, o->slice_const(b, sizeof *x), 5 * sizeof *x), 0);
        assert_floats("bytes", back, (const float[]){ 2, 0, 0, 5, 1 }, 5, 0);
    }
}

/* More than a device has room for on the way, and none may be another's. */
static void uploads_follow_one_another(void **state)
{
    enum { UPLOADS = 30, EACH = 1000 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const d = room(o, UPLOADS * EACH);
        float x[EACH], back[EACH];

        for (int i = 0; i < UPLOADS; i++) {
            for (int j = 0; j < EACH; j++)
                x[j] = (float)(i * EACH + j);
            assert_int_equal(o->put(o->slice(d, (size_t)i * sizeof x), x, sizeof x), 0);
        }
        for (int i = 0; i < UPLOADS; i++) {
            assert_int_equal(o->get(back, o->slice_const(d, (size_t)i * sizeof x), sizeof x), 0);
            for (int j = 0; j < EACH; j++)
                assert_true(back[j] == (float)(i * EACH + j));
        }
    }
}

static void adopted_memory_is_read_where_it_lies(void **state)
{
    static const float x[3] = { 7, 8, 9 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct dev *const d = tables[t].adopt(x, sizeof x);
        float back[3];

        assert_int_equal(tables[t].get(back, d, sizeof back), 0);
        assert_memory_equal(back, x, sizeof x);
        tables[t].disown(d);
    }
}

/* BYTES of a model and a few, there at the first PASS or before; where a device COPIES, the host's
 * may be others at once. */
static void check_adopted(const struct ops *o, size_t bytes, bool copies, bool pass)
{
    const size_t before = n_held;
    unsigned char *const from = host(bytes), *const back = host(bytes);

    for (size_t i = 0; i < bytes; i++)
        from[i] = (unsigned char)(i * 2654435761u >> 24);
    const struct dev *const d = o->adopt(from, bytes), *const small = o->adopt(from, 1000);

    assert_non_null(d);
    assert_non_null(small);
    if (copies)
        memset(from, 0xee, bytes);
    if (pass)
        assert_int_equal(o->begin(0), 0);
    assert_int_equal(o->get(back, d, bytes), 0);
    assert_int_equal(o->get(from, small, 1000), 0);
    for (size_t i = 0; i < bytes; i++)
        if (back[i] != (unsigned char)(i * 2654435761u >> 24) || (i < 1000 && from[i] != back[i]))
            fail_msg("byte %zu is another", i);
    o->disown(d);
    o->disown(small);
    release_from(before);
}

static void large_files_are_adopted_whole(void **state)
{
    static const char *const machine[] = { "", "pinned=0", "pinned=20000000" };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < (t == CUDA ? COUNT(machine) : 1); i++) {
            setenv("SLMTOOLS_EMULATE", machine[i], 1);
            check_adopted(&tables[t], ((size_t)70 << 20) + 13, t == CUDA, false);
            check_adopted(&tables[t], 100000, t == CUDA, true);
            assert_int_equal(use(t), t); /* opened anew, it asks for pinned memory again */
        }
    unsetenv("SLMTOOLS_EMULATE");
}

static void memory_is_told_by_use(void **state)
{
    static const float x[300] = { 0 };
    struct memory_use before, now;

    (void)state;
    for (int t = use(REF); t < CUDA; t = use(t + 1)) {
        tables[t].memory_use(&now);
        assert_int_equal(now.total | now.free | now.asked, 0);
    }
    if (use(CUDA) != CUDA)
        return;
    const struct ops *const o = &tables[CUDA];
    struct weight w = random_weight(o, DT_NF4, 64, 128, 64, DT_BF16, 1);
    struct dev *const in = room(o, 8 * 128), *const out = room(o, 8 * 64);

    o->memory_use(&before);
    const struct dev *const adopted = o->adopt(x, sizeof x);
    struct dev *const asked = o->alloc(500);

    assert_int_equal(o->weight_load(&w), 0);
    assert_int_equal(linear_alone(o, out, NULL, in, &w, NULL, NULL, NULL, 8), 0);
    o->memory_use(&now);
    assert_int_equal(now.stored - before.stored, sizeof x);
    assert_int_equal(now.asked - before.asked, 500);
    assert_int_equal(now.expanded - before.expanded, 64 * 128 * 2);
    assert_true(now.scratch - before.scratch >= 8 * 128 * 2 && now.free < now.total);
    o->disown(adopted);
    o->release(asked);
    o->weight_free(&w);
    o->memory_use(&now);
    assert_int_equal(now.stored, before.stored);
    assert_int_equal(now.asked, before.asked);
    assert_int_equal(now.expanded, before.expanded);
}

/* ---- what is reserved ---- */

enum { N = 57, C = 96, O = 200, V = 300, R = 128, H = 4, K = 2, D = 16 };

static const struct op_sizes sizes = {
    .tokens = N, .width = O, .vocab = V, .kv_heads = K, .rank = R, .train = true
};

static void through_linear(const struct ops *o, const struct weight *w, const struct packed *rows)
{
    const struct lora lora = { put_random(o, R * C, 4), put_random(o, O * R, 5), R, 0.25f,
                               { 0.1f, 99, 17 },        kept_room(o, N, C) };
    struct dev *const u = room(o, N * R), *const x = put_random_act(o, N * C, 2);

    assert_int_equal(linear_alone(o, act_room(o, N * O), u, x, w, NULL, &lora, rows, N), 0);
    assert_int_equal(o->linear_backward(act_room(o, N * C), room(o, R * C), room(o, O * R),
                                        put_random_act(o, N * O, 3), x, u, room(o, N * R), w, &lora,
                                        rows, N, false),
                     0);
}

static void through_attention(const struct ops *o, enum dtype round, const struct packed *rows)
{
    struct attention a = attention_shape(H, K, D, 0.25f);
    const struct dev *const q = put_random_act(o, N * H * D, 6), *const k = put_random_act(
                                                                     o, N * K * D, 7);
    struct dev *const out = act_room(o, N * H * D), *const lse = room(o, N * H);

    a.round = round;
    assert_int_equal(o->attention_forward(out, lse, q, k, k, rows, &a), 0);
    assert_int_equal(o->attention_backward(act_room(o, N * H * D), act_room(o, N * K * D),
                                           act_room(o, N * K * D), room(o, N * H),
                                           put_random_act(o, N * H * D, 8), out, lse, q, k, k, rows,
                                           &a),
                     0);
}

static void through_head(const struct ops *o, const struct weight *w)
{
    const int32_t target[N] = { 1, 2, -1 };
    const struct dev *const h = put_random_act(o, N * C, 9), *const t = put_ints(o, target, N);
    struct dev *const nll = room(o, N), *const best = room(o, N);
    double sum;
    int64_t bad;

    assert_int_equal(o->head_loss(nll, act_room(o, N * C), best, h, w, NULL, t, nll, N), 0);
    assert_int_equal(o->head_select(NULL, best, h, w, NULL, NULL, N, 0), 0);
    assert_int_equal(o->sum_squares(&sum, put_random(o, N, 1), N), 0);
    assert_int_equal(o->find_nonfinite(&bad, put_random(o, N, 1), DT_F32, N), 0);
}

/* A pass both ways takes just what was reserved for it; TIGHT: no weight has room to be kept. */
static void check_reserved(const struct ops *o, enum dtype round, bool tight)
{
    struct weight w[] = { random_weight(o, DT_NF4, O, C, 64, round, 1),
                          random_weight(o, DT_NF4, V, C, 64, round, 2) };
    struct op_sizes s = sizes;
    struct memory_use has, now;

    s.round = round;
    for (int i = 0; i < COUNT(w); i++)
        assert_int_equal(o->weight_load(&w[i]), 0);
    const size_t scratch = o->scratch_bytes(&s);

    o->memory_use(&has);
    if (tight)
        (void)hold(o, o->alloc(has.free - has.total / 8 - scratch));
    assert_int_equal(o->reserve(&s), 0);
    o->memory_use(&has);
    assert_true(has.scratch > 0 && has.scratch <= scratch * 2); /* strips have two buffers */
    assert_int_equal(has.expanded, tight ? 0 : (O + V) * C * (round == DT_F32 ? 4 : 2));
    for (int again = 0; again < 2; again++) {
        const struct packed rows = pack_lengths(o, (int[]){ 37, 20 }, 2);

        through_linear(o, &w[0], &rows);
        through_attention(o, round, &rows);
        through_head(o, &w[1]);
    }
    o->memory_use(&now);
    assert_int_equal(now.scratch, has.scratch);
    assert_int_equal(now.expanded, has.expanded);
    for (int i = 0; i < COUNT(w); i++)
        o->weight_free(&w[i]);
    release_from(0);
}

static void passes_take_no_more_than_was_reserved(void **state)
{
    static const enum dtype round[] = { DT_F32, DT_F16, DT_BF16 };

    (void)state;
    if (use(CUDA) != CUDA)
        skip();
    for (int i = 0; i < 2 * COUNT(round); i++) {
        setenv("SLMTOOLS_EMULATE", "memory=33554432", 1);
        assert_true(open_cuda(CUDA));
        check_reserved(&tables[CUDA], round[i / 2], i % 2);
        if (round[i / 2] != DT_BF16)
            continue;
        act_round = DT_BF16;
        assert_true(open_cuda(CUDA_BF16));
        check_reserved(&tables[CUDA_BF16], DT_BF16, i % 2);
        act_round = DT_F32;
    }
    unsetenv("SLMTOOLS_EMULATE");
}

static void find_fails_with(const char *device, const char *said, int code)
{
    assert_null(ops_find(device, 1, DT_F32, DT_F32));
    assert_int_equal(err_code(), code);
    assert_non_null(strstr(err_text(), said));
}

static void backends_are_found_by_name(void **state)
{
    (void)state;
    setenv("SLMTOOLS_LIB", "/dev/null", 1); /* no plug-in */
    assert_string_equal(ops_find("ref", 1, DT_F32, DT_F32)->name, "ref");
    assert_string_equal(ops_find("cpu", 1, DT_F32, DT_F32)->name, "cpu");
    assert_string_equal(ops_find("auto", 0, DT_F32, DT_F32)->name, "cpu");
    find_fails_with("cuda", "cuda", EXIT_NODEVICE);
    find_fails_with("cuda:12", "cuda:12", EXIT_NODEVICE);
    find_fails_with("cuda:", "cuda:", EXIT_USAGE);
    find_fails_with("cuda:x", "cuda:x", EXIT_USAGE);
    find_fails_with("gpu", "gpu", EXIT_USAGE);
}

static void an_instruction_set_may_be_asked_for(void **state)
{
    (void)state;
    setenv("SLMTOOLS_CPU", "portable", 1);
    assert_non_null(ops_find("cpu", 1, DT_F32, DT_F32));
    setenv("SLMTOOLS_CPU", "abacus", 1);
    find_fails_with("cpu", "abacus", EXIT_NODEVICE);
    unsetenv("SLMTOOLS_CPU");
}

static void threads_are_what_was_asked_for(void **state)
{
    (void)state;
    assert_non_null(ops_find("cpu", 3, DT_F32, DT_F32));
    assert_int_equal(omp_get_max_threads(), 3);
}

/* A table's entries are all there: nobody asks before calling one. */
static void no_entry_is_empty(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        void *entry[sizeof(struct ops) / sizeof(void *)];

        memcpy(entry, &tables[t], sizeof entry);
        for (int i = 0; i < COUNT(entry); i++)
            assert_non_null(entry[i]);
    }
}

/* What the CPU has nothing to do for: it must not do anything. */
static void passes_and_weights_cost_nothing(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct weight w = random_weight(o, DT_F32, 3, 4, 64, DT_F32, 1);
        const struct weight before = w;

        assert_int_equal(o->act_bytes, sizeof(float));
        assert_int_equal(o->begin(7), 0);
        assert_int_equal(o->weight_load(&w), 0);
        assert_true(w.data == before.data && w.dtype == before.dtype);
        o->weight_free(&w);
        assert_int_equal(o->end(true), 0);
    }
}

static void scratch_grows_with_the_batch(void **state)
{
    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct op_sizes few = { .tokens = 10, .width = 64, .vocab = 100 },
                              many = { .tokens = 1000, .width = 2560, .vocab = 51200 };
        const size_t small = tables[t].scratch_bytes(&few);

        assert_true(small > 0);
        assert_true(tables[t].scratch_bytes(&many) > small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(allocations_are_aligned),
        OP_TEST(too_much_is_an_error),
        OP_TEST(bytes_survive_the_way),
        OP_TEST(uploads_follow_one_another),
        OP_TEST(adopted_memory_is_read_where_it_lies),
        OP_TEST(large_files_are_adopted_whole),
        OP_TEST(memory_is_told_by_use),
        OP_TEST(passes_take_no_more_than_was_reserved),
        OP_TEST(backends_are_found_by_name),
        OP_TEST(threads_are_what_was_asked_for),
        OP_TEST(an_instruction_set_may_be_asked_for),
        OP_TEST(no_entry_is_empty),
        OP_TEST(passes_and_weights_cost_nothing),
        OP_TEST(scratch_grows_with_the_batch),
    };

    return RUN_TESTS(tests);
}
