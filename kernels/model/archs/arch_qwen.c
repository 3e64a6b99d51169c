/*
 * arch_qwen.c - Qwen2 and 2.5: Llama with biases on queries, keys and values; Qwen3: without them,
 * with norms of every head of queries and keys (NUMERICS A.4; transformers modeling_qwen2.py,
 * modeling_qwen3.py).
 */
#include "archs/arch_keys.h"

/* Only where use_sliding_window says so, and above max_window_layers. */
static int read_window(struct config *c, const cJSON *json)
{
    bool slides = false;
    int64_t first = 28;

    if (json_bool(json, "use_sliding_window", &slides) < 0 ||
        json_int(json, "max_window_layers", &first, 0, CONFIG_MAX_LAYERS) < 0)
        return -1;
    c->window = slides ? 4096 : 0;
    return slides ? keys_window(c, json, first) : 0;
}

static int qwen2_configure(struct config *c, const cJSON *json)
{
    c->qkv_bias = true;
    return keys_llama(c, json) < 0 ? -1 : read_window(c, json);
}

static int qwen3_configure(struct config *c, const cJSON *json)
{
    if (keys_llama(c, json) < 0 || json_bool(json, "attention_bias", &c->qkv_bias) < 0)
        return -1;
    c->out_bias = c->qkv_bias;
    return read_window(c, json);
}

#define QWEN_DEFAULTS                                                                              \
    .vocab = 151936, .dim = 4096, .inner = 22016, .layers = 32, .heads = 32, .kv_heads = 32,       \
    .max_positions = 32768, .rope = { .theta = 10000 }, .norm_eps = 1e-6f

const struct arch arch_qwen2 = {
    .name = "qwen2",
    .defaults = { QWEN_DEFAULTS },
    .configure = qwen2_configure,
    ARCH_LLAMA_NAMES,
    .norms = { ARCH_LLAMA_NORMS },
    .modules = modules_gated,
};

const struct arch arch_qwen3 = {
    .name = "qwen3",
    .defaults = { QWEN_DEFAULTS, .head_dim = 128 },
    .configure = qwen3_configure,
    ARCH_LLAMA_NAMES,
    .norms = { ARCH_LLAMA_NORMS, [NORM_QUERY] = "self_attn.q_norm",
               [NORM_KEY] = "self_attn.k_norm" },
    .modules = modules_gated,
};
