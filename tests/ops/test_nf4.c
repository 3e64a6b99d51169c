/* NF4: codes and scales as bitsandbytes makes them. Files of the real library: tests/parity. */
#include "nf4_code.h"
#include "ops_test.h"

static const float value[16] = NF4_VALUES;
static const float threshold[15] = NF4_THRESHOLDS;

static void thresholds_are_the_floats_nearest_to_midpoints(void **state)
{
    (void)state;
    for (int i = 0; i < 15; i++)
        assert_true(threshold[i] == (float)(((double)value[i] + value[i + 1]) / 2));
}

struct quantised {
    uint8_t code[512]; /* one a byte */
    float absmax[16];
};

static struct quantised quantise(const struct ops *o, const void *x, enum dtype dtype, int64_t n,
                                 int block, int zero_code)
{
    const int64_t bytes = (n + 1) / 2, blocks = (n + block - 1) / block;
    struct dev *const codes = hold(o, o->alloc((size_t)bytes)), *const absmax = room(o, blocks);
    struct quantised q;
    uint8_t pairs[256];

    assert_int_equal(o->nf4_quantize(codes, absmax, put_bytes(o, x, (size_t)n * dtype_size(dtype)),
                                     dtype, n, block, zero_code),
                     0);
    assert_int_equal(o->get(pairs, codes, (size_t)bytes), 0);
    assert_int_equal(o->get(q.absmax, absmax, (size_t)blocks * sizeof *q.absmax), 0);
    for (int64_t i = 0; i < 2 * bytes; i++)
        q.code[i] = i % 2 ? pairs[i / 2] & 15 : pairs[i / 2] >> 4;
    return q;
}

/* Every value gets its own code; a threshold itself gets the lower one, the next float the upper.
 */
static void ties_go_to_the_lower_code(void **state)
{
    float x[64] = { 0 };

    (void)state;
    memcpy(x, value, sizeof value);
    for (int i = 0; i < 15; i++) {
        x[16 + 2 * i] = threshold[i];
        x[17 + 2 * i] = nextafterf(threshold[i], 2);
    }
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int zero_code = 0; zero_code <= 7; zero_code += 7) {
            const struct quantised q = quantise(&tables[t], x, DT_F32, 64, 64, zero_code);

            assert_true(q.absmax[0] == 1);
            for (int i = 0; i < 16; i++)
                assert_int_equal(q.code[i], i);
            for (int i = 0; i < 15; i++) {
                assert_int_equal(q.code[16 + 2 * i], i);
                assert_int_equal(q.code[17 + 2 * i], i + 1);
            }
        }
}

static bool over(float scaled)
{
    return scaled > threshold[14];
}

/* A weight whose quotient by SCALE lies on one side of the last threshold and whose product with
 * the reciprocal lies on the other; 0 when SCALE has none. */
static float split_weight(float scale)
{
    const float near = scale * threshold[14];
    float w = nextafterf(nextafterf(near, 0), 0);

    for (int i = 0; i < 5; i++, w = nextafterf(w, 1))
        if (over(w / scale) != over(w * (1.0f / scale)))
            return w;
    return 0;
}

static void full_blocks_multiply_and_short_ones_divide(void **state)
{
    float x[64] = { 0.5f };

    (void)state;
    while (x[1] == 0 && x[0] < 1) {
        x[0] = nextafterf(x[0], 1);
        x[1] = split_weight(x[0]);
    }
    const int by_product = over(x[1] * (1.0f / x[0])) ? 15 : 14, by_quotient = 29 - by_product;

    assert_true(x[1] > 0);
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];

        assert_int_equal(quantise(o, x, DT_F32, 64, 64, 7).code[1], by_product);
        assert_int_equal(quantise(o, x, DT_F32, 64, 64, 0).code[1], by_product);
        assert_int_equal(quantise(o, x, DT_F32, 10, 64, 7).code[1], by_quotient);
        assert_int_equal(quantise(o, x, DT_F32, 10, 64, 0).code[1], by_product);
    }
}

static void zero_blocks_follow_cpu_or_cuda(void **state)
{
    static const float x[70] = { 0 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct quantised cpu = quantise(&tables[t], x, DT_F32, 69, 64, 7);
        const struct quantised cuda = quantise(&tables[t], x, DT_F32, 69, 64, 0);

        for (int i = 0; i < 70; i++) {
            assert_int_equal(cpu.code[i], 7);
            assert_int_equal(cuda.code[i], 0);
        }
        assert_true(cpu.absmax[0] == 0 && cpu.absmax[1] == 1e-38f);
        assert_true(cuda.absmax[0] == 0 && cuda.absmax[1] == 0);
    }
}

static void an_odd_end_is_padded_with_zero(void **state)
{
    static const float x[3] = { 4, -4, 4 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct quantised q = quantise(&tables[t], x, DT_F32, 3, 64, 7);

        assert_int_equal(q.code[0], 15);
        assert_int_equal(q.code[1], 0);
        assert_int_equal(q.code[2], 15);
        assert_int_equal(q.code[3], 7);
        assert_true(q.absmax[0] == 4);
    }
}

