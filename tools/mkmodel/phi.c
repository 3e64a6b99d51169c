#include "phi.h"

#include "json.h"

#include <math.h>
#include <stdio.h>

const struct phi phi_2 = {
    .hidden = 2560,
    .layers = 32,
    .heads = 32,
    .kv_heads = 32,
    .inner = 10240,
    .vocab = 51200,
    .positions = 2048,
    .partial_rotary = 0.4,
    .resid_pdrop = 0.1,
    .bos = 50256,
    .eos = 50256,
    .dtype = DT_F16,
};

enum { PER_LAYER = 14, HEAD = 4 }; /* HEAD tensors follow the layers, one stands before them */

int phi_tensors(const struct phi *m)
{
    return 1 + PER_LAYER * (int)m->layers + HEAD;
}

/* Livelier than what a model is trained from: every term of every formula shows in the logits,
 * which are still moderate. The scales are those of the golden models. */
static void set_weight(struct phi_tensor *t, int64_t rows, int64_t cols)
{
    t->rank = 2;
    t->shape[0] = rows;
    t->shape[1] = cols;
    t->spread = (float)(1.2 / sqrt((double)cols));
}

static void set_bias(struct phi_tensor *t, int64_t n)
{
    t->rank = 1;
    t->shape[0] = n;
    t->spread = 0.1f;
}

static void set_gain(struct phi_tensor *t, int64_t n)
{
    t->rank = 1;
    t->shape[0] = n;
    t->mean = 1;
    t->spread = 0.2f;
}

static void set_layer_tensor(struct phi_tensor *t, const struct phi *m, int layer, int i)
{
    static const char *const names[PER_LAYER] = {
        "self_attn.q_proj.weight", "self_attn.q_proj.bias",
        "self_attn.k_proj.weight", "self_attn.k_proj.bias",
        "self_attn.v_proj.weight", "self_attn.v_proj.bias",
        "self_attn.dense.weight",  "self_attn.dense.bias",
        "mlp.fc1.weight",          "mlp.fc1.bias",
        "mlp.fc2.weight",          "mlp.fc2.bias",
        "input_layernorm.weight",  "input_layernorm.bias",
    };
    const int64_t head_dim = m->hidden / m->heads, kv = head_dim * m->kv_heads;
    const int64_t rows[] = { m->hidden, kv, kv, m->hidden, m->inner, m->hidden };
    const int64_t cols[] = { m->hidden, m->hidden, m->hidden, m->hidden, m->hidden, m->inner };

    (void)snprintf(t->name, sizeof t->name, "model.layers.%d.%s", layer, names[i]);
    t->stream = (uint32_t)(16 * (layer + 1) + i);
    if (i == PER_LAYER - 2)
        set_gain(t, m->hidden);
    else if (i == PER_LAYER - 1)
        set_bias(t, m->hidden);
    else if (i % 2)
        set_bias(t, rows[i / 2]);
    else
        set_weight(t, rows[i / 2], cols[i / 2]);
    t->zero_block = layer == 0 && i < 8 && i % 2 == 0;
}

static void set_outer_tensor(struct phi_tensor *t, const struct phi *m, int i)
{
    static const char *const names[] = {
        "model.embed_tokens.weight",
        "model.final_layernorm.weight",
        "model.final_layernorm.bias",
        "lm_head.weight",
        "lm_head.bias",
    };

    (void)snprintf(t->name, sizeof t->name, "%s", names[i]);
    t->stream = (uint32_t)i;
    if (i == 1)
        set_gain(t, m->hidden);
    else if (i == 2)
        set_bias(t, m->hidden);
    else if (i == 4)
        set_bias(t, m->vocab);
    else
        set_weight(t, m->vocab, m->hidden);
    if (i == 0)
        t->spread = 0.5f;
}

struct phi_tensor phi_tensor(const struct phi *m, int i)
{
    const int in_layers = i - 1, after = in_layers - PER_LAYER * (int)m->layers;
    struct phi_tensor t = { .rank = 0 };

    if (in_layers < 0)
        set_outer_tensor(&t, m, 0);
    else if (after < 0)
        set_layer_tensor(&t, m, in_layers / PER_LAYER, in_layers % PER_LAYER);
    else
        set_outer_tensor(&t, m, 1 + after);
    t.n = t.rank == 2 ? t.shape[0] * t.shape[1] : t.shape[0];
    return t;
}

static void put_int(struct buf *b, const char *key, int64_t v)
{
    buf_printf(b, "  \"%s\": %lld,\n", key, (long long)v);
}

static void put_double(struct buf *b, const char *key, double v)
{
    buf_printf(b, "  \"%s\": ", key);
    json_put_double(b, v);
    buf_puts(b, ",\n");
}

void phi_put_config(struct buf *b, const struct phi *m)
{
    buf_puts(
        b,
        "{\n  \"architectures\": [\n    \"PhiForCausalLM\"\n  ],\n  \"attention_dropout\": 0.0,\n");
    put_int(b, "bos_token_id", m->bos);
    put_double(b, "embd_pdrop", 0);
    put_int(b, "eos_token_id", m->eos);
    buf_puts(b, "  \"hidden_act\": \"gelu_new\",\n");
    put_int(b, "hidden_size", m->hidden);
    put_double(b, "initializer_range", 0.02);
    put_int(b, "intermediate_size", m->inner);
    put_double(b, "layer_norm_eps", 1e-5);
    put_int(b, "max_position_embeddings", m->positions);
    buf_puts(b, "  \"model_type\": \"phi\",\n");
    put_int(b, "num_attention_heads", m->heads);
    put_int(b, "num_hidden_layers", m->layers);
    put_int(b, "num_key_value_heads", m->kv_heads);
    put_double(b, "partial_rotary_factor", m->partial_rotary);
    buf_puts(b, "  \"qk_layernorm\": false,\n");
    put_double(b, "resid_pdrop", m->resid_pdrop);
    buf_puts(b, "  \"rope_scaling\": null,\n");
    put_double(b, "rope_theta", 10000);
    buf_puts(b, "  \"tie_word_embeddings\": false,\n");
    buf_printf(b, "  \"torch_dtype\": \"%s\",\n", dtype_torch_name(m->dtype));
    buf_puts(b, "  \"transformers_version\": \"4.37.0\",\n  \"use_cache\": true,\n");
    buf_printf(b, "  \"vocab_size\": %lld\n}\n", (long long)m->vocab);
}

void phi_put_generation_config(struct buf *b, const struct phi *m)
{
    buf_puts(b, "{\n  \"_from_model_config\": true,\n");
    put_int(b, "bos_token_id", m->bos);
    put_int(b, "eos_token_id", m->eos);
    buf_puts(b, "  \"transformers_version\": \"4.37.0\"\n}\n");
}
