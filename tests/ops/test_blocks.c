/* The block formats of GGUF files: their values as gguf-py computes them, and what ops make of
 * them, which is what they make of the values. Linear layers: test_linear.c. */
#include "block_scale.h"
#include "ops_test.h"
#include "tensors.h"

#include <stdio.h>
#include <sys/mman.h>

static const enum dtype formats[] = {
    DT_Q4_0, DT_Q4_1, DT_Q5_0, DT_Q5_1, DT_Q8_0,   DT_Q2_K,
    DT_Q3_K, DT_Q4_K, DT_Q5_K, DT_Q6_K, DT_IQ4_NL, DT_IQ4_XS,
};

/* ---- recorded values ---- */

static struct tensors *recorded(void)
{
    enum { ROOM = 1 << 16 };
    uint8_t *const bytes = host(ROOM);
    FILE *const f = fopen("tests/parity/blocks.safetensors", "rb");
    struct tensors *t;
    size_t n;

    assert_non_null(f);
    n = fread(bytes, 1, ROOM, f);
    assert_true(n > 0 && n < ROOM);
    fclose(f);
    assert_int_equal(tensors_parse(&t, "blocks.safetensors", bytes, n), 0);
    return t;
}

/* Whole, and in pieces that begin and end anywhere: as rows of widths that blocks do not have,
 * which the flattened weight allows. */
static void values_are_those_of_gguf(void **state)
{
    struct tensors *const file = recorded();

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(formats); i++) {
            const struct ops *const o = &tables[t];
            const char *const name = dtype_name(formats[i]);
            const struct tensor *const blocks = tensors_find(file, name);
            char values[32];

            snprintf(values, sizeof values, "%s.values", name);
            const struct tensor *const want = tensors_find(file, values);

            assert_non_null(blocks);
            assert_non_null(want);
            assert_int_equal(blocks->bytes, dtype_bytes(formats[i], (size_t)want->n));
            for (int64_t width = 1; width <= want->n; width = width * 3 + 1) {
                const struct weight w = { .dtype = formats[i],
                                          .data = put_bytes(o, blocks->data, blocks->bytes),
                                          .rows = want->n / width,
                                          .cols = width };
                int32_t *const ids = host((size_t)w.rows * sizeof *ids);
                struct dev *const x = room(o, want->n);

                for (int32_t row = 0; row < w.rows; row++)
                    ids[row] = row;
                assert_int_equal(o->embed(x, &w, put_ints(o, ids, w.rows), w.rows), 0);
                if (memcmp(get_floats(o, x, want->n), want->data,
                           (size_t)(w.rows * width) * sizeof(float)))
                    fail_msg("%s: %s has other values than gguf-py", sets[t], name);
            }
        }
    tensors_close(file);
}

/* ---- ops ---- */

struct shape {
    enum dtype dtype, round;
    int64_t M, O, C;
};

static struct weight expanded(const struct ops *o, const struct weight *w)
{
    struct dev *const x = room(o, w->rows * w->cols);
    struct weight dense = *w;

    assert_int_equal(o->expand(x, w), 0);
    dense.dtype = DT_F32;
    dense.data = x;
    return dense;
}

static const int32_t *some(int64_t n, int64_t below, bool none)
{
    int32_t *const x = host((size_t)n * sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = none && i % 5 == 4 ? -1 : (int32_t)(i * 37 % below);
    return x;
}

static void run_all(struct outputs *out, const struct ops *o, const struct weight *w, int64_t M)
{
    const int64_t O = w->rows, C = w->cols;
    const struct dev *const x = put_random_act(o, M * C, 2), *const dy =
                                                                 put_random_act(o, M * O, 3);
    struct dev *const y = act_room(o, M * O), *const dx = put_random_act(o, M * C, 4),
                      *const rows = act_room(o, M * C);
    struct dev *const nll = room(o, M), *const dh = act_room(o, M * C), *const best = room(o, M);

    assert_int_equal(linear_alone(o, y, NULL, x, w, put_random(o, O, 5), NULL, NULL, M), 0);
    assert_int_equal(o->linear_backward(dx, NULL, NULL, dy, x, NULL, NULL, w, NULL, NULL, M, true),
                     0);
    assert_int_equal(o->embed(rows, w, put_ints(o, some(M, O, false), M), M), 0);
    assert_int_equal(o->head_loss(nll, dh, best, x, w, NULL, put_ints(o, some(M, O, true), M),
                                  put_random(o, M, 6), M),
                     0);
    give_act(out, o, "y", y, M * O);
    give_act(out, o, "dx", dx, M * C);
    give_act(out, o, "rows", rows, M * C);
    give(out, o, "nll", nll, M);
    give_act(out, o, "dh", dh, M * C);
    give(out, o, "best", best, M);
}

/* To the byte: the order of the sums does not depend on the storage. */
static void ops_see_the_values(void **state)
{
    static const int64_t M[] = { 1, 4, 33 };
    static const enum dtype round[] = { DT_F32, DT_F16, DT_BF16 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(formats); i++)
            for (int j = 0; j < COUNT(M) * COUNT(round); j++) {
                const struct ops *const o = &tables[t];
                const size_t before = n_held;
                const struct weight w =
                    random_weight(o, formats[i], 67, dtype_block(formats[i]) == 32 ? 352 : 512, 64,
                                  round[j % COUNT(round)], 1);
                const struct weight dense = expanded(o, &w);
                struct outputs got = { 0 }, want = { 0 };

                run_all(&got, o, &w, M[j / COUNT(round)]);
                run_all(&want, o, &dense, M[j / COUNT(round)]);
                check_bytes(t, &got, &want, dtype_name(formats[i]));
                release_from(before);
            }
}

static void run_shape(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct weight w = random_weight(o, s->dtype, s->O, s->C, 64, s->round, 1);

    run_all(out, o, &w, s->M);
    /* without the best: its numbers are no floats; where the head rounds, ref and the others do so
     * at other scales */
    out->n = s->round == DT_F32 ? 5 : 3;
}

/* Against ref, with any number of threads. */
static void ops_agree(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(formats); i++) {
        const int block = dtype_block(formats[i]);
        const struct shape shapes[] = {
            { formats[i], DT_F32, 1, 1, block },
            { formats[i], DT_BF16, 1, 33, 3 * block },
            { formats[i], DT_F32, 3, 70, 2 * block },
            { formats[i], DT_F16, 40, 35, block },
        };

        CHECK_OP(run_shape, shapes, 1e-11);
    }
}

