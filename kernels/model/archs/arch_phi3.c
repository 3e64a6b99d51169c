/*
 * arch_phi3.c - Phi-3, 3.5 and 4-mini: Llama with fused projections and dropout of what is added to
 * the stream (NUMERICS A.4; transformers modeling_phi3.py).
 */
#include "archs/arch_keys.h"

#include <string.h>

static int phi3_configure(struct config *c, const cJSON *json)
{
    if (keys_llama(c, json) < 0 || keys_dropout(&c->resid_pdrop, json, "resid_pdrop") < 0 ||
        keys_dropout(&c->embd_pdrop, json, "embd_pdrop") < 0)
        return -1;
    return keys_window(c, json, 0);
}

static int phi3_modules(struct module_info *out, const struct config *c)
{
    const int64_t query = c->heads * c->head_dim, key = c->kv_heads * c->head_dim;
    const struct module_info all[] = {
        { ROLE_OUT, "self_attn.o_proj", c->dim, query, false },
        { ROLE_QKV, "self_attn.qkv_proj", query + 2 * key, c->dim, false },
        { ROLE_GATE_UP, "mlp.gate_up_proj", 2 * c->inner, c->dim, false },
        { ROLE_DOWN, "mlp.down_proj", c->dim, c->inner, false },
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

const struct arch arch_phi3 = {
    .name = "phi3",
    .defaults = { .vocab = 32064,
                  .dim = 3072,
                  .inner = 8192,
                  .layers = 32,
                  .heads = 32,
                  .max_positions = 4096,
                  .rope = { .theta = 10000 },
                  .norm_eps = 1e-5f,
                  .stop = { 32000 },
                  .stops = 1 },
    .configure = phi3_configure,
    ARCH_LLAMA_NAMES,
    .norms = { ARCH_LLAMA_NORMS },
    .modules = phi3_modules,
};
