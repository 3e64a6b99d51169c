/* Logits of whole records, packed into one batch, against transformers and bitsandbytes. */
#include "golden.h"

#include "files/adapter.h"
#include "skip.h"
#include "whole.h"

/* What summing in another order may change where logits are about 5 in size. */
static double tolerance(const struct ops *ops)
{
    return strcmp(ops->name, "ref") == 0 ? 1e-5 : 5e-5;
}

/* The largest difference from the recorded logits of TAG; -1 when the file has none of them. */
static double worst_difference(struct model *m, const char *name, const char *tag)
{
    static struct golden_record rec[16];
    const int n = golden_records(rec, 16, name, "test");
    const int64_t V = model_config(m)->vocab;
    struct golden_file want;
    struct batch b = BATCH_INIT;
    double worst = -1;

    golden_open(&want, name, "logits.safetensors");
    for (int i = 0; i < n; i++)
        add_whole(&b, rec[i].ids, rec[i].n);
    must(model_reserve(m, b.tokens, false));
    int32_t *rows = xnmalloc((size_t)b.tokens, sizeof *rows);
    float *got = xnmalloc((size_t)(b.tokens * V), sizeof *got);
    for (int32_t i = 0; i < (int32_t)b.tokens; i++)
        rows[i] = i;
    must(model_infer(m, &b, NULL, rows, b.tokens, got));
    for (int i = 0; i < n; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "%s/%d", tag, rec[i].id);
        const struct tensor *t = tensors_find(want.tensors, key);
        const float *mine = got + (int64_t)b.seq[i].q_start * V;

        if (!t)
            continue;
        assert_int_equal(t->n, rec[i].n * V);
        for (int64_t j = 0; j < t->n; j++)
            worst = fmax(worst,
                         fabs((double)mine[j] - (double)((const float *)(const void *)t->data)[j]));
    }
    free(rows);
    free(got);
    batch_free(&b);
    golden_close(&want);
    return worst;
}

/* ADAPTER NULL: the base model. */
static void agree_on(const char *device, const char *name, const char *variant, const char *adapter,
                     const char *tag)
{
    const struct ops *ops = ops_find(device, 0, DT_F32, DT_F32);
    struct lora_set *lora = NULL;
    struct model *m;
    struct pack *p, *q = NULL;
    char part[128];

    assert_non_null(ops);
    (void)snprintf(part, sizeof part, "%s/%s", name, variant);
    must(pack_open(&p, golden(part)));
    must(model_open(&m, p, ops, DT_F32));
    if (adapter) {
        (void)snprintf(part, sizeof part, "%s/%s", name, adapter);
        must(pack_open(&q, golden(part)));
        must(lora_load(&lora, model_weights(m), q, false));
        model_use_lora(m, lora);
    }
    const double worst = worst_difference(m, name, tag);

    print_message("# %s %s %s: largest difference %.3g\n", device, name, tag, worst);
    assert_true(worst >= 0 && worst <= tolerance(ops));
    model_close(m);
    lora_free(lora);
    pack_close(q);
    pack_close(p);
}

static void logits_agree(const char *name, const char *variant, const char *adapter,
                         const char *tag)
{
    char part[128];

    (void)snprintf(part, sizeof part, "%s/%s", name, variant);
    if (!golden(part))
        SKIP("no ../shared/golden beside the project");
    agree_on("ref", name, variant, adapter, tag);
    agree_on("cpu", name, variant, adapter, tag);
}

static void test_tiny_base(void **state)
{
    (void)state;
    logits_agree("phi-tiny", "model", NULL, "base");
}

static void test_tiny_nf4(void **state)
{
    (void)state;
    logits_agree("phi-tiny", "nf4", NULL, "nf4");
}

static void test_tiny_nf4_nested(void **state)
{
    (void)state;
    logits_agree("phi-tiny", "nf4-dq", NULL, "nf4dq");
}

static void test_odd_base(void **state)
{
    (void)state;
    logits_agree("phi-odd", "model", NULL, "base");
}

static void test_odd_nf4(void **state)
{
    (void)state;
    logits_agree("phi-odd", "nf4", NULL, "nf4");
}

static void test_odd_nf4_nested(void **state)
{
    (void)state;
    logits_agree("phi-odd", "nf4-dq", NULL, "nf4dq");
}

static void test_half_base(void **state)
{
    (void)state;
    logits_agree("phi-half", "model", NULL, "base");
}

static void test_half_nf4(void **state)
{
    (void)state;
    logits_agree("phi-half", "nf4", NULL, "nf4");
}

static void test_half_nf4_nested(void **state)
{
    (void)state;
    logits_agree("phi-half", "nf4-dq", NULL, "nf4dq");
}

static void test_tiny_adapted(void **state)
{
    (void)state;
    logits_agree("phi-tiny", "nf4", "adapter-final", "adapted");
}

static void test_odd_adapted(void **state)
{
    (void)state;
    logits_agree("phi-odd", "nf4", "adapter-final", "adapted");
}

/* Of each family what is there: 4-bit files with nested scales are not kept of all. */
static void test_families(void **state)
{
    static const char *const families[] = { "llama-odd", "mistral-tiny", "qwen2-odd", "qwen3-odd",
                                            "phi3-odd",  "llama-tiny",   "phi3-tiny" };
    char part[64];

    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        (void)snprintf(part, sizeof part, "%s/model", families[i]);
        if (!golden(part))
            continue; /* the last two are only beside the project */
        logits_agree(families[i], "model", NULL, "base");
        logits_agree(families[i], "nf4", NULL, "nf4");
        logits_agree(families[i], "nf4", "adapter-final", "adapted");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_base),       cmocka_unit_test(test_tiny_nf4),
        cmocka_unit_test(test_tiny_nf4_nested), cmocka_unit_test(test_tiny_adapted),
        cmocka_unit_test(test_odd_base),        cmocka_unit_test(test_odd_nf4),
        cmocka_unit_test(test_odd_nf4_nested),  cmocka_unit_test(test_odd_adapted),
        cmocka_unit_test(test_half_base),       cmocka_unit_test(test_half_nf4),
        cmocka_unit_test(test_half_nf4_nested), cmocka_unit_test(test_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
