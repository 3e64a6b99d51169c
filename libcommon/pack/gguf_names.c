#include "gguf_model.h"

#include <stdlib.h>
#include <string.h>

enum {
    ALL = GGUF_LLAMA | GGUF_QWEN2 | GGUF_QWEN3 | GGUF_PHI3 | GGUF_PHI2,
    GATED = GGUF_LLAMA | GGUF_QWEN2 | GGUF_QWEN3, /* an MLP of three matrices */
    APART = GATED | GGUF_PHI2,                    /* q, k and v are three matrices */
};

/* Parts of names, between "blk.N." or "model.layers.N." and ".weight" or ".bias". */
struct name_part {
    const char *gguf, *hf;
    int archs;
};

static const struct name_part layer_parts[] = {
    { "attn_norm", "input_layernorm", ALL },
    { "ffn_norm", "post_attention_layernorm", ALL & ~GGUF_PHI2 },
    { "attn_q", "self_attn.q_proj", APART },
    { "attn_k", "self_attn.k_proj", APART },
    { "attn_v", "self_attn.v_proj", APART },
    { "attn_qkv", "self_attn.qkv_proj", GGUF_PHI3 | GGUF_PHI2 },
    { "attn_output", "self_attn.o_proj", ALL & ~GGUF_PHI2 },
    { "attn_output", "self_attn.dense", GGUF_PHI2 },
    { "attn_q_norm", "self_attn.q_norm", GGUF_QWEN3 },
    { "attn_k_norm", "self_attn.k_norm", GGUF_QWEN3 },
    { "ffn_gate", "mlp.gate_proj", GATED },
    { "ffn_up", "mlp.up_proj", GATED },
    { "ffn_up", "mlp.gate_up_proj", GGUF_PHI3 },
    { "ffn_up", "mlp.fc1", GGUF_PHI2 },
    { "ffn_down", "mlp.down_proj", ALL & ~GGUF_PHI2 },
    { "ffn_down", "mlp.fc2", GGUF_PHI2 },
};

static const struct name_part other_parts[] = {
    { "token_embd", "model.embed_tokens", ALL },
    { "output_norm", "model.norm", ALL & ~GGUF_PHI2 },
    { "output_norm", "model.final_layernorm", GGUF_PHI2 },
    { "output", "lm_head", ALL },
};

/* Said in config.json: gguf_put_rope_scaling reads them. */
static bool is_of_config(const char *name)
{
    return !strcmp(name, "rope_freqs.weight") || !strcmp(name, "rope_factors_long.weight") ||
           !strcmp(name, "rope_factors_short.weight");
}

static const char *find_part(const struct name_part *part, size_t parts, int arch, const char *name,
                             size_t n)
{
    for (size_t i = 0; i < parts; i++)
        if (part[i].archs & arch && text_is(name, n, part[i].gguf))
            return part[i].hf;
    return NULL;
}

/* "blk.12.": its bytes and the number; 0: NAME does not begin so. */
static size_t layer_of(const char *name, int64_t layers, int64_t *layer)
{
    size_t n = 4;

    if (strncmp(name, "blk.", n))
        return 0;
    for (*layer = 0; name[n] >= '0' && name[n] <= '9' && *layer < layers; n++)
        *layer = 10 * *layer + (name[n] - '0');
    return n > 4 && (name[4] != '0' || n == 5) && name[n] == '.' && *layer < layers ? n + 1 : 0;
}

static const char *suffix_of(const char *name)
{
    return text_ends_with(name, ".weight") ? ".weight"
           : text_ends_with(name, ".bias") ? ".bias"
                                           : NULL;
}

/* Appends the Hugging Face name of NAME: false when the architecture has none such. */
static bool put_name(const struct gguf_model *m, const char *name, struct buf *b)
{
    const char *suffix = suffix_of(name);
    int64_t layer = 0;
    const size_t at = layer_of(name, m->layers, &layer);

    if (!suffix || strlen(name) < at + strlen(suffix))
        return false;
    const size_t n = strlen(name) - at - strlen(suffix);
    const char *hf = at ? find_part(layer_parts, sizeof layer_parts / sizeof *layer_parts,
                                    m->arch->bit, name + at, n)
                        : find_part(other_parts, sizeof other_parts / sizeof *other_parts,
                                    m->arch->bit, name, n);

    if (!hf)
        return false;
    if (at)
        buf_printf(b, "model.layers.%lld.", (long long)layer);
    buf_printf(b, "%s%s", hf, suffix);
    return true;
}

/* ---- tensors ---- */

struct naming {
    const struct gguf_model *m;
    struct gguf_named *t;
    int n, cap;
};

