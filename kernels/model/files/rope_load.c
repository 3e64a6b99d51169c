/* rope_load.c - rope_theta, partial_rotary_factor, rope_scaling and rope_parameters. */
#include "files/rope_load.h"

#include "archs/arch.h"

#include <math.h>
#include <string.h>

static int need_double(const cJSON *o, const char *key, double *value)
{
    const int got = json_double(o, key, value);

    if (got < 0)
        return -1;
    if (!got)
        return err_set(EXIT_DATA, "%s is missing", key);
    return *value > 0 && *value <= 1e6
               ? 0
               : err_set(EXIT_DATA, "%s %g is not within 0..1e6", key, *value);
}

static int need_original(struct rope *r, const cJSON *scaling, const cJSON *json)
{
    static const char key[] = "original_max_position_embeddings";
    int got = json_int(scaling, key, &r->original, 2, CONFIG_MAX_POSITIONS);

    if (got == 0)
        got = json_int(json, key, &r->original, 2, CONFIG_MAX_POSITIONS);
    return got > 0 ? 0 : got < 0 ? -1 : err_set(EXIT_DATA, "%s is missing", key);
}

static int read_llama3(struct rope *r, const cJSON *scaling, const cJSON *json)
{
    r->kind = ROPE_LLAMA3;
    if (need_double(scaling, "factor", &r->factor) < 0 ||
        need_double(scaling, "low_freq_factor", &r->low_freq) < 0 ||
        need_double(scaling, "high_freq_factor", &r->high_freq) < 0 ||
        need_original(r, scaling, json) < 0)
        return -1;
    return r->high_freq > r->low_freq
               ? 0
               : err_set(EXIT_DATA, "high_freq_factor is not above low_freq_factor");
}

static int read_divisors(struct rope *r, const cJSON *list, int64_t n)
{
    const cJSON *v;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != (int)n)
        return err_set(EXIT_DATA, "short_factor is not a list of %lld numbers", (long long)n);
    v = list->child;
    for (int64_t i = 0; i < n; i++, v = v->next) {
        if (!cJSON_IsNumber(v) || !(v->valuedouble > 0 && v->valuedouble <= 1e6))
            return err_set(EXIT_DATA, "short_factor: entry %lld is no number within 0..1e6",
                           (long long)i);
        r->divisor[i] = (float)v->valuedouble;
    }
    return 0;
}

/* Texts within the original context are turned by the short factors; longer ones would need the
 * others for all of their tokens, the first ones too, and are refused where a text is checked. */
static int read_longrope(struct config *c, const cJSON *scaling, const cJSON *json)
{
    struct rope *r = &c->rope;
    double attention = 1;

    r->kind = ROPE_LONG;
    if (need_original(r, scaling, json) < 0 ||
        read_divisors(r, cJSON_GetObjectItemCaseSensitive(scaling, "short_factor"), r->rot / 2) < 0)
        return -1;
    const double stretch = (double)c->max_positions / (double)r->original;

    if (stretch > 1)
        attention = sqrt(1 + log(stretch) / log((double)r->original));
    if (json_double(scaling, "attention_factor", &attention) < 0)
        return -1;
    if (!(attention > 0 && attention <= 1e3))
        return err_set(EXIT_DATA, "attention_factor %g is not within 0..1000", attention);
    r->scale = (float)attention;
    if (c->max_positions > r->original)
        c->max_positions = r->original;
    return 0;
}

static int read_scaling(struct config *c, const cJSON *scaling, const cJSON *json)
{
    const char *type = "default";
    int got = json_text(scaling, "rope_type", &type);

    if (got == 0)
        got = json_text(scaling, "type", &type);
    if (got < 0)
        return -1;
    if (!strcmp(type, "default"))
        return 0;
    if (!strcmp(type, "linear")) {
        c->rope.kind = ROPE_LINEAR;
        return need_double(scaling, "factor", &c->rope.factor);
    }
    if (!strcmp(type, "llama3"))
        return read_llama3(&c->rope, scaling, json);
    if (!strcmp(type, "longrope") || !strcmp(type, "su"))
        return read_longrope(c, scaling, json);
    return err_set(EXIT_NODEVICE,
                   "type '%.100s' is not supported; default, linear, llama3 and longrope are",
                   type);
}

/* Both stand at the top, or (transformers 5) inside rope_parameters, which then wins. */
static int read_angles(struct config *c, const cJSON *json, const cJSON *params)
{
    double theta = (double)c->rope.theta, factor = c->arch->rotary;

    for (const cJSON *it = params ? params->child : NULL; it; it = it->next)
        if (cJSON_IsObject(it)) /* "full_attention": {...} */
            return err_set(EXIT_NODEVICE,
                           "rope_parameters: '%.100s', a rotation of some layers, is not supported",
                           it->string);

    if (json_double(json, "rope_theta", &theta) < 0 ||
        json_double(json, "partial_rotary_factor", &factor) < 0)
        return -1;
    if (params && (json_double(params, "rope_theta", &theta) < 0 ||
                   json_double(params, "partial_rotary_factor", &factor) < 0))
        return err_in("rope_parameters");
    if (!(theta >= 1 && theta <= 1e12)) /* below, frequencies leave what a float can hold */
        return err_set(EXIT_DATA, "rope_theta %g is not within 1..1e12", theta);
    if (!(factor > 0 && factor <= 1))
        return err_set(EXIT_DATA, "partial_rotary_factor %g is not within 0..1", factor);
    c->rope.theta = (float)theta;
    c->rope.rot = (int64_t)((double)c->head_dim * factor);
    if (c->rope.rot < 2 || c->rope.rot % 2)
        return err_set(EXIT_DATA,
                       "%lld rotary dimensions (head size %lld times partial_rotary_factor %g) "
                       "are not a positive even number",
                       (long long)c->rope.rot, (long long)c->head_dim, factor);
    return 0;
}

int rope_load(struct config *c, const cJSON *json)
{
    const cJSON *scaling = NULL, *params = NULL;

    c->rope.scale = 1;
    if (json_object(json, "rope_scaling", &scaling) < 0 ||
        json_object(json, "rope_parameters", &params) < 0 || read_angles(c, json, params) < 0)
        return -1;
    if (params)
        return read_scaling(c, params, json) < 0 ? err_in("rope_parameters") : 0;
    return scaling && read_scaling(c, scaling, json) < 0 ? err_in("rope_scaling") : 0;
}
