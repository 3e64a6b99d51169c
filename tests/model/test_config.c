/* What config.json may say, in both spellings, and what is refused by its name. */
#include "config_test.h"

/* phi-2 as published in 2024 and as transformers 5 writes it. */
static const char old_spelling[] =
    "{\"model_type\":\"phi\",\"vocab_size\":51200,\"hidden_size\":2560,\"intermediate_size\":10240,"
    "\"num_hidden_layers\":32,\"num_attention_heads\":32,\"partial_rotary_factor\":0.4,\"rope_"
    "theta\":10000.0,"
    "\"rope_scaling\":null,\"qk_layernorm\":false,\"resid_pdrop\":0.1,\"torch_dtype\":\"float16\","
    "\"layer_norm_eps\":1e-05,\"hidden_act\":\"gelu_new\",\"bos_token_id\":50256,\"eos_token_id\":"
    "50256}";
static const char new_spelling[] =
    "{\"model_type\":\"phi\",\"vocab_size\":51200,\"hidden_size\":2560,\"intermediate_size\":10240,"
    "\"num_hidden_layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":32,"
    "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":10000.0,\"partial_rotary_"
    "factor\":0.4},"
    "\"resid_pdrop\":0.1,\"dtype\":\"float16\",\"bos_token_id\":50256,\"eos_token_id\":50256}";

static void test_spellings(void **state)
{
    struct config a, b;

    (void)state;
    must(load(&a, old_spelling, NULL));
    must(load(&b, new_spelling, NULL));
    for (int i = 0; i < 2; i++) {
        const struct config *c = i ? &b : &a;

        assert_int_equal(c->vocab, 51200);
        assert_int_equal(c->dim, 2560);
        assert_int_equal(c->kv_heads, 32);
        assert_int_equal(c->head_dim, 80);
        assert_int_equal(c->rope.rot, 32);
        assert_int_equal(c->dtype, DT_F16);
        assert_true(c->resid_pdrop == 0.1f && c->rope.theta == 10000.0f && c->norm_eps == 1e-5f);
        assert_int_equal(c->stops, 1);
        assert_int_equal(c->stop[0], 50256);
        assert_int_equal(c->bos, 50256);
        assert_false(c->quant.present || c->tied);
    }
}

static void test_defaults(void **state)
{
    struct config c;

    (void)state;
    must(load(&c, "{\"model_type\":\"phi\"}", NULL));
    assert_int_equal(c.vocab, 51200);
    assert_int_equal(c.dim, 2048);
    assert_int_equal(c.inner, 8192);
    assert_int_equal(c.layers, 24);
    assert_int_equal(c.head_dim, 64);
    assert_int_equal(c.rope.rot, 32); /* factor 0.5 */
    assert_int_equal(c.max_positions, 2048);
    assert_int_equal(c.stop[0], 2);
    assert_true(c.resid_pdrop == 0 && c.norm_eps == 1e-5f && c.dtype == DT_F32);
}

static void test_stops(void **state)
{
    struct config c;

    (void)state;
    must(load(&c, old_spelling, "{\"eos_token_id\":[1,2,3]}"));
    assert_int_equal(c.stops, 3);
    assert_int_equal(c.stop[2], 3);
    must(load(&c, old_spelling, "{\"eos_token_id\":null}"));
    assert_int_equal(c.stops, 0);
    must(load(&c, old_spelling, "{\"bos_token_id\":5}"));
    assert_int_equal(c.stops, 0); /* as transformers 5.23 does */
    assert_int_equal(c.bos, 50256);
    assert_int_equal(load(&c, old_spelling, "{\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}"), -1);
    assert_int_equal(load(&c, old_spelling, "{\"eos_token_id\":\"x\"}"), -1);
    assert_int_equal(load(&c, old_spelling, "{\"eos_token_id\":-1}"), -1);
    assert_int_equal(load(&c, old_spelling, "{\"eos_token_id\":1.5}"), -1);
    assert_int_equal(load(&c, old_spelling, "{\"eos_token_id\":51200}"), -1);
    assert_non_null(strstr(err_text(), "eos_token_id 51200 is outside the vocabulary of 51200"));
}

