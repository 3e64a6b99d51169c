/* What config.json may say of each family, as it is published and as transformers 5 writes it. */
#include "config_test.h"
#include "skip.h"

static void loads(struct config *c, const char *config)
{
    if (load(c, config, NULL) < 0)
        fail_msg("%s: %s", config, err_text());
}

/* Absent keys are those of transformers' config classes. */
static void test_defaults(void **state)
{
    static const struct {
        const char *type;
        int64_t vocab, inner, kv_heads, head_dim, window;
        int stops;
        double eps;
    } want[] = {
        { "llama", 32000, 11008, 32, 128, 0, 1, 1e-6 },
        { "mistral", 32000, 14336, 8, 128, 4096, 1, 1e-6 },
        { "qwen2", 151936, 22016, 32, 128, 0, 0, 1e-6 },
        { "qwen3", 151936, 22016, 32, 128, 0, 0, 1e-6 },
        { "phi3", 32064, 8192, 32, 96, 0, 1, 1e-5 },
        { "phi-msft", 50304, 4096, 16, 64, 0, 0, 1e-5 },
        { "mixformer-sequential", 50304, 4096, 16, 64, 0, 0, 1e-5 },
    };
    char text[64];
    struct config c;

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        (void)snprintf(text, sizeof text, "{\"model_type\":\"%s\"}", want[i].type);
        loads(&c, text);
        assert_int_equal(c.vocab, want[i].vocab);
        assert_int_equal(c.inner, want[i].inner);
        assert_int_equal(c.kv_heads, want[i].kv_heads);
        assert_int_equal(c.head_dim, want[i].head_dim);
        assert_int_equal(c.window, want[i].window);
        assert_int_equal(c.stops, want[i].stops);
        assert_true(c.norm_eps == (float)want[i].eps);
        assert_true(c.rope.theta == 10000 && c.rope.kind == ROPE_DEFAULT && c.rope.scale == 1);
        assert_true(!c.tied && c.dtype == DT_F32 && !c.quant.present);
    }
}

/* Llama 3.1's own spelling, and transformers 5's. */
static void test_llama3(void **state)
{
#define LLAMA3                                                                                     \
    "{\"model_type\":\"llama\",\"vocab_size\":128256,\"hidden_size\":2048,\"num_attention_heads\"" \
    ":32,\"num_key_value_heads\":8,\"bos_token_id\":128000,\"eos_token_id\":[128001,128008,"       \
    "128009],\"max_position_embeddings\":131072,\"tie_word_embeddings\":true,\"rms_norm_eps\":"    \
    "1e-05,\"head_dim\":null,"
#define STRETCH                                                                                    \
    "\"factor\":32.0,\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"                            \
    "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\""
    static const char *const spelt[] = {
        LLAMA3 "\"rope_theta\":500000.0,\"torch_dtype\":\"bfloat16\",\"rope_scaling\":{" STRETCH
               "}}",
        LLAMA3 "\"dtype\":\"bfloat16\",\"rope_parameters\":{\"rope_theta\":500000.0," STRETCH "}}",
        /* both, as a file that was written by one and read by the other may have them */
        LLAMA3 "\"dtype\":\"bfloat16\",\"torch_dtype\":\"float16\",\"rope_theta\":1.0,"
               "\"rope_scaling\":null,\"rope_parameters\":{\"rope_theta\":500000.0," STRETCH "}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof spelt / sizeof *spelt; i++) {
        struct config c;

        loads(&c, spelt[i]);
        assert_int_equal(c.head_dim, 64);
        assert_int_equal(c.rope.rot, 64);
        assert_int_equal(c.kv_heads, 8);
        assert_int_equal(c.stops, 3);
        assert_int_equal(c.stop[2], 128009);
        assert_int_equal(c.bos, 128000);
        assert_int_equal(c.dtype, DT_BF16);
        assert_true(c.tied && !c.qkv_bias && !c.mlp_bias);
        assert_int_equal(c.rope.kind, ROPE_LLAMA3);
        assert_true(c.rope.theta == 500000 && c.rope.factor == 32 && c.rope.original == 8192);
    }
}

