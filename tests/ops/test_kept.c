/* Weights that a device keeps expanded: which bytes a product reads is seen by changing those that
 * it was loaded from. */
#include "ops_test.h"

enum { N = 6, O = 200, C = 512 };

struct results {
    float *y, *dx;
};

/* Forward and backward through W, whole rows of a batch of N. */
static struct results through(const struct ops *o, const struct weight *w)
{
    struct dev *const y = room(o, N * O), *const dx = room(o, N * C),
                      *const x = put_random(o, N * C, 2);

    assert_int_equal(linear_alone(o, y, NULL, x, w, NULL, NULL, NULL, N), 0);
    assert_int_equal(o->linear_backward(dx, NULL, NULL, put_random(o, N * O, 3), x, NULL, NULL, w,
                                        NULL, NULL, N, false),
                     0);
    return (struct results){ get_floats(o, y, N * O), get_floats(o, dx, N * C) };
}

/* Whether W's products are WANT to the bit. */
static bool gives(const struct ops *o, const struct weight *w, struct results want)
{
    const size_t before = n_held;
    const struct results r = through(o, w);
    const bool same = !memcmp(r.y, want.y, N * O * sizeof(float)) &&
                      !memcmp(r.dx, want.dx, N * C * sizeof(float));

    release_from(before);
    return same;
}

/* Other elements than those that W was loaded with. */
static void change(const struct ops *o, const struct weight *w)
{
    assert_int_equal(o->zero((struct dev *)w->data, (size_t)(O * C / 4)), 0);
}

static const struct {
    enum dtype stored, round;
} kinds[] = { { DT_NF4, DT_BF16 },  { DT_NF4, DT_F16 },  { DT_NF4, DT_F32 },
              { DT_Q4_K, DT_BF16 }, { DT_Q8_0, DT_F32 }, { DT_F16, DT_BF16 } };

static struct weight weight_of(const struct ops *o, int kind)
{
    return random_weight(o, kinds[kind].stored, O, C, 64, kinds[kind].round, 1);
}

static void a_copy_gives_the_same_bytes_and_is_what_is_read(void **state)
{
    (void)state;
    if (use(CUDA) != CUDA)
        skip();
    const struct ops *const o = &tables[CUDA];

    for (int i = 0; i < COUNT(kinds); i++) {
        struct weight w = weight_of(o, i);
        const struct results each_time = through(o, &w);

        assert_int_equal(o->weight_load(&w), 0);
        assert_true(gives(o, &w, each_time));
        change(o, &w);
        assert_true(gives(o, &w, each_time));
        o->weight_free(&w);
        assert_false(gives(o, &w, each_time));
    }
}

static void few_rows_read_what_is_stored(void **state)
{
    (void)state;
    if (use(CUDA) != CUDA)
        skip();
    const struct ops *const o = &tables[CUDA];
    struct weight w = weight_of(o, 0);
    struct dev *const y = room(o, O), *const x = put_random(o, C, 2);

    assert_int_equal(o->weight_load(&w), 0);
    (void)through(o, &w);
    assert_int_equal(o->zero((struct dev *)w.absmax, O * C / 64 * sizeof(float)), 0);
    assert_int_equal(linear_alone(o, y, NULL, x, &w, NULL, NULL, NULL, 1), 0);
    assert_floats("y", get_floats(o, y, O), (const float[O]){ 0 }, O, 0);
    o->weight_free(&w);
}

static bool has_room(const struct ops *o, size_t bytes)
{
    struct dev *const d = o->alloc(bytes);

    o->release(d);
    return d != NULL;
}

/* Whether the device is one that has as much memory as we say. */
static bool limit_memory(const struct ops *o, size_t bytes)
{
    char machine[64];

    (void)snprintf(machine, sizeof machine, "memory=%zu", bytes);
    setenv("SLMTOOLS_EMULATE", machine, 1);
    return !has_room(o, bytes + 1);
}

