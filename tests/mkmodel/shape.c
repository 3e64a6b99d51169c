#include "shape.h"

#include "err.h"
#include "files/config_load.h"
#include "json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct shape small = {
    .hidden = 128,
    .layers = 3,
    .heads = 4,
    .kv_heads = 4,
    .inner = 512,
    .vocab = 512,
    .positions = 2048,
    .eos = 511,
    .dtype = DT_F32,
};

static const struct shape phi_2 = {
    .hidden = 2560,
    .layers = 32,
    .heads = 32,
    .kv_heads = 32,
    .inner = 10240,
    .vocab = 51200,
    .positions = 2048,
    .resid_pdrop = 0.1,
    .eos = 50256,
    .dtype = DT_F16,
};

static void choose(int64_t *size, int64_t otherwise)
{
    if (!*size)
        *size = otherwise;
}

void shape_complete(struct shape *m, bool like_phi_2)
{
    const struct shape *base = like_phi_2 ? &phi_2 : &small;

    choose(&m->inner, m->hidden ? 4 * m->hidden : base->inner);
    choose(&m->kv_heads, m->heads ? m->heads : base->kv_heads);
    choose(&m->eos, m->vocab ? m->vocab - 1 : base->eos);
    choose(&m->hidden, base->hidden);
    choose(&m->layers, base->layers);
    choose(&m->heads, base->heads);
    choose(&m->vocab, base->vocab);
    choose(&m->positions, base->positions);
    if (m->partial_rotary < 0) /* Phi-2's */
        m->partial_rotary = m->arch->rotary < 1 ? 0.4 : 1;
    if (m->resid_pdrop < 0)
        m->resid_pdrop = base->resid_pdrop;
    if (m->dtype == DT_NONE)
        m->dtype = base->dtype;
}

/* What the engine says of a config is here said of the options. */
static int refuse(void)
{
    char *why = xstrdup(err_text());

    (void)err_set(EXIT_USAGE, "no such model: %s", why);
    free(why);
    return -1;
}

int shape_family(struct shape *m, const char *name)
{
    m->arch = arch_find(name);
    if (!m->arch)
        return refuse();
    return m->arch->keys || m->arch->stored
               ? err_set(EXIT_USAGE,
                         "--arch %s: its files have other names, which mkmodel does not write",
                         name)
               : 0;
}

/* ---- config.json ---- */

/* The family's defaults, with a list as KEY: a family that reads it refuses that. */
static int read_defaults(struct config *c, const struct arch *arch, const char *key)
{
    cJSON *json = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(json, "model_type", arch->name);
    (void)cJSON_AddArrayToObject(json, key);
    const int rc = config_read(c, json);

    cJSON_Delete(json);
    return rc;
}

static bool reads(const struct arch *arch, const char *key)
{
    struct config c;

    return read_defaults(&c, arch, key) < 0;
}

struct row { /* a key and what is not 0 of: a word, a text, a whole number; else a fraction */
    const char *key;
    enum { NO, YES, OWN } there; /* OWN: where the family reads it */
    const char *word, *text;
    int64_t n;
    float x;
};

static void put_row(struct buf *b, const struct row *r)
{
    buf_printf(b, "  \"%s\": ", r->key);
    if (r->word)
        buf_puts(b, r->word);
    else if (r->text)
        buf_printf(b, "\"%s\"", r->text);
    else if (r->n)
        buf_printf(b, "%lld", (long long)r->n);
    else
        json_put_float(b, r->x);
}

static void put_rows(struct buf *b, const struct row *r, const struct arch *arch)
{
    const char *before = "";

    for (; r->key; r++)
        if (r->there == YES || (r->there == OWN && reads(arch, r->key))) {
            buf_puts(b, before);
            put_row(b, r);
            before = ",\n";
        }
    buf_puts(b, "\n}\n");
}

/* Of the published Phi-2, and of the first that knew all other families. */
static const char *version_of(const struct arch *arch)
{
    return arch == &arch_phi ? "4.37.0" : "4.51.0";
}

/* DEFAULTS are the family's. What it reads says what its config has; what else published ones have
 * is said here, and not needed for others. */