static void test_heads(void **state)
{
    struct config c;

    (void)state;
    loads(&c, "{\"model_type\":\"llama\",\"hidden_size\":576,\"num_attention_heads\":9,"
              "\"num_key_value_heads\":3,\"bos_token_id\":null,\"eos_token_id\":null}");
    assert_int_equal(c.head_dim, 64);
    assert_int_equal(c.stops, 0);
    assert_int_equal(c.bos, -1);
    loads(&c, "{\"model_type\":\"llama\",\"num_key_value_heads\":null,\"head_dim\":80}");
    assert_int_equal(c.kv_heads, 32);
    assert_int_equal(c.head_dim, 80);
    loads(&c, "{\"model_type\":\"mistral\",\"head_dim\":null,\"hidden_size\":5120}");
    assert_int_equal(c.head_dim, 160);
    loads(&c, "{\"model_type\":\"qwen3\",\"hidden_size\":1024,\"num_attention_heads\":16,"
              "\"num_key_value_heads\":8}");
    assert_int_equal(c.head_dim, 128);
    loads(&c, "{\"model_type\":\"llama\",\"attention_bias\":true,\"mlp_bias\":true}");
    assert_true(c.qkv_bias && c.out_bias && c.mlp_bias);
    loads(&c, "{\"model_type\":\"qwen2\",\"attention_bias\":false}"); /* it has no such key */
    assert_true(c.qkv_bias && !c.out_bias && !c.mlp_bias);
    loads(&c, "{\"model_type\":\"qwen3\",\"attention_bias\":true}");
    assert_true(c.qkv_bias && c.out_bias && !c.mlp_bias);
}

/* Which of four layers have a window, as bits, lowest first. */
static int windowed(const char *keys)
{
    char text[512];
    struct config c;
    int bits = 0;

    (void)snprintf(text, sizeof text, "{\"num_hidden_layers\":4,%s}", keys);
    loads(&c, text);
    for (int i = 0; i < 4; i++)
        bits |= (c.window && c.windowed[i]) << i;
    return bits;
}

static void test_windows(void **state)
{
#define QWEN "\"model_type\":\"qwen2\",\"sliding_window\":7,"
#define TYPES                                                                                      \
    "\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\","                \
    "\"sliding_attention\"]"

    (void)state;
    assert_int_equal(windowed("\"model_type\":\"llama\",\"sliding_window\":7"), 0);
    assert_int_equal(windowed("\"model_type\":\"mistral\""), 15);
    assert_int_equal(windowed("\"model_type\":\"mistral\",\"sliding_window\":null"), 0);
    assert_int_equal(windowed("\"model_type\":\"phi3\""), 0);
    assert_int_equal(windowed("\"model_type\":\"phi3\",\"sliding_window\":2047"), 15);
    assert_int_equal(windowed(QWEN "\"max_window_layers\":1"), 0);
    assert_int_equal(windowed(QWEN "\"use_sliding_window\":false,\"max_window_layers\":1"), 0);
    assert_int_equal(windowed(QWEN "\"use_sliding_window\":true,\"max_window_layers\":1"), 14);
    assert_int_equal(windowed(QWEN "\"use_sliding_window\":true,\"max_window_layers\":4"), 0);
    assert_int_equal(windowed(QWEN "\"use_sliding_window\":true"), 0); /* 28 */
    assert_int_equal(windowed(QWEN "\"use_sliding_window\":true," TYPES), 9);
    assert_int_equal(windowed(QWEN TYPES), 0);
    assert_int_equal(windowed("\"model_type\":\"qwen3\",\"use_sliding_window\":true,"
                              "\"max_window_layers\":2"),
                     12);
}

/* Phi-3 128k: as its own code spells it, and as transformers 5 does. */
static void test_longrope(void **state)
{
#define LONG                                                                                       \
    "{\"model_type\":\"phi3\",\"hidden_size\":16,\"num_attention_heads\":2,"                       \
    "\"num_key_value_heads\":2,\"max_position_embeddings\":131072,"
#define FACTORS "\"short_factor\":[1,1.05,1.1,1.25],\"long_factor\":[1,2,4,8]"
    static const char *const spelt[] = {
        LONG "\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"su\"," FACTORS
             "}}",
        LONG "\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"longrope\","
             "" FACTORS "}}",
        LONG "\"rope_parameters\":{\"rope_type\":\"longrope\",\"rope_theta\":10000.0,"
             "\"original_max_position_embeddings\":4096," FACTORS "}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof spelt / sizeof *spelt; i++) {
        struct config c;

        loads(&c, spelt[i]);
        assert_int_equal(c.rope.kind, ROPE_LONG);
        assert_int_equal(c.max_positions, 4096);
        assert_true(c.rope.divisor[3] == 1.25f);
        assert_true(fabs((double)c.rope.scale - sqrt(1 + log(32) / log(4096))) < 1e-7);
    }
}

