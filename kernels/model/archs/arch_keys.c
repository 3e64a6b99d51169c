/* arch_keys.c - what the families' configs have in common, and the linears of Llama's kin. */
#include "archs/arch_keys.h"

#include <string.h>

int keys_dropout(float *p, const cJSON *json, const char *key)
{
    double v = (double)*p;

    if (json_double(json, key, &v) < 0)
        return -1;
    if (!(v >= 0 && (float)v < 1))
        return err_set(EXIT_DATA, "%s %g is not within 0..1", key, v);
    *p = (float)v;
    return 0;
}

int keys_eps(struct config *c, const cJSON *json, const char *key)
{
    double eps = (double)c->norm_eps;

    if (json_double(json, key, &eps) < 0)
        return -1;
    if (!((float)eps > 0 && eps < 1))
        return err_set(EXIT_DATA, "%s %g is not a float between 0 and 1", key, eps);
    c->norm_eps = (float)eps;
    return 0;
}

int keys_activation(struct config *c, const cJSON *json, const char *fallback)
{
    static const struct {
        const char *name;
        enum activation act;
    } known[] = {
        { "gelu_new", ACT_GELU_NEW },
        { "gelu_pytorch_tanh", ACT_GELU_NEW }, /* one function, two names */
        { "silu", ACT_SILU },
        { "swish", ACT_SILU },
    };
    const char *name = fallback, *key = arch_key(c->arch, "hidden_act");

    if (json_text(json, key, &name) < 0)
        return -1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) {
            c->act = known[i].act;
            return 0;
        }
    return err_set(EXIT_NODEVICE, "%s '%.100s' is not supported; 'gelu_new' and 'silu' are", key,
                   name);
}

/* Which layers layer_types gives a window. */
static int read_layer_types(struct config *c, const cJSON *types)
{
    const cJSON *type = types->child;

    for (int64_t i = 0; i < c->layers; i++, type = type->next) {
        if (!cJSON_IsString(type))
            return err_set(EXIT_DATA, "layer_types has no text for layer %lld", (long long)i);
        c->windowed[i] = !strcmp(type->valuestring, "sliding_attention");
        if (!c->windowed[i] && strcmp(type->valuestring, "full_attention") != 0)
            return err_set(EXIT_NODEVICE, "layer_types: '%.100s' is not supported",
                           type->valuestring);
    }
    return 0;
}

int keys_window(struct config *c, const cJSON *json, int64_t first)
{
    const cJSON *window = cJSON_GetObjectItemCaseSensitive(json, "sliding_window");
    const cJSON *types = cJSON_GetObjectItemCaseSensitive(json, "layer_types");

    if (cJSON_IsNull(window))
        c->window = 0;
    else if (json_int(json, "sliding_window", &c->window, 1, (int64_t)1 << 40) < 0)
        return -1;
    if (!c->window)
        return 0;
    for (int64_t i = 0; i < c->layers; i++)
        c->windowed[i] = i >= first;
    if (!types || cJSON_IsNull(types))
        return 0;
    if (!cJSON_IsArray(types) || cJSON_GetArraySize(types) < (int)c->layers)
        return err_set(EXIT_DATA, "layer_types is not a list of %lld texts", (long long)c->layers);
    return read_layer_types(c, types);
}

int keys_llama(struct config *c, const cJSON *json)
{
    return keys_activation(c, json, "silu") < 0 || keys_eps(c, json, "rms_norm_eps") < 0 ||
                   keys_dropout(&c->attention_pdrop, json, "attention_dropout") < 0
               ? -1
               : 0;
}

int modules_gated(struct module_info *out, const struct config *c)
{
    const int64_t query = c->heads * c->head_dim, key = c->kv_heads * c->head_dim;
    const struct module_info all[] = {
        { ROLE_Q, "self_attn.q_proj", query, c->dim, c->qkv_bias },
        { ROLE_K, "self_attn.k_proj", key, c->dim, c->qkv_bias },
        { ROLE_V, "self_attn.v_proj", key, c->dim, c->qkv_bias },
        { ROLE_OUT, "self_attn.o_proj", c->dim, query, c->out_bias },
        { ROLE_GATE, "mlp.gate_proj", c->inner, c->dim, c->mlp_bias },
        { ROLE_UP, "mlp.up_proj", c->inner, c->dim, c->mlp_bias },
        { ROLE_DOWN, "mlp.down_proj", c->dim, c->inner, c->mlp_bias },
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}