static void test_quantization(void **state)
{
    struct config c;

    (void)state;
    must(load(
        &c,
        "{\"model_type\":\"phi\",\"quantization_config\":{\"quant_method\":\"bitsandbytes\","
        "\"load_in_4bit\":true,\"bnb_4bit_quant_type\":\"nf4\",\"bnb_4bit_use_double_quant\":true,"
        "\"bnb_4bit_compute_dtype\":\"bfloat16\",\"llm_int8_skip_modules\":null}}",
        NULL));
    assert_true(c.quant.present && c.quant.nested);
    assert_int_equal(c.quant.compute, DT_BF16);
}

#define PHI     "{\"model_type\":\"phi\","
#define LLAMA   "{\"model_type\":\"llama\","
#define MISTRAL "{\"model_type\":\"mistral\","

static void test_refused(void **state)
{
    static const struct {
        const char *config;
        int code;
        const char *why;
    } cases[] = {
        { "[]", EXIT_DATA, "not an object" },
        { "{}", EXIT_DATA, "model_type is missing" },
        { "{\"model_type\":3}", EXIT_DATA, "model_type" },
        { "{\"model_type\":\"gemma\"}", EXIT_NODEVICE, "'gemma'" },
        { PHI "\"hidden_size\":0}", EXIT_DATA, "hidden_size" },
        { PHI "\"hidden_size\":-2560}", EXIT_DATA, "hidden_size" },
        { PHI "\"hidden_size\":2560.5}", EXIT_DATA, "hidden_size" },
        { PHI "\"hidden_size\":\"2560\"}", EXIT_DATA, "hidden_size" },
        { PHI "\"hidden_size\":1e30}", EXIT_DATA, "hidden_size" },
        { PHI "\"vocab_size\":99999999999}", EXIT_DATA, "vocab_size" },
        { PHI "\"num_hidden_layers\":100000}", EXIT_DATA, "num_hidden_layers" },
        { PHI "\"max_position_embeddings\":9007199254740991}", EXIT_DATA,
          "max_position_embeddings" },
        { PHI "\"hidden_size\":100,\"num_attention_heads\":3}", EXIT_DATA, "num_attention_heads" },
        { PHI "\"num_key_value_heads\":5}", EXIT_DATA, "num_key_value_heads" },
        { PHI "\"num_key_value_heads\":64}", EXIT_DATA, "num_key_value_heads" },
        { PHI "\"partial_rotary_factor\":0.43}", EXIT_DATA, "27 rotary dimensions" },
        { PHI "\"partial_rotary_factor\":0}", EXIT_DATA, "partial_rotary_factor" },
        { PHI "\"partial_rotary_factor\":1.5}", EXIT_DATA, "partial_rotary_factor" },
        { PHI "\"partial_rotary_factor\":0.01}", EXIT_DATA, "0 rotary dimensions" },
        { PHI "\"rope_theta\":0}", EXIT_DATA, "rope_theta" },
        { PHI "\"rope_theta\":-1}", EXIT_DATA, "rope_theta" },
        { PHI "\"rope_theta\":1e-300}", EXIT_DATA, "rope_theta 1e-300" },
        { PHI "\"rope_theta\":1e-30}", EXIT_DATA, "rope_theta" },
        { PHI "\"rope_theta\":1e999}", EXIT_DATA, "rope_theta" },
        { PHI "\"rope_theta\":Infinity}", EXIT_DATA, "config.json" },
        { PHI "\"rope_parameters\":{\"rope_theta\":1e-300}}", EXIT_DATA, "rope_theta" },
        { PHI "\"vocab_size\":512,\"eos_token_id\":512}", EXIT_DATA, "eos_token_id 512" },
        { PHI "\"vocab_size\":512,\"eos_token_id\":[3,50256]}", EXIT_DATA, "eos_token_id 50256" },
        { PHI "\"eos_token_id\":-1}", EXIT_DATA, "eos_token_id" },
        { PHI "\"vocab_size\":512,\"bos_token_id\":600}", EXIT_DATA, "bos_token_id 600" },
        { PHI "\"bos_token_id\":-1}", EXIT_DATA, "bos_token_id" },
        { PHI "\"max_position_embeddings\":0}", EXIT_DATA, "max_position_embeddings" },
        { PHI "\"num_attention_heads\":0}", EXIT_DATA, "num_attention_heads" },
        { PHI "\"num_hidden_layers\":0}", EXIT_DATA, "num_hidden_layers" },
        { PHI "\"vocab_size\":0}", EXIT_DATA, "vocab_size" },
        { PHI "\"head_dim\":0}", EXIT_DATA, "head_dim" },
        { PHI "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}", EXIT_NODEVICE, "'dynamic'" },
        { PHI "\"rope_scaling\":{\"type\":\"linear\"}}", EXIT_DATA, "factor is missing" },
        { PHI "\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", EXIT_DATA, "factor 0" },
        { LLAMA "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
                "\"high_freq_factor\":4,\"original_max_position_embeddings\":64}}",
          EXIT_DATA, "high_freq_factor" },
        { LLAMA "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
                "\"high_freq_factor\":4}}",
          EXIT_DATA, "original_max_position_embeddings is missing" },
        { LLAMA "\"rms_norm_eps\":0}", EXIT_DATA, "rms_norm_eps" },
        { LLAMA "\"hidden_act\":\"relu\"}", EXIT_NODEVICE, "'relu'" },
        { LLAMA "\"attention_bias\":1}", EXIT_DATA, "attention_bias" },
        { MISTRAL "\"sliding_window\":0}", EXIT_DATA, "sliding_window" },
        { MISTRAL "\"layer_types\":[\"full_attention\"]}", EXIT_DATA, "layer_types" },
        { MISTRAL "\"num_hidden_layers\":1,\"layer_types\":[\"chunked_attention\"]}", EXIT_NODEVICE,
          "'chunked_attention'" },
        { PHI "\"rope_parameters\":{\"rope_type\":\"yarn\"}}", EXIT_NODEVICE, "'yarn'" },
        { PHI "\"rope_parameters\":7}", EXIT_DATA, "rope_parameters" },
        { PHI "\"hidden_act\":\"relu\"}", EXIT_NODEVICE, "'relu'" },
        { PHI "\"qk_layernorm\":true}", EXIT_NODEVICE, "qk_layernorm" },
        { PHI "\"resid_pdrop\":1.0}", EXIT_DATA, "resid_pdrop" },
        { PHI "\"resid_pdrop\":0.9999999999}", EXIT_DATA, "resid_pdrop" },
        { PHI "\"layer_norm_eps\":0}", EXIT_DATA, "layer_norm_eps" },
        { PHI "\"layer_norm_eps\":-1e-5}", EXIT_DATA, "layer_norm_eps" },
        { PHI "\"layer_norm_eps\":1e-300}", EXIT_DATA, "layer_norm_eps 1e-300" },
        { PHI "\"layer_norm_eps\":1e999}", EXIT_DATA, "layer_norm_eps" },
        { PHI "\"layer_norm_eps\":NaN}", EXIT_DATA, "config.json" },
        { PHI "\"torch_dtype\":\"int8\"}", EXIT_DATA, "'int8'" },
        { PHI "\"quantization_config\":{\"quant_method\":\"gptq\"}}", EXIT_NODEVICE, "'gptq'" },
        { PHI "\"quantization_config\":{\"load_in_8bit\":true}}", EXIT_NODEVICE, "load_in_4bit" },
        { PHI "\"quantization_config\":{\"load_in_4bit\":true}}", EXIT_NODEVICE, "'fp4'" },
        { PHI "\"quantization_config\":{\"load_in_4bit\":true,\"bnb_4bit_quant_type\":\"nf4\","
              "\"bnb_4bit_quant_storage\":\"bfloat16\"}}",
          EXIT_NODEVICE, "'bfloat16'" },
        { PHI "\"vocab_size\":1,\"vocab_size\":0}", EXIT_DATA, "vocab_size" }, /* the last counts */
        { PHI "\"vocab_size\":1,}", EXIT_DATA, "config.json" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].config, cases[i].code, cases[i].why);
}

static void test_no_config(void **state)
{
    struct config c;
    struct pack *p;

    (void)state;
    folder_remove("config.json");
    folder_write("generation_config.json", "{}", 2);
    must(pack_open(&p, folder));
    assert_int_equal(config_load(&c, p), -1);
    assert_int_equal(err_code(), EXIT_NOINPUT);
    pack_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_stops),     cmocka_unit_test(test_quantization),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_no_config),
    };

    folder_make();
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
