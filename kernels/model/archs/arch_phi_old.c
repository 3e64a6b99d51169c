/*
 * arch_phi_old.c - Phi-1, 1.5 and 2 as they were first published, with code of their own: queries,
 * keys and values in one tensor, other names (NUMERICS A.3). "mixformer-sequential" numbers all
 * that follows one another as layers, the embedding as the first and the head as the last;
 * "phi-msft" has the same layers under Transformer names. Adapters for them have the names of
 * today.
 */
#include "archs/arch_keys.h"

#include <string.h>

/* KEY of O, where it is there, has to be one of two texts. */
static int demand(const cJSON *o, const char *key, const char *one, const char *other)
{
    const char *text = one;

    if (json_text(o, key, &text) < 0)
        return -1;
    return !strcmp(text, one) || !strcmp(text, other)
               ? 0
               : err_set(EXIT_NODEVICE, "%s '%.100s' is not supported", key, text);
}

/* What a layer is made of: these models were built from parts that could be others. */
static int check_parts(const cJSON *json)
{
    const cJSON *parts = NULL, *mixer = NULL, *mlp = NULL;

    if (json_object(json, "architecture", &parts) < 0)
        return -1;
    if (!parts)
        return 0;
    if (json_object(parts, "mixer", &mixer) < 0 || json_object(parts, "mlp", &mlp) < 0 ||
        demand(parts, "block_cls", "parallel", "parallel") < 0 ||
        (mixer && demand(mixer, "mixer_cls", "mha", "mha") < 0) ||
        (mlp && demand(mlp, "mlp_cls", "mlp", "fused_mlp") < 0))
        return err_in("architecture");
    return 0;
}

static int configure(struct config *c, const cJSON *json)
{
    int64_t rot = 32;

    if (check_parts(json) < 0 || keys_activation(c, json, "gelu_new") < 0 ||
        keys_eps(c, json, "layer_norm_epsilon") < 0 ||
        keys_dropout(&c->resid_pdrop, json, "resid_pdrop") < 0 ||
        keys_dropout(&c->embd_pdrop, json, "embd_pdrop") < 0 ||
        keys_dropout(&c->attention_pdrop, json, "attn_pdrop") < 0 ||
        json_int(json, "rotary_dim", &rot, 2, CONFIG_MAX_HEAD_DIM) < 0)
        return -1;
    c->rope.rot = rot < c->head_dim ? rot : c->head_dim;
    return c->rope.rot % 2
               ? err_set(EXIT_DATA, "rotary_dim %lld is not even", (long long)c->rope.rot)
               : 0;
}

/* Wqkv: all rows of the queries, then those of the keys, then those of the values. */
static void stored(struct stored_rows *out, const struct module_info *m)
{
    const int64_t query = m[0].rows, key = m[1].rows, all = query + 2 * key;

    out[0] = (struct stored_rows){ "mixer.Wqkv", 0, all };
    out[1] = (struct stored_rows){ "mixer.Wqkv", query, all };
    out[2] = (struct stored_rows){ "mixer.Wqkv", query + key, all };
    out[3].path = "mixer.out_proj";
}

static const struct key_name keys[] = {
    { "hidden_size", "n_embd" },
    { "intermediate_size", "n_inner" },
    { "num_hidden_layers", "n_layer" },
    { "num_attention_heads", "n_head" },
    { "num_key_value_heads", "n_head_kv" },
    { "max_position_embeddings", "n_positions" },
    { "hidden_act", "activation_function" },
    { NULL, NULL },
};

#define OLD_PHI                                                                                    \
    .defaults = { .vocab = 50304,                                                                  \
                  .dim = 1024,                                                                     \
                  .layers = 20,                                                                    \
                  .heads = 16,                                                                     \
                  .max_positions = 2048,                                                           \
                  .rope = { .theta = 10000 },                                                      \
                  .norm_eps = 1e-5f },                                                             \
    .rotary = 1, .keys = keys, .configure = configure, .head_bias = true,                          \
    .adapter_prefix = "model.layers.%d.", .norms = { [NORM_ATTENTION] = "ln" },                    \
    .norm = NORM_LAYER, .modules = modules_phi, .stored = stored, .order = &layer_parallel

const struct arch arch_phi_msft = {
    .name = "phi-msft",
    .embed = "transformer.embd.wte",
    .final_norm = "lm_head.ln",
    .head = "lm_head.linear",
    .layer_prefix = "transformer.h.%d.",
    OLD_PHI,
};

const struct arch arch_mixformer = {
    .name = "mixformer-sequential",
    .embed = "layers.0.wte",
    .final_norm = "layers.%d.ln",
    .head = "layers.%d.linear",
    .layer_prefix = "layers.%d.",
    .first_layer = 1,
    OLD_PHI,
};