/* Rows FROM to FROM + ROWS of X under NAME, which is taken over. */
static struct gguf_named *add(struct naming *a, char *name, const struct gguf_tensor *x,
                              int64_t from, int64_t rows)
{
    const size_t row = x->bytes / (size_t)x->shape[0];

    if (a->n == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 256;
        a->t = xnrealloc(a->t, (size_t)a->cap, sizeof *a->t);
    }
    struct gguf_named *named = &a->t[a->n++];

    *named = (struct gguf_named){
        .t = { .name = name,
               .dtype = x->dtype,
               .rank = x->rank,
               .n = x->n / x->shape[0] * rows,
               .data = x->data + (size_t)from * row,
               .bytes = rows == x->shape[0] ? x->bytes : (size_t)rows * row },
    };
    memcpy(named->t.shape, x->shape, sizeof x->shape);
    named->t.shape[0] = rows;
    return named;
}

/* The fused q, k and v of old Phi files, as the three that Hugging Face has. */
static int add_split(struct naming *a, const char *name, const struct gguf_tensor *x)
{
    static const char fused[] = "qkv_proj";
    static const char *const parts[] = { "q_proj", "k_proj", "v_proj" };
    const struct gguf_model *m = a->m;
    const int64_t rows[] = { m->heads * m->head_dim, m->kv_heads * m->head_dim,
                             m->kv_heads * m->head_dim };
    const char *at = strstr(name, fused);
    int64_t from = 0;

    if (x->shape[0] != rows[0] + rows[1] + rows[2] || (x->rank == 1 && dtype_is_blocks(x->dtype)))
        return err_set(EXIT_DATA, "tensor '%s' has %lld rows, and queries, keys and values %lld",
                       x->name, (long long)x->shape[0], (long long)(rows[0] + rows[1] + rows[2]));
    for (int i = 0; i < 3; i++) {
        struct buf b = BUF_INIT;

        buf_printf(&b, "%.*s%s%s", (int)(at - name), name, parts[i], at + strlen(fused));
        (void)add(a, b.p, x, from, rows[i]);
        from += rows[i];
    }
    return 0;
}

/* Heads whose rows are in rotary pairs, or 0. */
static int64_t paired_heads(const struct gguf_model *m, const char *name)
{
    if (m->arch->bit != GGUF_LLAMA)
        return 0;
    return strstr(name, ".attn_q.") ? m->heads : strstr(name, ".attn_k.") ? m->kv_heads : 0;
}

static int add_tensor(struct naming *a, const struct gguf_tensor *x)
{
    const struct gguf_model *m = a->m;
    const int64_t heads = paired_heads(m, x->name);
    struct buf name = BUF_INIT;

    if (is_of_config(x->name))
        return 0;
    if (!put_name(m, x->name, &name)) {
        buf_free(&name);
        return err_set(EXIT_NODEVICE, "tensor '%s' is none that the architecture '%s' has here",
                       x->name, m->arch->name);
    }
    if (m->arch->bit == GGUF_PHI2 && strstr(x->name, ".attn_qkv.")) {
        const int rc = add_split(a, name.p, x);

        buf_free(&name);
        return rc;
    }
    add(a, name.p, x, 0, x->shape[0])->heads = heads;
    if (heads && (x->shape[0] != heads * m->head_dim || x->rank > 2 ||
                  (x->rank == 1 && dtype_is_blocks(x->dtype))))
        return err_set(EXIT_DATA, "tensor '%s' has %lld rows, %lld heads make %lld", x->name,
                       (long long)x->shape[0], (long long)heads, (long long)(heads * m->head_dim));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct gguf_named *)a)->t.name, ((const struct gguf_named *)b)->t.name);
}

int gguf_name_tensors(const struct gguf_model *m, struct gguf_named **out, int *n)
{
    struct naming a = { .m = m };
    int rc = 0;

    for (int i = 0; i < m->g->tensors && rc == 0; i++)
        rc = add_tensor(&a, &m->g->tensor[i]);
    if (a.n)
        qsort(a.t, (size_t)a.n, sizeof *a.t, by_name);
    for (int i = 1; i < a.n && rc == 0; i++)
        if (!by_name(&a.t[i - 1], &a.t[i]))
            rc = err_set(EXIT_DATA, "tensor '%s' is there twice, whole and as a part of another",
                         a.t[i].t.name);
    if (rc < 0) {
        gguf_named_free(a.t, a.n);
        return -1;
    }
    *out = a.t;
    *n = a.n;
    return 0;
}

void gguf_named_free(struct gguf_named *t, int n)
{
    for (int i = 0; i < n; i++)
        free((char *)(uintptr_t)t[i].t.name);
    free(t);
}

void gguf_unpair(const struct gguf_named *t, uint8_t *out)
{
    const size_t rows = (size_t)t->t.shape[0], row = t->t.bytes / rows;
    const size_t head = rows / (size_t)t->heads, half = head / 2;

    for (size_t i = 0; i < rows; i++) {
        const size_t in_head = i % head;
        const size_t from = i - in_head + 2 * (in_head % half) + in_head / half;

        memcpy(out + i * row, t->t.data + from * row, row);
    }
}
