#include "files/adapter_config.h"

#include "json.h"
#include "lora/lora_set.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RANK_MAX = 65536, PATTERNS_MAX = 16384 };

/* ---- features ---- */

/* Features of PEFT that change the numbers and that we do not have: absent, null, false, empty or
 * the value in USUAL is what we can read. */
static const struct {
    const char *key, *usual;
} refused[] = {
    { "bias", "none" },
    { "peft_type", "LORA" },
    { "use_dora", NULL },
    { "fan_in_fan_out", NULL },
    { "modules_to_save", NULL },
    { "lora_bias", NULL },
    { "use_qalora", NULL },
    { "use_bdlora", NULL },
    { "layer_replication", NULL },
    { "trainable_token_indices", NULL },
    { "target_parameters", NULL },
    { "alora_invocation_tokens", NULL },
    { "megatron_config", NULL },
    { "arrow_config", NULL },
};

/* Keys that are read here, and those that say nothing about what a trained adapter computes. */
static const char *const known[] = {
    "r",
    "lora_alpha",
    "lora_dropout",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "init_lora_weights",
    "base_model_name_or_path",
    "task_type",
    "auto_mapping",
    "peft_version",
    "revision",
    "inference_mode",
    "megatron_core",
    "loftq_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "qalora_group_size",
    "runtime_config",
    "ensure_weight_tying",
};

static bool is_usual(const cJSON *v, const char *usual)
{
    if (!v || cJSON_IsNull(v) || cJSON_IsFalse(v))
        return true;
    if (cJSON_IsArray(v) || cJSON_IsObject(v))
        return !v->child;
    return usual && cJSON_IsString(v) && !strcmp(v->valuestring, usual);
}

/* Starts that also change the base model's weights, "pissa" and its like, cannot be read: the
 * adapter alone does not say how the base looked. */
static bool keeps_base(const cJSON *init)
{
    static const char *const starts[] = { "gaussian", "orthogonal", "eva" };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (cJSON_IsString(init) && !strcmp(init->valuestring, starts[i]))
            return true;
    return !cJSON_IsString(init);
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(key, known[i]))
            return true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!strcmp(key, refused[i].key))
            return true;
    return false;
}

/* What PEFT will have one day may change the numbers, or not. */
static void warn_of_unknown(const cJSON *root, const struct pack *adapter)
{
    for (const cJSON *it = root->child; it; it = it->next)
        if (!is_known(it->string) && !is_usual(it, NULL)) {
            warn("%s: adapter_config.json: '%s' is not known here and changes nothing",
                 pack_name(adapter), it->string);
            return;
        }
}

static int check_features(const cJSON *root)
{
    const cJSON *init = cJSON_GetObjectItemCaseSensitive(root, "init_lora_weights");

    if (!keeps_base(init))
        return err_set(EXIT_NODEVICE, "adapters that were started with '%s' are not supported",
                       init->valuestring);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!is_usual(cJSON_GetObjectItemCaseSensitive(root, refused[i].key), refused[i].usual))
            return err_set(EXIT_NODEVICE, "adapters with '%s' are not supported", refused[i].key);
    return 0;
}

/* ---- patterns ---- */

static bool patterns_match(const struct adapter_patterns *p, const char *path)
{
    for (int i = 0; i < p->n; i++)
        if (module_pattern_matches(&p->v[i], path))
            return true;
    return false;
}

static double value_at(const struct adapter_patterns *p, const char *path, double otherwise)
{
    for (int i = 0; i < p->n; i++)
        if (module_pattern_matches(&p->v[i], path))
            return p->value[i];
    return otherwise;
}

static void patterns_free(struct adapter_patterns *p)
{
    for (int i = 0; i < p->n; i++)
        module_pattern_free(&p->v[i]);
    free(p->v);
    free(p->value);
    *p = (struct adapter_patterns){ 0 };
}

static int patterns_begin(struct adapter_patterns *p, int n)
{
    if (n > PATTERNS_MAX)
        return err_set(EXIT_DATA, "more than %d names", PATTERNS_MAX);
    p->v = xcalloc((size_t)n, sizeof *p->v);
    p->value = xcalloc((size_t)n, sizeof *p->value);
    return 0;
}