static void what_does_not_fit_is_expanded_each_time(void **state)
{
    enum { COPY = O * C * 2 };

    (void)state;
    if (use(CUDA) != CUDA || !limit_memory(&tables[CUDA], 100 * COPY))
        skip();
    const struct ops *const o = &tables[CUDA];
    struct weight w = weight_of(o, 0);
    const struct results each_time = through(o, &w);
    struct dev *const taken = o->alloc(87 * COPY); /* less than an eighth stays */

    assert_non_null(taken);
    assert_int_equal(o->weight_load(&w), 0);
    assert_true(gives(o, &w, each_time));
    change(o, &w);
    assert_false(gives(o, &w, each_time));
    o->release(taken);
    o->weight_free(&w);
    unsetenv("SLMTOOLS_EMULATE");
}

/* The newest goes first, and none before it must. */
static void copies_make_room_for_what_is_asked_for_later(void **state)
{
    enum { COPY = O * C * 2 };

    (void)state;
    if (use(CUDA) != CUDA || !limit_memory(&tables[CUDA], 100 * COPY))
        skip();
    const struct ops *const o = &tables[CUDA];
    struct weight old = weight_of(o, 0), new = random_weight(o, DT_NF4, O, C, 64, DT_BF16, 9);
    const struct results of_old = through(o, &old), of_new = through(o, &new);
    size_t bytes = 50 * COPY;

    assert_int_equal(o->weight_load(&old), 0);
    assert_int_equal(o->weight_load(&new), 0);
    assert_true(gives(o, &old, of_old) && gives(o, &new, of_new));
    change(o, &old);
    change(o, &new);
    while (gives(o, &new, of_new) && bytes < 100 * COPY) {
        assert_true(has_room(o, bytes));
        bytes += COPY / 2;
    }
    assert_true(bytes > 90 * COPY && bytes < 100 * COPY);
    assert_true(gives(o, &old, of_old));
    o->weight_free(&old);
    o->weight_free(&new);
    unsetenv("SLMTOOLS_EMULATE");
}

/* ---- what is expanded ahead ---- */

enum { WEIGHTS = 3, PASSES = 3 };

enum { MEMORY = 16 << 20 };

/* So much that no copy is kept, and the ops have their own; nothing where others took it before. */
static struct dev *take_memory(const struct ops *o)
{
    struct memory_use has;

    o->memory_use(&has);
    const size_t stays = has.total / 16 + O * C; /* other programs may end, and give some back */
    struct dev *const d = o->alloc(has.free > stays ? has.free - stays : 1);

    assert_non_null(d);
    return d;
}

static void open_weights(const struct ops *o, struct weight w[WEIGHTS])
{
    for (int i = 0; i < WEIGHTS; i++)
        w[i] = random_weight(o, DT_NF4, O, C, 64, DT_BF16, (uint64_t)i + 1);
}

static void load_weights(const struct ops *o, struct weight w[WEIGHTS], bool load)
{
    for (int i = 0; i < WEIGHTS; i++)
        if (load)
            assert_int_equal(o->weight_load(&w[i]), 0);
        else
            o->weight_free(&w[i]);
}

struct outputs_of_passes {
    struct dev *y[PASSES][WEIGHTS], *dx[PASSES][WEIGHTS];
};

static struct outputs_of_passes rooms(const struct ops *o)
{
    struct outputs_of_passes r;

    for (int k = 0; k < PASSES; k++)
        for (int i = 0; i < WEIGHTS; i++) {
            r.y[k][i] = room(o, N * O);
            r.dx[k][i] = room(o, N * C);
        }
    return r;
}

/* Forward in order and backward in the other, again and again; all is queued before anything is
 * waited for. */
