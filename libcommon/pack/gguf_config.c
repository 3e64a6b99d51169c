#include "gguf_model.h"

#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- an object, a member a line ---- */

static void put_key(struct buf *b, const char *key)
{
    buf_printf(b, "%s  \"%s\": ", b->p[b->n - 1] == '{' ? "\n" : ",\n", key);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    put_key(b, key);
    json_put_text(b, text, strlen(text));
}

static void put_int(struct buf *b, const char *key, int64_t v)
{
    put_key(b, key);
    buf_printf(b, "%lld", (long long)v);
}

static void put_int_or_null(struct buf *b, const char *key, int64_t v, bool known)
{
    if (known) {
        put_int(b, key, v);
    } else {
        put_key(b, key);
        buf_puts(b, "null");
    }
}

static void put_float(struct buf *b, const char *key, float v)
{
    put_key(b, key);
    json_put_float(b, v);
}

static void put_bool(struct buf *b, const char *key, bool v)
{
    put_key(b, key);
    buf_puts(b, v ? "true" : "false");
}

/* ---- token ids ---- */

/* The id under KEY: 1, or 0 without one. It is below the number of rows of the embedding. */
static int token_of(const struct gguf_model *m, const char *key, int64_t *id)
{
    return gguf_int(m->g, key, id, 0, m->vocab - 1);
}

/* What llama.cpp takes where a file with scores says nothing. */
static int64_t usual_token(const struct gguf_model *m, int64_t id)
{
    const char *model;
    size_t n;

    return gguf_text(m->g, "tokenizer.ggml.model", &model, &n) == 1 && text_is(model, n, "llama") &&
                   id < m->vocab
               ? id
               : -1;
}

static int put_token(const struct gguf_model *m, struct buf *b, const char *name, const char *key,
                     int64_t usual)
{
    int64_t id = usual_token(m, usual);

    if (token_of(m, key, &id) < 0)
        return -1;
    put_int_or_null(b, name, id, id >= 0);
    return 0;
}

static int put_tokens(const struct gguf_model *m, struct buf *b)
{
    return put_token(m, b, "bos_token_id", "tokenizer.ggml.bos_token_id", 1) < 0 ||
                   put_token(m, b, "eos_token_id", "tokenizer.ggml.eos_token_id", 2) < 0 ||
                   put_token(m, b, "pad_token_id", "tokenizer.ggml.padding_token_id", -1) < 0
               ? -1
               : 0;
}

/* ---- what the tensors say ---- */

/* The type that every matrix has, where that is a half; of blocks one computes in float32. */
static const char *torch_dtype(const struct gguf *g)
{
    enum dtype one = DT_NONE;

    for (int i = 0; i < g->tensors; i++) {
        const struct gguf_tensor *t = &g->tensor[i];

        if (t->rank < 2)
            continue;
        if (one && one != t->dtype)
            return "float32";
        one = t->dtype;
    }
    return one == DT_F16 || one == DT_BF16 ? dtype_torch_name(one) : "float32";
}

static bool has(const struct gguf_model *m, const char *name)
{
    return gguf_tensor(m->g, name) != NULL;
}

/* Biases: those that the family always has, none, or what the first layer has. */
static int put_biases(const struct gguf_model *m, struct buf *b)
{
    const bool qkv = has(m, "blk.0.attn_q.bias"), output = has(m, "blk.0.attn_output.bias");
    const bool mlp = has(m, "blk.0.ffn_gate.bias");

    if (m->arch->bit & (GGUF_PHI2 | GGUF_QWEN2))
        return 0;
    if (qkv != output || ((qkv || mlp) && strcmp(m->arch->model_type, "llama") &&
                          (mlp || m->arch->bit != GGUF_QWEN3)))
        return err_set(EXIT_NODEVICE, "these biases are not supported in a model of the kind '%s'",
                       m->arch->model_type);
    if (m->arch->bit != GGUF_PHI3)
        put_bool(b, "attention_bias", qkv);
    if (m->arch->bit == GGUF_LLAMA && strcmp(m->arch->model_type, "mistral"))
        put_bool(b, "mlp_bias", mlp);
    return 0;
}

/* ---- by family ---- */

/* F with (int)(HEAD_DIM * F) == ROT, as Hugging Face computes it back. */
static double rotary_factor(const struct gguf_model *m)
{
    const double f = (double)m->rot / (double)m->head_dim;

    return (int64_t)(f * (double)m->head_dim) == m->rot ? f : nextafter(f, 2);
}