static void put_config(struct buf *b, const struct config *defaults, const struct shape *m)
{
    const struct arch *a = m->arch;
    const bool llama = a == &arch_llama || a == &arch_mistral, phi3 = a == &arch_phi3;
    const bool window = m->window || reads(a, "sliding_window") || reads(a, "use_sliding_window");
    const bool uneven = m->head_dim && m->head_dim * m->heads != m->hidden;
    const struct row rows[] = {
        { "attention_bias", phi3 ? YES : OWN, .word = "false" },
        { "attention_dropout", YES, .word = "0.0" },
        { "bos_token_id", YES, .n = m->eos },
        { "embd_pdrop", OWN, .word = "0.0" },
        { "eos_token_id", YES, .n = m->eos },
        { "head_dim", llama || a->defaults.head_dim || uneven,
          .n = m->head_dim ? m->head_dim : m->hidden / m->heads },
        { "hidden_act", YES, .text = defaults->act == ACT_SILU ? "silu" : "gelu_new" },
        { "hidden_size", YES, .n = m->hidden },
        { "initializer_range", YES, .word = "0.02" },
        { "intermediate_size", YES, .n = m->inner },
        { "layer_norm_eps", OWN, .word = "1e-05" },
        { "max_position_embeddings", YES, .n = m->positions },
        { "max_window_layers", OWN, .n = m->layers },
        { "mlp_bias", OWN, .word = "false" },
        { "model_type", YES, .text = a->name },
        { "num_attention_heads", YES, .n = m->heads },
        { "num_hidden_layers", YES, .n = m->layers },
        { "num_key_value_heads", YES, .n = m->kv_heads },
        { "original_max_position_embeddings", phi3, .n = m->positions },
        { "pad_token_id", phi3, .n = m->eos }, /* its default is outside of small vocabularies */
        { "partial_rotary_factor", a->rotary < 1, .x = (float)m->partial_rotary },
        { "qk_layernorm", OWN, .word = "false" },
        { "resid_pdrop", OWN, .x = (float)m->resid_pdrop },
        { "rms_norm_eps", OWN, .x = llama ? 1e-5f : defaults->norm_eps },
        { "rope_scaling", YES, .word = "null" },
        { "rope_theta", YES, .word = "10000.0" },
        { "sliding_window", window, .word = m->window ? NULL : "null", .n = m->window },
        { "tie_word_embeddings", YES, .word = m->tied ? "true" : "false" },
        { "torch_dtype", YES, .text = dtype_torch_name(m->dtype) },
        { "transformers_version", YES, .text = version_of(a) },
        { "use_cache", YES, .word = "true" },
        { "use_sliding_window", OWN, .word = "false" },
        { "vocab_size", YES, .n = m->vocab },
        { .key = NULL },
    };

    buf_printf(b, "{\n  \"architectures\": [\n    \"%c%sForCausalLM\"\n  ],\n", toupper(a->name[0]),
               a->name + 1);
    put_rows(b, rows, a);
}

static int no_place(const struct shape *m, const char *option)
{
    return err_set(EXIT_USAGE, "%s is nothing that --arch %s has", option, m->arch->name);
}

int shape_put_config(struct buf *b, struct config *c, const struct shape *m)
{
    if (!m->head_dim && m->hidden % m->heads)
        return err_set(EXIT_USAGE, "--hidden %lld is not a multiple of --heads %lld",
                       (long long)m->hidden, (long long)m->heads);
    (void)read_defaults(c, m->arch, "");
    put_config(b, c, m);

    cJSON *json = json_parse(b->p, b->n);
    const int rc = json ? config_read(c, json) : -1;

    cJSON_Delete(json);
    if (rc < 0)
        return refuse();
    if (m->resid_pdrop > 0 && !(c->resid_pdrop > 0))
        return no_place(m, "--resid-pdrop");
    if (m->window != c->window)
        return no_place(m, "--sliding-window");
    return m->partial_rotary < 1 && !(m->arch->rotary < 1) ? no_place(m, "--partial-rotary-factor")
                                                           : 0;
}

void shape_put_generation_config(struct buf *b, const struct shape *m)
{
    const struct row rows[] = {
        { "_from_model_config", YES, .word = "true" },
        { "bos_token_id", YES, .n = m->eos },
        { "eos_token_id", YES, .n = m->eos },
        { "transformers_version", YES, .text = version_of(m->arch) },
        { .key = NULL },
    };

    buf_puts(b, "{\n");
    put_rows(b, rows, m->arch);
}
