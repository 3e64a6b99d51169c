/*
 * arch_llama.c - Llama 2 and 3, SmolLM2, TinyLlama, and Mistral, which is Llama with a window
 * (NUMERICS A.4; transformers modeling_llama.py, modeling_mistral.py).
 */
#include "archs/arch_keys.h"

static int llama_configure(struct config *c, const cJSON *json)
{
    if (keys_llama(c, json) < 0 || json_bool(json, "attention_bias", &c->qkv_bias) < 0 ||
        json_bool(json, "mlp_bias", &c->mlp_bias) < 0)
        return -1;
    c->out_bias = c->qkv_bias;
    return 0;
}

static int mistral_configure(struct config *c, const cJSON *json)
{
    c->window = 4096; /* what transformers takes where the key is absent */
    return keys_llama(c, json) < 0 ? -1 : keys_window(c, json, 0);
}

const struct arch arch_llama = {
    .name = "llama",
    .defaults = { .vocab = 32000,
                  .dim = 4096,
                  .inner = 11008,
                  .layers = 32,
                  .heads = 32,
                  .max_positions = 2048,
                  .rope = { .theta = 10000 },
                  .norm_eps = 1e-6f,
                  .stop = { 2 },
                  .stops = 1 },
    .configure = llama_configure,
    ARCH_LLAMA_NAMES,
    .norms = { ARCH_LLAMA_NORMS },
    .modules = modules_gated,
};

const struct arch arch_mistral = {
    .name = "mistral",
    .defaults = { .vocab = 32000,
                  .dim = 4096,
                  .inner = 14336,
                  .layers = 32,
                  .heads = 32,
                  .kv_heads = 8,
                  .max_positions = 131072,
                  .rope = { .theta = 10000 },
                  .norm_eps = 1e-6f,
                  .stop = { 2 },
                  .stops = 1 },
    .configure = mistral_configure,
    ARCH_LLAMA_NAMES,
    .norms = { ARCH_LLAMA_NORMS },
    .modules = modules_gated,
};
