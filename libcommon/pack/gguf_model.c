#include "gguf_model.h"

#include <stdio.h>
#include <string.h>

/* Beyond these it is a damaged file: products of any two fit into 63 bits. */
enum { SIZE_LIMIT = 1 << 26, LAYERS_LIMIT = 1 << 12 };

static const char rms[] = "attention.layer_norm_rms_epsilon";

static const struct gguf_arch archs[] = {
    { "llama", "llama", "LlamaForCausalLM", rms, "rms_norm_eps", GGUF_LLAMA },
    { "qwen2", "qwen2", "Qwen2ForCausalLM", rms, "rms_norm_eps", GGUF_QWEN2 },
    { "qwen3", "qwen3", "Qwen3ForCausalLM", rms, "rms_norm_eps", GGUF_QWEN3 },
    { "phi3", "phi3", "Phi3ForCausalLM", rms, "rms_norm_eps", GGUF_PHI3 },
    { "phi2", "phi", "PhiForCausalLM", "attention.layer_norm_epsilon", "layer_norm_eps",
      GGUF_PHI2 },
};

/* A llama with a window is what Hugging Face calls so. */
static const struct gguf_arch mistral = { "llama", "mistral",      "MistralForCausalLM",
                                          rms,     "rms_norm_eps", GGUF_LLAMA };

const char *gguf_model_key(const struct gguf_model *m, char room[128], const char *key)
{
    (void)snprintf(room, 128, "%s.%s", m->arch->name, key);
    return room;
}

/* ---- which one ---- */

static int find_arch(struct gguf_model *m)
{
    const char *name, *type;
    size_t n, type_n;
    const int got = gguf_text(m->g, "general.architecture", &name, &n);

    if (got <= 0)
        return got < 0 ? -1
                       : err_set(EXIT_DATA, "it does not say its 'general.architecture'; it is no "
                                            "model");
    const int typed = gguf_text(m->g, "general.type", &type, &type_n);

    if (typed < 0)
        return -1;
    if (typed && !text_is(type, type_n, "model"))
        return err_set(EXIT_NODEVICE, "is a GGUF file of the kind '%.*s' and no model", (int)type_n,
                       type);
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (text_is(name, n, archs[i].name))
            m->arch = &archs[i];
    return m->arch ? 0
                   : err_set(EXIT_NODEVICE,
                             "architecture '%.*s' is not supported; there are llama, qwen2, qwen3, "
                             "phi2 and phi3",
                             (int)(n < 64 ? n : 64), name);
}

/* Large models come in several files. */
static int check_whole(const struct gguf *g)
{
    int64_t parts = 1, part = 0;

    if (gguf_int(g, "split.count", &parts, 0, INT64_MAX) < 0 ||
        gguf_int(g, "split.no", &part, 0, INT64_MAX) < 0)
        return -1;
    return parts <= 1 ? 0
                      : err_set(EXIT_NODEVICE,
                                "is part %lld of %lld; join them with llama-gguf-split --merge",
                                (long long)part + 1, (long long)parts);
}

/* ---- keys that nobody here knows ---- */

static bool is_zero(const struct gguf_value *v)
{
    static const uint8_t zero[8];
    const size_t bytes = v->type == GGUF_U8 || v->type == GGUF_I8 || v->type == GGUF_BOOL    ? 1
                         : v->type == GGUF_U16 || v->type == GGUF_I16                        ? 2
                         : v->type == GGUF_U32 || v->type == GGUF_I32 || v->type == GGUF_F32 ? 4
                                                                                             : 8;

    return !v->array && !memcmp(v->p, zero, bytes);
}

/* What a key of the architecture says changes the numbers, unless it is one of these or off. */
static int check_keys(const struct gguf_model *m)
{
    static const char *const known[] = {
        "context_length",
        "embedding_length",
        "block_count",
        "feed_forward_length",
        "vocab_size",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "attention.layer_norm_rms_epsilon",
        "attention.layer_norm_epsilon",
        "attention.sliding_window",
        "rope.dimension_count",
        "rope.freq_base",
        "rope.scale_linear",
        "rope.scaling.type",
        "rope.scaling.factor",
        "rope.scaling.original_context_length",
        "rope.scaling.finetuned",
        "rope.scaling.attn_factor",
        "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow",
        "tensor_data_layout",
    };
    /* These change the numbers when they are off. */
    static const char *const on[] = { "attention.causal", "use_parallel_residual" };
    const size_t prefix = strlen(m->arch->name);

    for (int i = 0; i < m->g->values; i++) {
        const struct gguf_value *v = &m->g->value[i];
        bool found = strncmp(v->key, m->arch->name, prefix) || v->key[prefix] != '.';

        for (size_t k = 0; !found && k < sizeof known / sizeof *known; k++)
            found = !strcmp(v->key + prefix + 1, known[k]);
        bool must_be_on = false;

        for (size_t k = 0; !found && k < sizeof on / sizeof *on; k++)
            must_be_on = must_be_on || !strcmp(v->key + prefix + 1, on[k]);
        if (!found && is_zero(v) == must_be_on)
            return err_set(EXIT_NODEVICE,
                           "key '%s' is not supported; use the folder with safetensors that the "
                           "file was made from",
                           v->key);
    }
    return 0;
}

/* ---- sizes ---- */

static int size_of(const struct gguf_model *m, const char *key, int64_t *v, int64_t most)
{
    const char *whole = GGUF_KEY(m, key);
    const int got = gguf_int(m->g, whole, v, 1, most);

    return got ? got : err_set(EXIT_DATA, "key '%s' is missing", whole);
}

