/*
 * arch_phi.c - Phi-1, 1.5 and 2 (NUMERICS A.2; transformers modeling_phi.py). One norm feeds
 * attention and MLP side by side; every linear and the head have biases.
 */
#include "archs/arch_keys.h"

#include <string.h>

static int phi_configure(struct config *c, const cJSON *json)
{
    bool qk_norm = false;

    if (keys_activation(c, json, "gelu_new") < 0 || keys_eps(c, json, "layer_norm_eps") < 0 ||
        json_bool(json, "qk_layernorm", &qk_norm) < 0 ||
        keys_dropout(&c->resid_pdrop, json, "resid_pdrop") < 0 ||
        keys_dropout(&c->embd_pdrop, json, "embd_pdrop") < 0 ||
        keys_dropout(&c->attention_pdrop, json, "attention_dropout") < 0)
        return -1;
    return qk_norm ? err_set(EXIT_NODEVICE, "qk_layernorm is not supported") : 0;
}

int modules_phi(struct module_info *out, const struct config *c)
{
    const int64_t query = c->heads * c->head_dim, key = c->kv_heads * c->head_dim;
    const struct module_info all[] = {
        { ROLE_Q, "self_attn.q_proj", query, c->dim, true },
        { ROLE_K, "self_attn.k_proj", key, c->dim, true },
        { ROLE_V, "self_attn.v_proj", key, c->dim, true },
        { ROLE_OUT, "self_attn.dense", c->dim, query, true },
        { ROLE_UP, "mlp.fc1", c->inner, c->dim, true },
        { ROLE_DOWN, "mlp.fc2", c->dim, c->inner, true },
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

const struct arch arch_phi = {
    .name = "phi",
    .defaults = { .vocab = 51200,
                  .dim = 2048,
                  .inner = 8192,
                  .layers = 24,
                  .heads = 32,
                  .max_positions = 2048,
                  .rope = { .theta = 10000 },
                  .norm_eps = 1e-5f,
                  .stop = { 2 },
                  .stops = 1 },
    .rotary = 0.5,
    .configure = phi_configure,
    .embed = "model.embed_tokens",
    .final_norm = "model.final_layernorm",
    .head = "lm_head",
    .head_bias = true,
    .layer_prefix = "model.layers.%d.",
    .norms = { [NORM_ATTENTION] = "input_layernorm" },
    .norm = NORM_LAYER,
    .modules = modules_phi,
    .order = &layer_parallel,
};
