/* config_load.c - config.json and generation_config.json into a checked struct config. */
#include "files/config_load.h"

#include "archs/arch.h"
#include "files/rope_load.h"
#include "json.h"

#include <math.h>
#include <string.h>

/* MAX as for json_int; the value stays as it is when the key, as the family spells it, is absent.
 */
static int size_key(const struct config *c, int64_t *value, const cJSON *json, const char *common,
                    int64_t max)
{
    return json_int(json, arch_key(c->arch, common), value, 1, max) < 0 ? -1 : 0;
}

static int read_head_dim(struct config *c, const cJSON *json)
{
    if (size_key(c, &c->head_dim, json, "head_dim", CONFIG_MAX_HEAD_DIM) < 0)
        return -1;
    if (!c->head_dim) {
        if (c->dim % c->heads)
            return err_set(EXIT_DATA, "%s %lld is not a multiple of %s %lld",
                           arch_key(c->arch, "hidden_size"), (long long)c->dim,
                           arch_key(c->arch, "num_attention_heads"), (long long)c->heads);
        c->head_dim = c->dim / c->heads;
    }
    return c->head_dim <= CONFIG_MAX_HEAD_DIM
               ? 0
               : err_set(EXIT_DATA, "heads of %lld values are larger than %d",
                         (long long)c->head_dim, CONFIG_MAX_HEAD_DIM);
}

static int read_sizes(struct config *c, const cJSON *json)
{
    if (size_key(c, &c->vocab, json, "vocab_size", CONFIG_MAX_VOCAB) < 0 ||
        size_key(c, &c->dim, json, "hidden_size", CONFIG_MAX_DIM) < 0 ||
        size_key(c, &c->inner, json, "intermediate_size", CONFIG_MAX_INNER) < 0 ||
        size_key(c, &c->layers, json, "num_hidden_layers", CONFIG_MAX_LAYERS) < 0 ||
        size_key(c, &c->heads, json, "num_attention_heads", CONFIG_MAX_HEADS) < 0 ||
        size_key(c, &c->max_positions, json, "max_position_embeddings", CONFIG_MAX_POSITIONS) < 0)
        return -1;
    if (!c->inner)
        c->inner = 4 * c->dim;
    if (!c->kv_heads)
        c->kv_heads = c->heads;
    if (size_key(c, &c->kv_heads, json, "num_key_value_heads", CONFIG_MAX_HEADS) < 0 ||
        read_head_dim(c, json) < 0)
        return -1;
    if (c->heads % c->kv_heads)
        return err_set(EXIT_DATA, "%s %lld is not a multiple of %s %lld",
                       arch_key(c->arch, "num_attention_heads"), (long long)c->heads,
                       arch_key(c->arch, "num_key_value_heads"), (long long)c->kv_heads);
    return 0;
}

static int read_dtype(struct config *c, const cJSON *json)
{
    const char *name = NULL;
    int got = json_text(json, "dtype", &name);

    if (got == 0)
        got = json_text(json, "torch_dtype", &name);
    if (got < 0)
        return -1;
    c->dtype = got ? dtype_of(name) : DT_F32;
    if (c->dtype != DT_F32 && c->dtype != DT_F16 && c->dtype != DT_BF16)
        return err_set(EXIT_DATA, "dtype '%s' is none of float32, float16, bfloat16", name);
    return 0;
}

/* The text of KEY, FALLBACK when absent, has to be WANT. */
static int demand_text(const cJSON *json, const char *key, const char *fallback, const char *want)
{
    const char *text = fallback;

    if (json_text(json, key, &text) < 0)
        return -1;
    return strcmp(text, want) == 0
               ? 0
               : err_set(EXIT_NODEVICE, "%s '%s' is not supported; only '%s' is", key, text, want);
}

/* Q is quantization_config. */
static int read_bitsandbytes(struct config *c, const cJSON *q)
{
    const char *compute = "float32";
    bool four = false, eight = false;

    if (demand_text(q, "quant_method", "bitsandbytes", "bitsandbytes") < 0 ||
        json_bool(q, "load_in_4bit", &four) < 0 || json_bool(q, "load_in_8bit", &eight) < 0 ||
        json_bool(q, "bnb_4bit_use_double_quant", &c->quant.nested) < 0 ||
        json_text(q, "bnb_4bit_compute_dtype", &compute) < 0)
        return -1;
    if (eight || !four)
        return err_set(EXIT_NODEVICE, "the model is not in 4 bits as load_in_4bit makes it; "
                                      "quantise the original with quantize-nf4");
    /* fp4 is bitsandbytes' own default */
    if (demand_text(q, "bnb_4bit_quant_type", "fp4", "nf4") < 0 ||
        demand_text(q, "bnb_4bit_quant_storage", "uint8", "uint8") < 0)
        return -1;
    c->quant.compute = dtype_of(compute);
    if (c->quant.compute == DT_NONE)
        return err_set(EXIT_DATA, "unknown bnb_4bit_compute_dtype '%s'", compute);
    c->quant.present = true;
    return 0;
}

