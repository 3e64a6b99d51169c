/* Rows by number: embed, gather_rows, scatter_rows. */
#include "ops_test.h"

static void rows_go_where_they_are_told(void **state)
{
    static const float x[6] = { 1, 2, 3, 4, 5, 6 }; /* (3, 2) */
    static const int32_t rows[2] = { 2, 0 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const picked = room(o, 4), *const back = put_floats(o, (float[6]){ 0 }, 6);
        const struct dev *const at = put_ints(o, rows, 2);

        assert_int_equal(o->gather_rows(picked, put_floats(o, x, 6), at, 2, 2), 0);
        assert_floats("gathered", get_floats(o, picked, 4), (float[]){ 5, 6, 1, 2 }, 4, 0);
        assert_int_equal(o->scatter_rows(back, picked, 2, at, 2, 2), 0);
        assert_floats("scattered", get_floats(o, back, 6), (float[]){ 1, 2, 0, 0, 5, 6 }, 6, 0);
    }
}

static void rows_may_stand_apart(void **state)
{
    static const float x[8] = { 1, 2, 3, 9, 4, 5, 6, 9 }; /* (2, 3), 4 apart */
    static const int32_t rows[2] = { 2, 0 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        struct dev *const out = put_floats(o, (float[9]){ 0 }, 9);

        assert_int_equal(o->scatter_rows(out, put_floats(o, x, 8), 4, put_ints(o, rows, 2), 2, 3),
                         0);
        assert_floats("scattered", get_floats(o, out, 9), (float[]){ 4, 5, 6, 0, 0, 0, 1, 2, 3 }, 9,
                      0);
    }
}

static void embedding_is_exact_in_every_storage(void **state)
{
    static const float f32[6] = { 0.1f, -2, 1e-30f, 4, 5, 6 }; /* (3, 2) */
    static const uint16_t f16[6] = { 0x3c00, 0xc000, 0x0001, 0x7bff, 0, 0x3555 };
    static const uint16_t bf16[6] = { 0x3f80, 0xc000, 0x0001, 0x7f7f, 0, 0x3eab };
    static const int32_t ids[3] = { 1, 1, 2 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight tablef32 = {
            .dtype = DT_F32, .data = put_floats(o, f32, 6), .rows = 3, .cols = 2
        };
        const struct weight tablef16 = {
            .dtype = DT_F16, .data = put_bytes(o, f16, 12), .rows = 3, .cols = 2
        };
        const struct weight tablebf16 = {
            .dtype = DT_BF16, .data = put_bytes(o, bf16, 12), .rows = 3, .cols = 2
        };
        const struct dev *const at = put_ints(o, ids, 3);
        struct dev *const out = room(o, 6);

        assert_int_equal(o->embed(out, &tablef32, at, 3), 0);
        assert_floats("f32", get_floats(o, out, 6), (float[]){ 1e-30f, 4, 1e-30f, 4, 5, 6 }, 6, 0);
        assert_int_equal(o->embed(out, &tablef16, at, 3), 0);
        assert_floats("f16", get_floats(o, out, 6),
                      (float[]){ 0x1p-24f, 65504, 0x1p-24f, 65504, 0, 0x1.554p-2f }, 6, 0);
        assert_int_equal(o->embed(out, &tablebf16, at, 3), 0);
        assert_floats("bf16", get_floats(o, out, 6),
                      (float[]){ 0x1p-133f, 0x1.fep127f, 0x1p-133f, 0x1.fep127f, 0, 0x1.56p-2f }, 6,
                      0);
    }
}

struct shape {
    int64_t M, rows, C;
};

static const struct shape shapes[] = { { 1, 1, 1 }, { 5, 3, 7 }, { 40, 64, 33 }, { 3, 9, 2560 } };

static int32_t *row_numbers(int64_t M, int64_t rows)
{
    int32_t *const at = host((size_t)M * sizeof *at);

    for (int64_t i = 0; i < M; i++)
        at[i] = (int32_t)((i * 7 + 2) % rows);
    return at;
}

static int32_t *every_other(int64_t M)
{
    int32_t *const at = host((size_t)M * sizeof *at);

    for (int64_t i = 0; i < M; i++)
        at[i] = (int32_t)(2 * (M - 1 - i) + 1);
    return at;
}

static void run_rows(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const struct weight w = random_weight(o, DT_F16, s->rows, s->C, 64, DT_F32, 1);
    const struct dev *const at = put_ints(o, row_numbers(s->M, s->rows), s->M);
    struct dev *const scattered = put_random_act(o, 2 * s->M * s->C, 3);
    struct dev *const embedded = act_room(o, s->M * s->C), *const gathered =
                                                               act_room(o, s->M * s->C);

    assert_int_equal(o->embed(embedded, &w, at, s->M), 0);
    give_act(out, o, "embed", embedded, s->M * s->C);
    assert_int_equal(o->gather_rows(gathered, put_random_act(o, s->rows * s->C, 2), at, s->M, s->C),
                     0);
    give_act(out, o, "gather_rows", gathered, s->M * s->C);
    assert_int_equal(o->scatter_rows(scattered, gathered, s->C,
                                     put_ints(o, every_other(s->M), s->M), s->M, s->C),
                     0);
    give_act(out, o, "scatter_rows", scattered, 2 * s->M * s->C);
}

static void rows_agree(void **state)
{
    (void)state;
    CHECK_OP(run_rows, shapes, 0); /* nothing is computed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(rows_go_where_they_are_told),
        OP_TEST(rows_may_stand_apart),
        OP_TEST(embedding_is_exact_in_every_storage),
        OP_TEST(rows_agree),
    };

    return RUN_TESTS(tests);
}