/* rank_pattern, alpha_pattern: expressions for the end of a path, and numbers. */
static int read_values(struct adapter_patterns *p, const cJSON *v)
{
    if (!cJSON_IsObject(v))
        return err_set(EXIT_DATA, "not an object");
    if (patterns_begin(p, cJSON_GetArraySize(v)) < 0)
        return -1;
    for (const cJSON *it = v->child; it; it = it->next) {
        if (!cJSON_IsNumber(it) || !(it->valuedouble > 0) || it->valuedouble > 1e9)
            return err_set(EXIT_DATA, "no positive number for '%s'", it->string);
        if (module_pattern_expression(&p->v[p->n], "(.*\\.)?(", it->string, ")") < 0)
            return -1;
        p->value[p->n++] = it->valuedouble;
    }
    return 0;
}

/* target_modules, exclude_modules: names, or one expression for whole paths. */
static int read_names(struct adapter_patterns *p, const cJSON *v)
{
    if (cJSON_IsString(v)) {
        if (patterns_begin(p, 1) < 0 ||
            module_pattern_expression(&p->v[0], "", v->valuestring, "") < 0)
            return -1;
        p->n = 1;
        return 0;
    }
    if (!cJSON_IsArray(v))
        return err_set(EXIT_DATA, "neither a text nor a list");
    if (patterns_begin(p, cJSON_GetArraySize(v)) < 0)
        return -1;
    for (const cJSON *it = v->child; it; it = it->next) {
        if (!cJSON_IsString(it))
            return err_set(EXIT_DATA, "it lists what is no text");
        module_pattern_name(&p->v[p->n++], it->valuestring);
    }
    return 0;
}

/* layers_pattern: expressions for what stands before a layer's number. */
static int read_layer_names(struct adapter_patterns *p, const cJSON *v)
{
    const cJSON *it = cJSON_IsArray(v) ? v->child : v;

    if (patterns_begin(p, cJSON_IsArray(v) ? cJSON_GetArraySize(v) : 1) < 0)
        return -1;
    for (; it; it = cJSON_IsArray(v) ? it->next : NULL) {
        if (!cJSON_IsString(it))
            return err_set(EXIT_DATA, "it lists what is no text");
        if (module_pattern_expression(&p->v[p->n], ".*\\.", it->valuestring, "\\.\\d+\\..*") < 0)
            return -1;
        p->n++;
    }
    return 0;
}

/* The member KEY through READ, unless it is absent, null or empty. */
static int read_patterns(struct adapter_patterns *p, const cJSON *root, const char *key,
                         int (*read)(struct adapter_patterns *, const cJSON *))
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, key);

    return is_usual(v, "") || read(p, v) == 0 ? 0 : err_in("'%s'", key);
}

static int read_layers(struct adapter_config *c, const cJSON *root)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, "layers_to_transform");
    const cJSON *it = cJSON_IsArray(v) ? v->child : v;

    if (is_usual(v, NULL))
        return 0;
    c->lists_layers = true;
    c->layer = xnmalloc(cJSON_IsArray(v) ? (size_t)cJSON_GetArraySize(v) : 1, sizeof *c->layer);
    for (; it; it = cJSON_IsArray(v) ? it->next : NULL) {
        if (!cJSON_IsNumber(it) || it->valuedouble != floor(it->valuedouble) ||
            !(it->valuedouble >= 0 && it->valuedouble <= INT32_MAX))
            return err_set(EXIT_DATA, "'layers_to_transform' lists what is no layer");
        c->layer[c->n_layers++] = (int64_t)it->valuedouble;
    }
    return 0;
}

static int read_where(struct adapter_config *c, const cJSON *root)
{
    const cJSON *targets = cJSON_GetObjectItemCaseSensitive(root, "target_modules");

    c->all_linear = cJSON_IsString(targets) && !strcasecmp(targets->valuestring, "all-linear");
    if (!c->all_linear && read_patterns(&c->targets, root, "target_modules", read_names) < 0)
        return -1;
    return read_patterns(&c->exclude, root, "exclude_modules", read_names) < 0 ||
                   read_patterns(&c->layers_pattern, root, "layers_pattern", read_layer_names) < 0
               ? -1
               : read_layers(c, root);
}

/* ---- the whole ---- */