static int read_quant(struct config *c, const cJSON *json)
{
    const cJSON *q = NULL;

    if (json_object(json, "quantization_config", &q) < 0)
        return -1;
    return q && read_bitsandbytes(c, q) < 0 ? err_in("quantization_config") : 0;
}

static int add_stop(struct config *c, const cJSON *id)
{
    if (!cJSON_IsNumber(id) || id->valuedouble != floor(id->valuedouble) || id->valuedouble < 0 ||
        id->valuedouble > UINT32_MAX)
        return err_set(EXIT_DATA, "eos_token_id is not a token id");
    if (id->valuedouble >= (double)c->vocab)
        return err_set(EXIT_DATA, "eos_token_id %.0f is outside the vocabulary of %lld",
                       id->valuedouble, (long long)c->vocab);
    if (c->stops == CONFIG_STOP_IDS)
        return err_set(EXIT_DATA, "eos_token_id lists more than %d ids", CONFIG_STOP_IDS);
    c->stop[c->stops++] = (uint32_t)id->valuedouble;
    return 0;
}

/* Absent: what is there already counts; null: nothing ends a text. */
static int read_stops(struct config *c, const cJSON *json)
{
    const cJSON *eos = cJSON_GetObjectItemCaseSensitive(json, "eos_token_id");

    if (!eos)
        return 0;
    c->stops = 0;
    if (cJSON_IsNull(eos))
        return 0;
    if (!cJSON_IsArray(eos))
        return add_stop(c, eos);
    for (const cJSON *id = eos->child; id; id = id->next)
        if (add_stop(c, id) < 0)
            return -1;
    return 0;
}

int config_read(struct config *c, const cJSON *json)
{
    const char *type = NULL;
    int got;

    if (!cJSON_IsObject(json))
        return err_set(EXIT_DATA, "not an object");
    got = json_text(json, "model_type", &type);
    if (got <= 0)
        return got < 0 ? -1 : err_set(EXIT_DATA, "model_type is missing");
    const struct arch *arch = arch_find(type);

    if (!arch)
        return -1;
    *c = arch->defaults;
    c->arch = arch;
    if (read_sizes(c, json) < 0 || rope_load(c, json) < 0 || read_dtype(c, json) < 0 ||
        read_quant(c, json) < 0 || json_bool(json, "tie_word_embeddings", &c->tied) < 0 ||
        read_stops(c, json) < 0)
        return -1;
    c->bos = c->stops ? (int64_t)c->stop[0] : -1;
    const int begins = json_int(json, "bos_token_id", &c->bos, 0, UINT32_MAX);

    if (begins < 0)
        return -1;
    if (begins && c->bos >= c->vocab)
        return err_set(EXIT_DATA, "bos_token_id %lld is outside the vocabulary of %lld",
                       (long long)c->bos, (long long)c->vocab);
    return arch->configure(c, json);
}

/* Where this file is, it alone counts, even if it says nothing: so does transformers. */
static int read_generation(struct config *c, const cJSON *json)
{
    if (!cJSON_IsObject(json))
        return err_set(EXIT_DATA, "not an object");
    c->stops = 0;
    return read_stops(c, json);
}

static int read_file_json(struct config *c, const struct pack *p, const struct pack_file *f,
                          int (*read)(struct config *, const cJSON *))
{
    cJSON *json = json_parse_any((const char *)f->data, f->size);
    const int rc = json ? read(c, json) : -1;

    cJSON_Delete(json);
    return rc < 0 ? err_in("%s: %s", pack_name(p), f->name) : 0;
}

int config_load(struct config *c, const struct pack *p)
{
    const struct pack_file *model = pack_find(p, "config.json");
    const struct pack_file *generation = pack_find(p, "generation_config.json");

    if (!model)
        return pack_no_model(p);
    if (read_file_json(c, p, model, config_read) < 0)
        return -1;
    return generation ? read_file_json(c, p, generation, read_generation) : 0;
}