static void put_rotary(const struct gguf_model *m, struct buf *b)
{
    put_key(b, "partial_rotary_factor");
    json_put_double(b, rotary_factor(m));
}

/* The length that a Phi-3 with two sets of rotary factors was made for first. */
static int put_original_length(const struct gguf_model *m, struct buf *b)
{
    int64_t v = m->positions;

    if (gguf_int(m->g, GGUF_KEY(m, "rope.scaling.original_context_length"), &v, 1, 1 << 26) < 0)
        return -1;
    put_int(b, "original_max_position_embeddings", v);
    return 0;
}

static int put_family(const struct gguf_model *m, struct buf *b)
{
    const int bit = m->arch->bit;

    put_text(b, "hidden_act", bit == GGUF_PHI2 ? "gelu_new" : "silu");
    if (bit & (GGUF_LLAMA | GGUF_QWEN3) || m->head_dim * m->heads != m->dim)
        put_int(b, "head_dim", m->head_dim);
    if (bit == GGUF_PHI2) {
        put_rotary(m, b);
        put_bool(b, "qk_layernorm", false);
    }
    if (bit == GGUF_PHI3) {
        if (m->rot != m->head_dim)
            put_rotary(m, b);
        if (put_original_length(m, b) < 0)
            return -1;
    }
    if (bit & (GGUF_PHI2 | GGUF_PHI3)) {
        put_float(b, "resid_pdrop", 0);
        put_float(b, "embd_pdrop", 0);
    }
    if (bit == GGUF_PHI3 || !strcmp(m->arch->model_type, "mistral"))
        put_int_or_null(b, "sliding_window", m->window, m->window);
    if (bit & (GGUF_QWEN2 | GGUF_QWEN3))
        put_bool(b, "use_sliding_window", false);
    return put_biases(m, b);
}

static int put_scaling(const struct gguf_model *m, struct buf *b)
{
    struct buf scaling = BUF_INIT;
    const int rc = gguf_put_rope_scaling(m, &scaling);

    if (rc == 0) {
        put_key(b, "rope_scaling");
        buf_puts(b, scaling.n ? scaling.p : "null");
    }
    buf_free(&scaling);
    return rc;
}

int gguf_put_config(const struct gguf_model *m, struct buf *b)
{
    buf_puts(b, "{");
    put_key(b, "architectures");
    buf_printf(b, "[\"%s\"]", m->arch->class_name);
    put_text(b, "model_type", m->arch->model_type);
    put_int(b, "vocab_size", m->vocab);
    put_int(b, "hidden_size", m->dim);
    put_int(b, "intermediate_size", m->inner);
    put_int(b, "num_hidden_layers", m->layers);
    put_int(b, "num_attention_heads", m->heads);
    put_int(b, "num_key_value_heads", m->kv_heads);
    put_int(b, "max_position_embeddings", m->positions);
    put_float(b, m->arch->norm_name, m->eps);
    put_float(b, "rope_theta", m->rope_theta);
    put_float(b, "attention_dropout", 0);
    put_bool(b, "tie_word_embeddings", m->tied);
    if (put_scaling(m, b) < 0 || put_family(m, b) < 0 || put_tokens(m, b) < 0)
        return -1;
    put_text(b, "torch_dtype", torch_dtype(m->g));
    buf_puts(b, "\n}\n");
    return 0;
}

/* A chat model ends a turn with other tokens than a text. */
int gguf_put_generation(const struct gguf_model *m, struct buf *b)
{
    static const char *const keys[] = { "tokenizer.ggml.eos_token_id",
                                        "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id" };
    int64_t stop[3];
    int n = 0;

    for (int i = 0; i < 3; i++) {
        int64_t id = i ? -1 : usual_token(m, 2);
        bool known = false;

        if (token_of(m, keys[i], &id) < 0)
            return -1;
        for (int k = 0; k < n; k++)
            known |= stop[k] == id;
        if (id >= 0 && !known)
            stop[n++] = id;
    }
    if (n < 2)
        return 0;
    buf_puts(b, "{");
    if (put_token(m, b, "bos_token_id", "tokenizer.ggml.bos_token_id", 1) < 0)
        return -1;
    put_key(b, "eos_token_id");
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%lld", i ? ", " : "[", (long long)stop[i]);
    buf_puts(b, "]\n}\n");
    return 0;
}