static void half_types_are_read_exactly(void **state)
{
    static const uint16_t f16[2] = { 0xc000, 0x0001 },
                          bf16[2] = { 0xc000, 0x0001 }; /* -2; smallest */

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct quantised a = quantise(&tables[t], f16, DT_F16, 2, 64, 7);
        const struct quantised b = quantise(&tables[t], bf16, DT_BF16, 2, 64, 7);

        assert_true(a.absmax[0] == 2 && a.code[0] == 0 && a.code[1] == 7);
        assert_true(b.absmax[0] == 2 && b.code[0] == 0 && b.code[1] == 7);
    }
}

/* For each half as the scale, halves around each threshold times it: the four nearest. */
static uint16_t *halves_at_thresholds(enum dtype dtype, int scales)
{
    uint16_t *const x = host((size_t)scales * 64 * sizeof *x);

    for (int s = 0; s < scales; s++) {
        const float scale = dtype == DT_F16 ? f32_of_f16((uint16_t)s) : f32_of_bf16((uint16_t)s);
        uint16_t *const block = x + 64 * s;

        memset(block, 0, 64 * sizeof *block);
        block[60] = (uint16_t)(s | 0x8000 * (s % 2));
        for (int i = 0; i < 60; i++) {
            const float near = scale * threshold[i / 4];
            const uint16_t h = dtype == DT_F16 ? f16_of_f32(near) : bf16_of_f32(near);
            const int size = (h & 0x7fff) - 2 + i % 4;

            block[i] = (uint16_t)((h & 0x8000) | (size < 0 ? 0 : size > s ? s : size));
        }
    }
    return x;
}

/* Every finite half is a scale; blocks of 32 and 128 share the work of 64. */
static void halves_have_the_codes_of_their_floats(void **state)
{
    (void)state;
    for (int brain = 0; brain < 2; brain++)
        for (int block = 32; block <= 128; block *= 2) {
            const enum dtype dtype = brain ? DT_BF16 : DT_F16;
            const int scales = brain ? 0x7f80 : 0x7c00, n = 64 * scales;
            const void *const x = halves_at_thresholds(dtype, scales);
            const size_t before = n_held;
            void *want[2] = { NULL, NULL };

            for (int t = use(REF); t < TABLES; t = use(t + 1)) {
                const struct ops *const o = &tables[t];
                struct dev *const codes = hold(o, o->alloc((size_t)n / 2));
                struct dev *const absmax = room(o, n / block);
                void *const got[2] = { host((size_t)n / 2), host((size_t)(n / block) * 4) };

                assert_int_equal(o->nf4_quantize(codes, absmax, put_bytes(o, x, (size_t)n * 2),
                                                 dtype, n, block, 7 * (block == 64)),
                                 0);
                assert_int_equal(o->get(got[0], codes, (size_t)n / 2), 0);
                assert_int_equal(o->get(got[1], absmax, (size_t)(n / block) * 4), 0);
                for (int i = 0; i < 2; i++)
                    want[i] = want[i] ? want[i] : got[i];
                assert_memory_equal(got[0], want[0], (size_t)n / 2);
                assert_memory_equal(got[1], want[1], (size_t)(n / block) * 4);
            }
            release_from(before);
        }
}

/* One value in one of three blocks: the last is short. */
static void a_scale_is_finite_where_its_weights_are(void **state)
{
    static const uint32_t not_finite[2] = { 0x7f800000, 0xffc00001 };
    enum { N = 64 + 64 + 24 };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < 3 * 2 * N; i++) {
            static const enum dtype dtypes[3] = { DT_F32, DT_F16, DT_BF16 };
            const enum dtype dtype = dtypes[i / (2 * N)];
            const int bad = i % N;
            float x[N] = { 0 };
            uint16_t half[N] = { 0 };

            memcpy(&x[bad], &not_finite[i / N % 2], sizeof *x);
            half[bad] = dtype == DT_F16 ? f16_of_f32(x[bad]) : bf16_of_f32(x[bad]);
            const struct quantised q =
                quantise(&tables[t], dtype == DT_F32 ? (void *)x : half, dtype, N, 64, i % 2 * 7);

            for (int b = 0; b < 3; b++)
                assert_int_equal(!isfinite(q.absmax[b]), b == bad / 64);
        }
}

/* Three elements of a 1x3 matrix; the second row of codes checks the single rounding: 0.6961928
 * times 3 is 2.0885785, whose neighbours in float16 are 2.08789 and 2.08984, in bfloat16 2.07812
 * and 2.09375. */