static int read_numbers(struct adapter_config *c, const cJSON *root)
{
    double alpha = 8, dropout = 0; /* LoraConfig's own defaults */
    int64_t rank = 8;
    bool rslora = false;

    if (json_int(root, "r", &rank, 1, RANK_MAX) < 0 ||
        json_double(root, "lora_alpha", &alpha) < 0 ||
        json_double(root, "lora_dropout", &dropout) < 0 ||
        json_bool(root, "use_rslora", &rslora) < 0 ||
        read_patterns(&c->rank, root, "rank_pattern", read_values) < 0 ||
        read_patterns(&c->alpha, root, "alpha_pattern", read_values) < 0)
        return -1;
    if (!(dropout >= 0 && (float)dropout < 1))
        return err_set(EXIT_DATA, "'lora_dropout' is not within 0..1");
    if (!(fabs(alpha) <= (double)FLT_MAX))
        return err_set(EXIT_DATA, "'lora_alpha' is beyond what a float can hold");
    for (int i = 0; i < c->rank.n; i++)
        if (c->rank.value[i] != floor(c->rank.value[i]) || c->rank.value[i] > RANK_MAX)
            return err_set(EXIT_DATA, "'rank_pattern' has no rank for '%s'", c->rank.v[i].text);
    c->opt = (struct lora_options){
        .rank = rank, .alpha = alpha, .dropout = dropout, .rslora = rslora, .init = "true"
    };
    return 0;
}

static int read_config(struct adapter_config *c, const cJSON *root)
{
    const char *base = "";

    if (!cJSON_IsObject(root))
        return err_set(EXIT_DATA, "not a JSON object");
    if (json_text(root, "base_model_name_or_path", &base) < 0)
        return -1;
    c->base = xstrdup(base);
    return check_features(root) < 0 || read_numbers(c, root) < 0 ? -1 : read_where(c, root);
}

int adapter_config_load(struct adapter_config *c, const struct pack *adapter)
{
    const struct pack_file *f = pack_find(adapter, "adapter_config.json");

    *c = (struct adapter_config){ 0 };
    if (!f)
        return err_set(EXIT_DATA, "%s; give an adapter as lora-train and PEFT write it%s",
                       pack_find(adapter, "config.json") ? "is a model and no adapter"
                                                         : "no adapter_config.json",
                       pack_find(adapter, "config.json") ? ", and the model to --model" : "");
    cJSON *root = json_parse((const char *)f->data, f->size);
    const int rc = root ? read_config(c, root) : -1;

    if (rc == 0)
        warn_of_unknown(root, adapter);
    cJSON_Delete(root);
    return rc < 0 ? err_in("adapter_config.json") : 0;
}

void adapter_config_free(struct adapter_config *c)
{
    patterns_free(&c->rank);
    patterns_free(&c->alpha);
    patterns_free(&c->targets);
    patterns_free(&c->exclude);
    patterns_free(&c->layers_pattern);
    free(c->layer);
    free(c->base);
    *c = (struct adapter_config){ 0 };
}

int64_t adapter_config_rank(const struct adapter_config *c, const char *path)
{
    return (int64_t)value_at(&c->rank, path, (double)c->opt.rank);
}

double adapter_config_alpha(const struct adapter_config *c, const char *path)
{
    return value_at(&c->alpha, path, c->opt.alpha);
}

bool adapter_config_has_targets(const struct adapter_config *c)
{
    return c->all_linear || c->targets.n;
}

static bool names_whole_path(const struct adapter_config *c, const char *path)
{
    for (int i = 0; i < c->targets.n; i++)
        if (!strcmp(c->targets.v[i].text, path))
            return true;
    return false;
}

static bool lists_layer(const struct adapter_config *c, const char *path, int layer)
{
    if (c->layers_pattern.n && !patterns_match(&c->layers_pattern, path))
        return false;
    for (int i = 0; i < c->n_layers; i++)
        if (c->layer[i] == layer)
            return true;
    return false;
}

/* In PEFT's order (check_target_module_exists): a whole path, and an expression, are not asked for
 * their layer. */
bool adapter_config_claims(const struct adapter_config *c, const char *path, int layer)
{
    if (patterns_match(&c->exclude, path))
        return false;
    if (!c->all_linear && !patterns_match(&c->targets, path))
        return false;
    if (!c->lists_layers || (c->targets.n && c->targets.v[0].is_expression) ||
        names_whole_path(c, path))
        return true;
    return lists_layer(c, path, layer);
}
