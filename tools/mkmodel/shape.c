#include "shape.h"

#include "err.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

struct family {
    const char *name, *class, *transformers;
    double eps;
    /* Keys that it has and others have not. */
    bool head_dim, attention_bias, mlp_bias, residual_dropout, window, window_layers;
};

static const struct family families[] = {
    { .name = "phi",
      .class = "PhiForCausalLM",
      .transformers = "4.37.0",
      .residual_dropout = true },
    { .name = "llama",
      .class = "LlamaForCausalLM",
      .transformers = "4.51.0",
      .eps = 1e-5,
      .head_dim = true,
      .attention_bias = true,
      .mlp_bias = true },
    { .name = "mistral",
      .class = "MistralForCausalLM",
      .transformers = "4.51.0",
      .eps = 1e-5,
      .head_dim = true,
      .window = true },
    { .name = "qwen2",
      .class = "Qwen2ForCausalLM",
      .transformers = "4.51.0",
      .eps = 1e-6,
      .window_layers = true },
    { .name = "qwen3",
      .class = "Qwen3ForCausalLM",
      .transformers = "4.51.0",
      .eps = 1e-6,
      .head_dim = true,
      .attention_bias = true,
      .window_layers = true },
    { .name = "phi3",
      .class = "Phi3ForCausalLM",
      .transformers = "4.51.0",
      .eps = 1e-5,
      .attention_bias = true,
      .residual_dropout = true,
      .window = true },
};

const struct shape shape_phi_2 = {
    .family = &families[0],
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

const struct family *family_find(const char *name)
{
    const struct family *f = families;

    while (strcmp(f->name, name)) /* the option table has checked that it is there */
        f++;
    return f;
}

static int no_place(const struct shape *m, const char *option)
{
    return err_set(EXIT_USAGE, "%s is nothing that --arch %s has", option, m->family->name);
}

static int check_heads(const struct shape *m)
{
    const int64_t apart = m->heads * m->head_dim;

    if (m->head_dim && apart != m->hidden && !m->family->head_dim)
        return no_place(m, "--head-dim other than --hidden over --heads");
    if (!m->head_dim && m->hidden % m->heads)
        return err_set(EXIT_USAGE, "--hidden %lld is not a multiple of --heads %lld",
                       (long long)m->hidden, (long long)m->heads);
    if (m->kv_heads > m->heads || m->heads % m->kv_heads)
        return err_set(EXIT_USAGE, "--heads %lld is not a multiple of --kv-heads %lld",
                       (long long)m->heads, (long long)m->kv_heads);
    return 0;
}

static int64_t head_dim_of(const struct shape *m)
{
    return m->head_dim ? m->head_dim : m->hidden / m->heads;
}

int shape_check(const struct shape *m)
{
    const bool phi = m->family == families;

    if (check_heads(m) < 0)
        return -1;
    if (m->resid_pdrop > 0 && !m->family->residual_dropout)
        return no_place(m, "--resid-pdrop");
    if (m->window && !m->family->window)
        return no_place(m, "--sliding-window");
    if (m->partial_rotary < 1 && !phi)
        return no_place(m, "--partial-rotary-factor");

    const int64_t rot = (int64_t)((double)head_dim_of(m) * m->partial_rotary);

    if (rot < 2 || rot % 2)
        return err_set(EXIT_USAGE,
                       "a head of %lld turns %lld dimensions; %s must make that even and at least "
                       "2",
                       (long long)head_dim_of(m), (long long)rot,
                       phi ? "--partial-rotary-factor" : "--head-dim");
    return 0;
}

/* ---- config.json ---- */

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

static void put_word(struct buf *b, const char *key, const char *word)
{
    buf_printf(b, "  \"%s\": %s,\n", key, word);
}

static void put_bool(struct buf *b, const char *key, bool v)
{
    put_word(b, key, v ? "true" : "false");
}

static void put_begin(struct buf *b, const struct shape *m)
{
    const struct family *f = m->family;

    buf_printf(b, "{\n  \"architectures\": [\n    \"%s\"\n  ],\n", f->class);
    if (f->attention_bias)
        put_bool(b, "attention_bias", false);
    put_double(b, "attention_dropout", 0);
    put_int(b, "bos_token_id", m->bos);
    if (f->residual_dropout)
        put_double(b, "embd_pdrop", 0);
    put_int(b, "eos_token_id", m->eos);
    if (f->head_dim)
        put_int(b, "head_dim", head_dim_of(m));
    buf_printf(b, "  \"hidden_act\": \"%s\",\n", f->eps > 0 ? "silu" : "gelu_new");
    put_int(b, "hidden_size", m->hidden);
    put_double(b, "initializer_range", 0.02);
    put_int(b, "intermediate_size", m->inner);
    if (!(f->eps > 0))
        put_double(b, "layer_norm_eps", 1e-5);
    put_int(b, "max_position_embeddings", m->positions);
    if (f->window_layers)
        put_int(b, "max_window_layers", m->layers);
    if (f->mlp_bias)
        put_bool(b, "mlp_bias", false);
    buf_printf(b, "  \"model_type\": \"%s\",\n", f->name);
}

static void put_rest(struct buf *b, const struct shape *m)
{
    const struct family *f = m->family;

    put_int(b, "num_attention_heads", m->heads);
    put_int(b, "num_hidden_layers", m->layers);
    put_int(b, "num_key_value_heads", m->kv_heads);
    if (f->eps > 0 && f->residual_dropout) {
        put_int(b, "original_max_position_embeddings", m->positions);
        put_int(b, "pad_token_id", m->eos); /* its default is outside of small vocabularies */
    }
    if (!(f->eps > 0)) {
        put_double(b, "partial_rotary_factor", m->partial_rotary);
        put_bool(b, "qk_layernorm", false);
    }
    if (f->residual_dropout)
        put_double(b, "resid_pdrop", m->resid_pdrop);
    if (f->eps > 0)
        put_double(b, "rms_norm_eps", f->eps);
    put_word(b, "rope_scaling", "null");
    put_double(b, "rope_theta", 10000);
    if (m->window)
        put_int(b, "sliding_window", m->window);
    else if (f->window || f->window_layers)
        put_word(b, "sliding_window", "null");
    put_bool(b, "tie_word_embeddings", m->tied);
    buf_printf(b, "  \"torch_dtype\": \"%s\",\n", dtype_torch_name(m->dtype));
    buf_printf(b, "  \"transformers_version\": \"%s\",\n", f->transformers);
    put_bool(b, "use_cache", true);
    if (f->window_layers)
        put_bool(b, "use_sliding_window", false);
    buf_printf(b, "  \"vocab_size\": %lld\n}\n", (long long)m->vocab);
}

void shape_put_config(struct buf *b, const struct shape *m)
{
    put_begin(b, m);
    put_rest(b, m);
}

void shape_put_generation_config(struct buf *b, const struct shape *m)
{
    buf_puts(b, "{\n  \"_from_model_config\": true,\n");
    put_int(b, "bos_token_id", m->bos);
    put_int(b, "eos_token_id", m->eos);
    buf_printf(b, "  \"transformers_version\": \"%s\"\n}\n", m->family->transformers);
}
