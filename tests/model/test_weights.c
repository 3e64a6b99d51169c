/* Weights that do not fit the config, or are damaged: refused by the name of the tensor. */
#include "golden.h"

#include "folder.h"

static struct buf config, file; /* phi-tiny/nf4, or nf4-dq */

static void read_variant(const char *variant)
{
    char part[64];

    buf_free(&config);
    buf_free(&file);
    (void)snprintf(part, sizeof part, "phi-tiny/%s/config.json", variant);
    must(read_file(&config, golden(part), 1 << 20));
    (void)snprintf(part, sizeof part, "phi-tiny/%s/model.safetensors", variant);
    must(read_file(&file, golden(part), 1 << 24));
}

/* Puts TO in the place of the first FROM of the same length. */
static void replace(struct buf *b, const char *from, const char *to)
{
    char *at = memmem(b->p, b->n, from, strlen(from));

    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

/* The bytes of a tensor in the file. */
static uint8_t *data_of(const char *name)
{
    struct tensors *t;
    size_t at;

    must(tensors_parse(&t, "file", (const uint8_t *)file.p, file.n));
    const struct tensor *found = tensors_find(t, name);

    assert_non_null(found);
    at = (size_t)(found->data - (const uint8_t *)file.p);
    tensors_close(t);
    return (uint8_t *)file.p + at;
}

static int open_file(void)
{
    struct model *m;
    struct pack *p;

    folder_write("config.json", config.p, config.n);
    folder_write("model.safetensors", file.p, file.n);
    must(pack_open(&p, folder));
    const int rc = model_open(&m, p, ops_find("ref", 1, DT_F32, DT_F32), DT_F32);

    if (rc == 0)
        model_close(m);
    pack_close(p);
    return rc;
}

static void refused(int code, const char *why)
{
    assert_int_equal(open_file(), -1);
    if (err_code() != code || !strstr(err_text(), why))
        fail_msg("'%s' (%d), wanted '%s' (%d)", err_text(), err_code(), why, code);
}

#define Q "model.layers.0.self_attn.q_proj.weight"

static void test_as_it_is(void **state)
{
    (void)state;
    read_variant("nf4");
    must(open_file());
    read_variant("nf4-dq");
    must(open_file());
}

static void test_missing(void **state)
{
    (void)state;
    read_variant("nf4");
    replace(&file, "model.layers.1.mlp.fc1.bias", "model.layers.1.mlp.fc9.bias");
    refused(EXIT_DATA, "tensor 'model.layers.1.mlp.fc1.bias' is missing");
    read_variant("nf4");
    replace(&file, Q ".absmax", Q ".absmay");
    refused(EXIT_DATA, "tensor '" Q ".absmax' is missing");
}

static void test_left_over(void **state)
{
    (void)state;
    read_variant("nf4");
    replace(&config, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    err_set_talk(0);
    must(open_file()); /* a warning, as in transformers */
    err_set_talk(1);
}

static void test_shapes(void **state)
{
    (void)state;
    read_variant("nf4");
    replace(&config, "\"vocab_size\": 512", "\"vocab_size\": 513");
    refused(EXIT_DATA,
            "tensor 'model.embed_tokens.weight' has shape 512x128, config.json wants 513x128");
    read_variant("nf4");
    replace(&config, "\"intermediate_size\": 512", "\"intermediate_size\": 511");
    refused(EXIT_DATA, "mlp.fc1.weight.quant_state");
    read_variant("nf4");
    replace(&file, "\"shape\":[128],", "\"shape\":[ 64],");
    assert_int_equal(open_file(), -1);
}

static void test_dtypes(void **state)
{
    (void)state;
    read_variant("nf4");
    replace(&file, "\"lm_head.bias\":{\"dtype\":\"F32\"", "\"lm_head.bias\":{\"dtype\":\"I32\"");
    refused(EXIT_DATA, "tensor 'lm_head.bias' is I32");
}

static void test_not_finite(void **state)
{
    static const float nan_value = NAN, inf_value = INFINITY;

    (void)state;
    read_variant("nf4");
    memcpy(data_of("lm_head.weight") + 400, &nan_value, 4);
    refused(EXIT_NUMERIC, "tensor 'lm_head.weight' is not a finite number at element 100");
    read_variant("nf4");
    memcpy(data_of("model.layers.2.input_layernorm.bias"), &inf_value, 4);
    refused(EXIT_NUMERIC, "tensor 'model.layers.2.input_layernorm.bias'");
    read_variant("nf4");
    memcpy(data_of(Q ".absmax") + 8, &nan_value, 4);
    refused(EXIT_NUMERIC, "tensor '" Q ".absmax' is not a finite number at element 2");
    read_variant("nf4-dq");
    memcpy(data_of(Q ".nested_absmax"), &nan_value, 4);
    refused(EXIT_NUMERIC, "tensor '" Q ".absmax'");
}

static void test_quant_state(void **state)
{
    static const struct {
        const char *variant, *from, *to;
        int code;
        const char *why;
    } cases[] = {
        { "nf4", "\"quant_type\": \"nf4\", \"b", "\"quant_type\": \"fp4\", \"b", EXIT_DATA,
          "quant_type" },
        { "nf4", "\"blocksize\": 64", "\"blocksize\": 63", EXIT_DATA, "blocksize" },
        { "nf4", "\"blocksize\": 64", "\"blocksize\": 32", EXIT_DATA, "elements" },
        { "nf4", "\"blocksize\": 64", "\"blocksize\": -4", EXIT_DATA, "blocksize" },
        { "nf4", "\"shape\": [512, 128]", "\"shape\": [128, 512]", EXIT_DATA, "shape is not" },
        { "nf4", "\"shape\": [512, 128]", "\"shapf\": [512, 128]", EXIT_DATA,
          "unknown key 'shapf'" },
        { "nf4", "\"shape\": [512, 128]", "\"shape\": [512, 128[", EXIT_DATA, "quant_state" },
        { "nf4-dq", "\"nested_dtype\": \"float32\"", "\"nested_dtype\": \"float64\"", EXIT_DATA,
          "nested_dtype" },
        { "nf4-dq", "\"nested_blocksize\": 256", "\"nested_blocksize\": 128", EXIT_DATA,
          "nested_absmax" },
        { "nf4-dq", "\"nested_offset\": 0.", "\"nested_offset\": 9e", EXIT_DATA, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        read_variant(cases[i].variant);
        replace(&file, cases[i].from, cases[i].to);
        refused(cases[i].code, cases[i].why);
    }
}

static void test_tables(void **state)
{
    (void)state;
    read_variant("nf4");
    data_of(Q ".quant_map")[3] ^= 1;
    refused(EXIT_NODEVICE, "quant_map' is not the table of NF4 values");
}

static void test_not_announced(void **state)
{
    (void)state;
    read_variant("nf4");
    replace(&config, "\"quantization_config\"", "\"quantization_confiq\"");
    refused(EXIT_DATA, "config.json has no quantization_config");
}

/* The logits after one token of the model in the folder. */
static void logits_of(float logits[512])
{
    const uint32_t id = 9;
    const int32_t row = 0;
    struct batch b = BATCH_INIT;
    struct model *m;
    struct pack *p;

    folder_write("config.json", config.p, config.n);
    folder_write("model.safetensors", file.p, file.n);
    must(pack_open(&p, folder));
    must(model_open(&m, p, ops_find("cpu", 1, DT_F32, DT_F32), DT_F32));
    batch_add(&b, &id, 1, 1, 0, 0);
    must(model_reserve(m, 1, false));
    must(model_infer(m, &b, NULL, &row, 1, logits));
    batch_free(&b);
    model_close(m);
    pack_close(p);
}

static void test_tied(void **state)
{
    const size_t bytes = 512 * 128 * sizeof(float);
    float apart[512], tied[512], other[512];

    (void)state;
    read_variant("nf4");
    logits_of(other);
    memcpy(data_of("lm_head.weight"), data_of("model.embed_tokens.weight"), bytes);
    logits_of(apart);
    memset(data_of("lm_head.weight"), 0, bytes);
    replace(&config, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\":  true");
    logits_of(tied);
    assert_memory_equal(tied, apart, sizeof tied);
    assert_memory_not_equal(tied, other, sizeof tied);
}

static int clean_up(void **state)
{
    (void)state;
    buf_free(&config);
    buf_free(&file);
    folder_remove("config.json");
    folder_remove("model.safetensors");
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_is),      cmocka_unit_test(test_missing),
        cmocka_unit_test(test_left_over),     cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_dtypes),        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_tables),        cmocka_unit_test(test_quant_state),
        cmocka_unit_test(test_not_announced), cmocka_unit_test(test_tied),
    };

    folder_make();
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