static void expansion_is_a_product_rounded_once(void **state)
{
    static const uint8_t codes[2] = { 0x1f, 0x80 };
    static const float absmax[1] = { 3 };
    static const struct {
        enum dtype round;
        float want[3];
    } expected[] = {
        { DT_F32, { -0.6961928009986877f * 3, 3, 0.07958029955625534f * 3 } },
        { DT_F16, { -2.08789062f, 3, 0.238769531f } },
        { DT_BF16, { -2.09375f, 3, 0.238281250f } },
    };

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1))
        for (int i = 0; i < COUNT(expected); i++) {
            const struct ops *const o = &tables[t];
            const struct weight w = {
                DT_NF4, put_bytes(o, codes, 2), put_floats(o, absmax, 1), 1, 3,
                64,     expected[i].round
            };
            struct dev *const out = room(o, 3);

            assert_int_equal(o->expand(out, &w), 0);
            assert_floats("expanded", get_floats(o, out, 3), expected[i].want, 3, 0);
        }
}

static void not_finite_is_found_first(void **state)
{
    enum { N = 10007 };
    float *const x = random_floats(N, 1);
    int64_t bad;

    (void)state;
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        static const uint16_t f16[3] = { 0x3c00, 0x7bff, 0xfc00 },
                              bf16[3] = { 0x3c00, 0x7f81, 0x7f80 };
        const struct ops *const o = &tables[t];

        x[9000] = x[9999] = 1;
        assert_int_equal(o->find_nonfinite(&bad, put_floats(o, x, N), DT_F32, N), 0);
        assert_int_equal(bad, -1);
        x[9000] = NAN;
        x[9999] = -INFINITY;
        assert_int_equal(o->find_nonfinite(&bad, put_floats(o, x, N), DT_F32, N), 0);
        assert_int_equal(bad, 9000);
        assert_int_equal(o->find_nonfinite(&bad, put_bytes(o, f16, 6), DT_F16, 3), 0);
        assert_int_equal(bad, 2);
        assert_int_equal(o->find_nonfinite(&bad, put_bytes(o, bf16, 6), DT_BF16, 3), 0);
        assert_int_equal(bad, 1);
    }
}

/* Blocks of 32 over a (2, 33) matrix: the second row begins inside the second block. */
static void blocks_run_over_the_flattened_matrix(void **state)
{
    static const float absmax[3] = { 1, 2, 3 };
    uint8_t codes[33];
    float want[66];

    (void)state;
    memset(codes, 0xff, sizeof codes);
    for (int i = 0; i < 66; i++)
        want[i] = absmax[i / 32];
    for (int t = use(REF); t < TABLES; t = use(t + 1)) {
        const struct ops *const o = &tables[t];
        const struct weight w = {
            DT_NF4, put_bytes(o, codes, 33), put_floats(o, absmax, 3), 2, 33, 32, DT_F32
        };
        struct dev *const out = room(o, 66);

        assert_int_equal(o->expand(out, &w), 0);
        assert_floats("expanded", get_floats(o, out, 66), want, 66, 0);
    }
}

struct matrix {
    enum dtype dtype;
    int64_t rows, cols;
    int block;
    enum dtype round;
};

/* One element; rows that are not whole blocks; odd products; Phi-2's width; other blocks. */
static const struct matrix matrices[] = {
    { DT_NF4, 1, 1, 64, DT_F32 },      { DT_NF4, 3, 7, 64, DT_F32 },
    { DT_NF4, 160, 160, 64, DT_F32 },  { DT_NF4, 37, 95, 64, DT_F16 },
    { DT_NF4, 7, 2560, 64, DT_BF16 },  { DT_NF4, 5, 90, 32, DT_F32 },
    { DT_NF4, 3, 3001, 4096, DT_F32 }, { DT_F32, 5, 33, 64, DT_F32 },
    { DT_F16, 5, 33, 64, DT_F32 },     { DT_BF16, 5, 33, 64, DT_F32 },
};

static void run_expand(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct matrix *const m = shape;
    const struct weight w = random_weight(o, m->dtype, m->rows, m->cols, m->block, m->round, 3);
    struct dev *const y = room(o, m->rows * m->cols);

    assert_int_equal(o->expand(y, &w), 0);
    give(out, o, "expanded", y, m->rows * m->cols);
}

static void expansion_agrees(void **state)
{
    (void)state;
    CHECK_OP(run_expand, matrices,
             0); /* a look-up and one product: exact, and so is the quantiser */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OP_TEST(thresholds_are_the_floats_nearest_to_midpoints),
        OP_TEST(ties_go_to_the_lower_code),
        OP_TEST(full_blocks_multiply_and_short_ones_divide),
        OP_TEST(zero_blocks_follow_cpu_or_cuda),
        OP_TEST(an_odd_end_is_padded_with_zero),
        OP_TEST(half_types_are_read_exactly),
        OP_TEST(halves_have_the_codes_of_their_floats),
        OP_TEST(a_scale_is_finite_where_its_weights_are),
        OP_TEST(expansion_is_a_product_rounded_once),
        OP_TEST(blocks_run_over_the_flattened_matrix),
        OP_TEST(not_finite_is_found_first),
        OP_TEST(expansion_agrees),
    };

    return RUN_TESTS(tests);
}