static void test_refused(void **state)
{
#define NODEVICE(config, why)                                                                      \
    {                                                                                              \
        config, EXIT_NODEVICE, why                                                                 \
    }
#define LLAMA "{\"model_type\":\"llama\","
    static const struct {
        const char *config;
        int code;
        const char *why;
    } cases[] = {
        NODEVICE("{\"model_type\":\"mixtral\"}",
                 "'mixtral' is not supported; this build knows phi,"),
        NODEVICE("{\"model_type\":\"qwen3_moe\"}", "'qwen3_moe'"),
        NODEVICE("{\"model_type\":\"phimoe\"}", "'phimoe'"),
        NODEVICE("{\"model_type\":\"gpt2\"}", "'gpt2'"),
        NODEVICE(LLAMA "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0}}", "'yarn'"),
        NODEVICE(LLAMA "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}}", "'dynamic'"),
        NODEVICE(LLAMA "\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1e4}}}",
                 "'full_attention', a rotation of some layers"),
        NODEVICE(LLAMA "\"hidden_act\":\"gelu\"}", "hidden_act 'gelu'"),
        NODEVICE("{\"model_type\":\"phi-msft\",\"activation_function\":\"relu\"}",
                 "activation_function 'relu'"),
        NODEVICE("{\"model_type\":\"phi\",\"qk_layernorm\":true}", "qk_layernorm"),
        NODEVICE(LLAMA "\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}", "'gptq'"),
        NODEVICE(LLAMA "\"quantization_config\":{\"quant_method\":\"bitsandbytes\","
                       "\"load_in_8bit\":true}}",
                 "load_in_4bit"),
        { LLAMA "\"attention_bias\":\"yes\"}", EXIT_DATA, "attention_bias" },
        { LLAMA "\"mlp_bias\":0}", EXIT_DATA, "mlp_bias" },
        { LLAMA "\"tie_word_embeddings\":\"true\"}", EXIT_DATA, "tie_word_embeddings" },
        { LLAMA "\"head_dim\":2048}", EXIT_DATA, "head_dim" },
        { LLAMA "\"head_dim\":15}", EXIT_DATA, "15 rotary dimensions" },
        { LLAMA "\"rope_scaling\":\"linear\"}", EXIT_DATA, "rope_scaling" },
        { LLAMA "\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}}", EXIT_DATA, "factor -2" },
        { "{\"model_type\":\"qwen2\",\"use_sliding_window\":1}", EXIT_DATA, "use_sliding_window" },
        { "{\"model_type\":\"qwen2\",\"max_window_layers\":-1}", EXIT_DATA, "max_window_layers" },
        { LONG "\"rope_scaling\":{\"type\":\"longrope\"," FACTORS "}}", EXIT_DATA,
          "original_max_position_embeddings is missing" },
        { LONG "\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"longrope\","
               "\"short_factor\":[1,1,1]}}",
          EXIT_DATA, "short_factor is not a list of 4 numbers" },
        { LONG "\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"longrope\","
               "\"short_factor\":[1,1,0,1]}}",
          EXIT_DATA, "short_factor: entry 2" },
        { LONG "\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"longrope\","
               "\"attention_factor\":-1," FACTORS "}}",
          EXIT_DATA, "attention_factor -1" },
        { "{\"model_type\":\"phi-msft\",\"n_embd\":100,\"n_head\":3}", EXIT_DATA,
          "n_embd 100 is not a multiple of n_head 3" },
        { "{\"model_type\":\"phi-msft\",\"n_layer\":0}", EXIT_DATA, "n_layer" },
        { "{\"model_type\":\"phi-msft\",\"rotary_dim\":1}", EXIT_DATA, "rotary_dim" },
        { "{\"model_type\":\"phi-msft\",\"layer_norm_epsilon\":0}", EXIT_DATA,
          "layer_norm_epsilon" },
        { "{\"model_type\":\"mixformer-sequential\",\"architecture\":7}", EXIT_DATA,
          "architecture" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].config, cases[i].code, cases[i].why);
}

/* Published configs, where they are beside the project. */
static void test_published(void **state)
{
    static const char *const models[] = {
        "phi-1.config.json",
        "phi-1_5.config.json",
        "phi-2.config.no-auto-map.json",
        "phi-2-early-mixformer/config.json",
        "phi-3-mini-4k-instruct.config.json",
        "phi-3-mini-4k-derivative/config.json",
        "llama-2-7b-hf.config.json",
        "mistral-7b-v0.1.config.json",
        "tinyllama-1.1b-chat/config.json",
        "qwen2.5-0.5b-instruct/config.json",
    };
    int seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct buf text = BUF_INIT;
        struct config c;
        char path[160];

        (void)snprintf(path, sizeof path, "../shared/data/models/%s", models[i]);
        if (access(path, R_OK) == 0) {
            must(read_file(&text, path, 1 << 20));
            loads(&c, text.p);
            assert_true(c.layers >= 16 && c.vocab >= 32000);
            seen++;
        }
        buf_free(&text);
    }
    if (!seen)
        SKIP("no ../shared/data/models beside the project");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_heads),     cmocka_unit_test(test_windows),
        cmocka_unit_test(test_longrope),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_published),
    };

    folder_make();
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