static int optional(const struct gguf_model *m, const char *key, int64_t *v, int64_t least)
{
    return gguf_int(m->g, GGUF_KEY(m, key), v, least, SIZE_LIMIT);
}

/* Only Phi turns a part of each head. */
static int check_rot(struct gguf_model *m)
{
    m->rot = m->head_dim;
    if (optional(m, "rope.dimension_count", &m->rot, 1) < 0)
        return -1;
    if (m->rot > m->head_dim || m->rot % 2)
        return err_set(EXIT_DATA, "'rope.dimension_count' is %lld, and a head has %lld",
                       (long long)m->rot, (long long)m->head_dim);
    if (m->rot != m->head_dim && !(m->arch->bit & (GGUF_PHI2 | GGUF_PHI3)))
        return err_set(EXIT_NODEVICE,
                       "'%s.rope.dimension_count' %lld is not supported; only all %lld of a head",
                       m->arch->name, (long long)m->rot, (long long)m->head_dim);
    return 0;
}

static int read_heads(struct gguf_model *m)
{
    if (size_of(m, "attention.head_count", &m->heads, SIZE_LIMIT) < 0)
        return -1;
    const int64_t usual = m->dim % m->heads ? 0 : m->dim / m->heads;
    int64_t of_values;

    m->kv_heads = m->heads;
    m->head_dim = usual;
    if (optional(m, "attention.head_count_kv", &m->kv_heads, 1) < 0 ||
        optional(m, "attention.key_length", &m->head_dim, 1) < 0)
        return -1;
    if (!m->head_dim || m->head_dim % 2 || m->heads % m->kv_heads)
        return err_set(
            EXIT_DATA,
            "a width of %lld, %lld heads and %lld for keys and values do not go together",
            (long long)m->dim, (long long)m->heads, (long long)m->kv_heads);
    of_values = m->head_dim;
    if (optional(m, "attention.value_length", &of_values, 1) < 0)
        return -1;
    if (of_values != m->head_dim ||
        (m->head_dim != usual && m->arch->bit & (GGUF_PHI2 | GGUF_PHI3)))
        return err_set(EXIT_NODEVICE,
                       "'%s.attention.key_length' %lld and 'value_length' %lld are not supported "
                       "with %lld heads and a width of %lld",
                       m->arch->name, (long long)m->head_dim, (long long)of_values,
                       (long long)m->heads, (long long)m->dim);
    return check_rot(m);
}

static int read_vocab(struct gguf_model *m)
{
    const struct gguf_tensor *embedding = gguf_tensor(m->g, "token_embd.weight");
    const struct gguf_value *tokens;
    int64_t said;

    if (!embedding || embedding->rank != 2)
        return err_set(EXIT_DATA, "there is no 'token_embd.weight' of two dimensions in it");
    m->vocab = said = embedding->shape[0];
    if (optional(m, "vocab_size", &said, 1) < 0 ||
        gguf_array(m->g, "tokenizer.ggml.tokens", GGUF_TEXT, &tokens) < 0)
        return -1;
    if (said != m->vocab || (tokens && tokens->n > (uint64_t)m->vocab))
        return err_set(EXIT_DATA,
                       "'token_embd.weight' has %lld rows, 'vocab_size' is %lld and there are %llu "
                       "tokens",
                       (long long)m->vocab, (long long)said,
                       tokens ? (unsigned long long)tokens->n : 0);
    return 0;
}

static int read_floats(struct gguf_model *m)
{
    const char *eps = GGUF_KEY(m, m->arch->norm_key), *theta = GGUF_KEY(m, "rope.freq_base");
    const int got = gguf_float(m->g, eps, &m->eps);

    if (got <= 0)
        return got < 0 ? -1 : err_set(EXIT_DATA, "key '%s' is missing", eps);
    m->rope_theta = 10000;
    if (m->eps < 0)
        return err_set(EXIT_DATA, "'%s' is %g, which is negative", eps, m->eps);
    if (gguf_float(m->g, theta, &m->rope_theta) < 0)
        return -1;
    return m->rope_theta > 0
               ? 0
               : err_set(EXIT_DATA, "'%s' is %g, which is not above 0", theta, m->rope_theta);
}

int gguf_model_read(struct gguf_model *m, const struct gguf *g)
{
    *m = (struct gguf_model){ .g = g };
    if (find_arch(m) < 0 || check_whole(g) < 0 || check_keys(m) < 0 ||
        size_of(m, "block_count", &m->layers, LAYERS_LIMIT) < 0 ||
        size_of(m, "embedding_length", &m->dim, SIZE_LIMIT) < 0 ||
        size_of(m, "feed_forward_length", &m->inner, SIZE_LIMIT) < 0 ||
        size_of(m, "context_length", &m->positions, SIZE_LIMIT) < 0 || read_heads(m) < 0 ||
        read_vocab(m) < 0 || read_floats(m) < 0 ||
        optional(m, "attention.sliding_window", &m->window, 0) < 0)
        return -1;
    m->tied = !gguf_tensor(g, "output.weight");
    if (m->window && m->arch->bit == GGUF_LLAMA)
        m->arch = &mistral;
    if (m->window && m->arch->bit & (GGUF_QWEN2 | GGUF_QWEN3 | GGUF_PHI2))
        return err_set(EXIT_NODEVICE, "'%s.attention.sliding_window' is not supported",
                       m->arch->name);
    return 0;
}