/* Enough work for several threads. */
static void large_ops_agree(void **state)
{
    static const struct shape shapes[] = {
        { DT_Q4_1, DT_F32, 1, 1000, 1024 },
        { DT_Q8_0, DT_F32, 70, 300, 576 },
        { DT_Q4_K, DT_BF16, 70, 300, 768 },
    };

    (void)state;
    CHECK_OP(run_shape, shapes, 1e-11);
}

/* A weight that ends where memory does, as that of a mapped file may: nothing is read behind it. */
static void the_last_block_is_the_end(void **state)
{
    enum { ROOM = 1 << 20 };
    char *const map =
        mmap(NULL, ROOM + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + ROOM, 65536, PROT_NONE), 0);
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(formats) * 3; i++) {
            static const enum dtype round[] = { DT_F32, DT_F16, DT_BF16 };
            const struct ops *const o = &tables[t];
            const enum dtype format = formats[i / 3];
            struct weight w = random_weight(o, format, 67, 512, 64, round[i % 3], 1);
            const size_t bytes = dtype_bytes(format, 67 * 512);
            const size_t before = n_held;

            assert_int_equal(o->get(map + ROOM - bytes, w.data, bytes), 0);
            w.data = o->adopt(map + ROOM - bytes, bytes);
            for (int64_t M = 1; M < 8; M += 5) {
                struct outputs out = { 0 };

                run_all(&out, o, &w, M);
            }
            o->disown(w.data);
            release_from(before);
        }
    munmap(map, ROOM + 65536);
}

/* ---- scales ---- */

static bool is_finite(enum dtype t, const uint8_t *block)
{
    const struct ops *const o = &tables[REF];
    const int64_t n = dtype_block(t);
    const struct weight w = {
        .dtype = t, .data = put_bytes(o, block, dtype_bytes(t, (size_t)n)), .rows = 1, .cols = n
    };
    struct dev *const x = room(o, n);
    int64_t bad;

    assert_int_equal(o->expand(x, &w), 0);
    assert_int_equal(o->find_nonfinite(&bad, x, DT_F32, n), 0);
    return bad < 0;
}

/* Infinity and NaN at each place of a block: it is called bad where an element is not finite. */
static void a_scale_that_is_no_number_is_found(void **state)
{
    enum { BLOCKS = 300, AT = 219 };
    static const uint16_t no_number[] = { 0x7c00, 0xfc00, 0x7e00, 0xfdff };

    (void)state;
    for (int i = 0; i < COUNT(formats); i++) {
        const enum dtype t = formats[i];
        const size_t size = dtype_bytes(t, (size_t)dtype_block(t));
        uint8_t *const p = random_blocks(t, BLOCKS, 60000, 1), *const block = p + AT * size,
                       *const kept = host(size);
        int bad = 0;

        memcpy(kept, block, size);
        assert_int_equal(blocks_first_bad(p, t, BLOCKS), -1);
        assert_int_equal(blocks_first_bad(p, t, 0), -1);
        for (size_t at = 0; at + 2 <= size; at++) {
            memcpy(block + at, &no_number[at % 4], 2);
            const bool finite = is_finite(t, block);

            assert_int_equal(blocks_first_bad(p, t, BLOCKS), finite ? -1 : AT);
            bad += !finite;
            memcpy(block, kept, size);
        }
        assert_true(bad > 0);
        memset(p + 3 * size, 0xff, size);
        memset(p + 298 * size, 0xff, size);
        assert_int_equal(blocks_first_bad(p, t, BLOCKS), 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(values_are_those_of_gguf),
        OP_TEST(ops_see_the_values),
        OP_TEST(ops_agree),
        OP_TEST(large_ops_agree),
        OP_TEST(the_last_block_is_the_end),
        OP_TEST(a_scale_that_is_no_number_is_found),
    };

    return RUN_TESTS(tests);
}