static void pass_through(const struct ops *o, const struct weight w[WEIGHTS],
                         const struct outputs_of_passes *r)
{
    struct dev *const x = put_random(o, N * C, 2), *const dy = put_random(o, N * O, 3);

    for (int k = 0; k < PASSES; k++) {
        for (int i = 0; i < WEIGHTS; i++)
            assert_int_equal(linear_alone(o, r->y[k][i], NULL, x, &w[i], NULL, NULL, NULL, N), 0);
        for (int i = WEIGHTS; i-- > 0;)
            assert_int_equal(o->linear_backward(r->dx[k][i], NULL, NULL, dy, x, NULL, NULL, &w[i],
                                                NULL, NULL, N, false),
                             0);
    }
}

static void expanding_ahead_changes_no_byte(void **state)
{
    static const char *const order[] = { "forward", "reverse" };

    (void)state;
    if (use(CUDA) != CUDA)
        skip();
    (void)limit_memory(&tables[CUDA], MEMORY); /* a card has what it has */
    const struct ops *const o = &tables[CUDA];
    struct weight w[WEIGHTS];
    struct results want[WEIGHTS];

    open_weights(o, w);
    for (int i = 0; i < WEIGHTS; i++)
        want[i] = through(o, &w[i]);
    (void)hold(o, take_memory(o));
    load_weights(o, w, true);
    for (int j = 0; j < COUNT(order); j++) {
        const struct outputs_of_passes got = rooms(o);

        setenv("SLMTOOLS_EMULATE_ORDER", order[j], 1);
        pass_through(o, w, &got);
        for (int k = 0; k < PASSES; k++)
            for (int i = 0; i < WEIGHTS; i++) {
                assert_floats("y", get_floats(o, got.y[k][i], N * O), want[i].y, N * O, 0);
                assert_floats("dx", get_floats(o, got.dx[k][i], N * C), want[i].dx, N * C, 0);
            }
    }
    load_weights(o, w, false);
    unsetenv("SLMTOOLS_EMULATE_ORDER");
    unsetenv("SLMTOOLS_EMULATE");
}

/* W[1] follows W[0]: as soon as that is done, changes to what it was loaded from come too late; but
 * what was expanded is not another weight's that is loaded from there. */
static void the_next_weight_is_expanded_ahead_and_forgotten_with_it(void **state)
{
    (void)state;
    if (use(CUDA) != CUDA || !limit_memory(&tables[CUDA], MEMORY))
        skip();
    const struct ops *const o = &tables[CUDA];
    struct weight w[WEIGHTS];
    struct dev *const y = room(o, N * O), *const x = put_random(o, N * C, 2);

    setenv("SLMTOOLS_EMULATE_ORDER", "reverse", 1);
    for (int renewed = 0; renewed < 2; renewed++) {
        open_weights(o, w);
        const struct results want = through(o, &w[1]);
        struct dev *const taken = take_memory(o);

        load_weights(o, w, true);
        for (int i = 0; i < 5; i++) /* it ends in W[0] */
            assert_int_equal(linear_alone(o, y, NULL, x, &w[i % 2], NULL, NULL, NULL, N), 0);
        (void)get_floats(o, y, 1);
        change(o, &w[1]);
        if (renewed) {
            load_weights(o, w, false);
            load_weights(o, w, true);
        }
        assert_int_equal(linear_alone(o, y, NULL, x, &w[1], NULL, NULL, NULL, N), 0);
        assert_int_equal(!memcmp(get_floats(o, y, N * O), want.y, N * O * sizeof(float)), !renewed);
        load_weights(o, w, false);
        o->release(taken);
    }
    unsetenv("SLMTOOLS_EMULATE_ORDER");
    unsetenv("SLMTOOLS_EMULATE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(a_copy_gives_the_same_bytes_and_is_what_is_read),
        OP_TEST(few_rows_read_what_is_stored),
        OP_TEST(what_does_not_fit_is_expanded_each_time),
        OP_TEST(copies_make_room_for_what_is_asked_for_later),
        OP_TEST(expanding_ahead_changes_no_byte),
        OP_TEST(the_next_weight_is_expanded_ahead_and_forgotten_with_it),
    };

    return RUN_TESTS(tests);
}
