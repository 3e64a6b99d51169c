/* What a run needs to go on: arrays that come back bit for bit, and the room that an adapter takes.
 */
#include "lora_test.h"

#include "pack.h"

#include <sys/stat.h>
#include <unistd.h>

static struct golden g;

static int open_model(void **state)
{
    (void)state;
    golden_open(&g, "phi-tiny", "cpu", "nf4");
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    golden_close(&g);
    return 0;
}

static struct lora_set *make(uint32_t seed)
{
    const struct lora_options opt = {
        .rank = 5, .alpha = 16, .targets = "all-linear", .init = "gaussian"
    };
    struct lora_set *l;

    must(lora_new(&l, model_ops(g.model), model_modules(g.model), &opt, seed));
    return l;
}

static void arrays_come_back_in_pieces(void **state)
{
    struct lora_set *l = make(1);
    float *in = xnmalloc((size_t)l->params, sizeof *in);
    float *out = xnmalloc((size_t)l->params, sizeof *out);

    (void)state;
    for (int which = 0; which < LORA_ARRAYS; which++) {
        for (int64_t i = 0; i < l->params; i++)
            in[i] = (float)i + 0.25f * (float)which;
        must(lora_put(l, (enum lora_array)which, 64, in + 64, l->params - 64));
        must(lora_put(l, (enum lora_array)which, 0, in, 64));
    }
    for (int which = 0; which < LORA_ARRAYS; which++) { /* each is an array of its own */
        must(lora_get(l, (enum lora_array)which, 0, out, 128));
        must(lora_get(l, (enum lora_array)which, 128, out + 128, l->params - 128));
        for (int64_t i = 0; i < l->params; i++)
            assert_true(out[i] == (float)i + 0.25f * (float)which);
    }
    free(in);
    free(out);
    lora_free(l);
}

static void one_bit_makes_another_set(void **state)
{
    struct lora_set *a = make(1), *b = make(1), *other = make(2);
    float last[64];

    (void)state;
    assert_int_equal(lora_same(a, b), 1);
    assert_int_equal(lora_same(a, other), 0);
    must(lora_get(b, LORA_WEIGHTS, b->params - 64, last, 64));
    last[0] = nextafterf(last[0], 9);
    must(lora_put(b, LORA_WEIGHTS, b->params - 64, last, 64));
    assert_int_equal(lora_same(a, b), 0);
    lora_free(a);
    lora_free(b);
    lora_free(other);
}

static void an_adapter_takes_no_more_room_than_is_said(void **state)
{
    char path[] = P_tmpdir "/test_lora_state.XXXXXX.tar";
    const struct lora_origin from = {
        "some/base", "[{\"tool\": \"lora-train\", \"options\": [], \"version\": \"1\"}]"
    };
    struct lora_set *l = make(1);
    struct pack_writer *out;
    struct stat st;

    (void)state;
    (void)close(mkstemps(path, 4));
    must(pack_create(&out, path, true, 3, lora_files));
    must(lora_save(l, model_weights(g.model), out, &from));
    must(pack_commit(out));
    assert_int_equal(stat(path, &st), 0);
    assert_true((uint64_t)st.st_size <= lora_bytes(l, &from));
    assert_true(lora_bytes(l, &from) <= (uint64_t)st.st_size + 512 * (uint64_t)l->n + (1 << 14));
    (void)unlink(path);
    lora_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_come_back_in_pieces),
        cmocka_unit_test(one_bit_makes_another_set),
        cmocka_unit_test(an_adapter_takes_no_more_room_than_is_said),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
