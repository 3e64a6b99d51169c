/* adapter.c - adapters as files: adapter_config.json and adapter_model.safetensors, as PEFT has
 * them. */
#include "lora_set.h"

#include "json.h"
#include "tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "base_model.model."
enum { RANK_MAX = 65536 };

/* ---- adapter_config.json ---- */

struct adapter_config {
    struct lora_options opt;
    const cJSON *rank_pattern, *alpha_pattern; /* NULL: every module has the same */
};

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
    static const char *const known[] = { "gaussian", "orthogonal", "eva" };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (cJSON_IsString(init) && !strcmp(init->valuestring, known[i]))
            return true;
    return !cJSON_IsString(init);
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

static int get_pattern(const cJSON **pattern, const cJSON *root, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, key);

    *pattern = NULL;
    if (!v || cJSON_IsNull(v) || (cJSON_IsObject(v) && !v->child))
        return 0;
    if (!cJSON_IsObject(v))
        return err_set(EXIT_DATA, "'%s' is not an object", key);
    for (const cJSON *it = v->child; it; it = it->next) {
        if (strpbrk(it->string, "^$*+?()[]{}|\\"))
            return err_set(EXIT_NODEVICE,
                           "'%s' has the regular expression '%s', which is not supported; "
                           "name the modules",
                           key, it->string);
        if (!cJSON_IsNumber(it) || !(it->valuedouble > 0) || it->valuedouble > 1e9)
            return err_set(EXIT_DATA, "'%s' has no positive number for '%s'", key, it->string);
    }
    *pattern = v;
    return 0;
}

/* The number that PATTERN has for PATH, else OTHERWISE. */
static double by_pattern(const cJSON *pattern, const char *path, double otherwise)
{
    for (const cJSON *it = pattern ? pattern->child : NULL; it; it = it->next)
        if (lora_path_matches(path, it->string, strlen(it->string)))
            return it->valuedouble;
    return otherwise;
}

static int read_config(struct adapter_config *c, const cJSON *root)
{
    double alpha = 8, dropout = 0; /* LoraConfig's own defaults */
    int64_t rank = 8;
    bool rslora = false;

    if (!cJSON_IsObject(root))
        return err_set(EXIT_DATA, "not a JSON object");
    if (check_features(root) < 0 || json_int(root, "r", &rank, 1, RANK_MAX) < 0 ||
        json_double(root, "lora_alpha", &alpha) < 0 ||
        json_double(root, "lora_dropout", &dropout) < 0 ||
        json_bool(root, "use_rslora", &rslora) < 0 ||
        get_pattern(&c->rank_pattern, root, "rank_pattern") < 0 ||
        get_pattern(&c->alpha_pattern, root, "alpha_pattern") < 0)
        return -1;
    if (!(dropout >= 0 && dropout < 1))
        return err_set(EXIT_DATA, "'lora_dropout' is not within 0..1");
    if (!isfinite(alpha))
        return err_set(EXIT_DATA, "'lora_alpha' is not a number");
    c->opt = (struct lora_options){
        .rank = rank, .alpha = alpha, .dropout = dropout, .rslora = rslora, .init = "true"
    };
    return 0;
}

static int load_config(cJSON **root, struct adapter_config *c, const struct pack *p)
{
    const struct pack_file *f = pack_find(p, "adapter_config.json");

    if (!f)
        return err_set(EXIT_DATA, "no adapter_config.json; this is no PEFT adapter");
    *root = json_parse((const char *)f->data, f->size);
    return *root && read_config(c, *root) == 0 ? 0 : err_in("adapter_config.json");
}

/* ---- names of tensors ---- */

struct pair {
    const struct tensor *a, *b;
};

/* Steps *AT over TEXT when it stands there. */
static bool skip(const char **at, const char *text, size_t n)
{
    if (strncmp(*at, text, n))
        return false;
    *at += n;
    return true;
}

static bool skip_text(const char **at, const char *text)
{
    return skip(at, text, strlen(text));
}

/* The layer number behind the architecture's prefix, canonical decimal. */
static bool skip_layer(const char **at, const struct model *m, int *layer)
{
    const char *prefix = model_layer_prefix(m), *number = strstr(prefix, "%d");
    char *end;

    if (!skip(at, prefix, (size_t)(number - prefix)) || **at < '0' || **at > '9' ||
        (**at == '0' && (*at)[1] >= '0' && (*at)[1] <= '9'))
        return false;

    const long n = strtol(*at, &end, 10);

    *at = end;
    *layer = (int)n;
    return n < model_config(m)->layers && skip_text(at, number + 2);
}

static bool skip_module(const char **at, const struct model *m, int *module)
{
    for (*module = 0; *module < model_modules(m); ++*module) {
        const char *path = model_module(m, *module)->path;
        const size_t n = strlen(path);

        if (!strncmp(*at, path, n) && (*at)[n] == '.') {
            *at += n;
            return true;
        }
    }
    return false;
}

/* Finds the place of NAME in the model; false when it has none. */
static bool parse_name(const char *name, const struct model *m, int *layer, int *module, bool *is_b)
{
    if (!skip_text(&name, KEY_PREFIX) || !skip_layer(&name, m, layer) ||
        !skip_module(&name, m, module))
        return false;
    if (!skip_text(&name, ".lora_A") && !skip_text(&name, ".lora_B"))
        return false;
    *is_b = name[-1] == 'B';
    skip_text(&name, ".default");
    return !strcmp(name, ".weight");
}

static int sort_tensors(struct pair *pairs, const struct tensors *t, const struct model *m)
{
    for (int i = 0; i < tensors_count(t); i++) {
        const struct tensor *it = tensors_at(t, i);
        int layer, module;
        bool is_b;

        if (!parse_name(it->name, m, &layer, &module, &is_b))
            return err_set(EXIT_DATA,
                           "'%s' fits nothing in the model; is the adapter for another one?",
                           it->name);

        struct pair *p = &pairs[layer * model_modules(m) + module];
        const struct tensor **to = is_b ? &p->b : &p->a;

        if (*to)
            return err_set(EXIT_DATA, "'%s' and '%s' are the same tensor", (*to)->name, it->name);
        *to = it;
    }
    return 0;
}

/* ---- values ---- */

static int check_shape(const struct tensor *t, int64_t rows, int64_t cols)
{
    if (t->dtype != DT_F32 && t->dtype != DT_F16 && t->dtype != DT_BF16)
        return err_set(EXIT_DATA, "'%s' is %s; only F32, F16 and BF16 can be read", t->name,
                       dtype_name(t->dtype));
    if (t->rank != 2 || t->shape[0] != rows || t->shape[1] != cols)
        return err_set(EXIT_DATA, "'%s' has not the shape [%lld, %lld] that rank and model ask for",
                       t->name, (long long)rows, (long long)cols);
    return 0;
}

static int copy_values(float *out, const struct tensor *t)
{
    for (int64_t i = 0; i < t->n; i++) {
        uint16_t half;

        if (t->dtype == DT_F32) {
            memcpy(&out[i], t->data + 4 * i, sizeof *out);
        } else {
            memcpy(&half, t->data + 2 * i, sizeof half);
            out[i] = t->dtype == DT_F16 ? f32_of_f16(half) : f32_of_bf16(half);
        }
        if (!isfinite(out[i]))
            return err_set(EXIT_NUMERIC, "'%s' has a value that is not finite; train it again",
                           t->name);
    }
    return 0;
}

/* Adds the pair of one place to the table, its shapes checked. */
static int add_pair(struct lora_set *l, const struct pair *p, int layer, int module,
                    const struct adapter_config *c)
{
    const struct module_info *info = model_module(l->model, module);
    struct buf path = BUF_INIT;

    if (!p->a || !p->b)
        return err_set(EXIT_DATA, "'%s' has no lora_%s beside it", p->a ? p->a->name : p->b->name,
                       p->a ? "B" : "A");
    lora_module_path(&path, l->model, layer, module);

    const int64_t rank = (int64_t)by_pattern(c->rank_pattern, path.p, (double)c->opt.rank);
    const double alpha = by_pattern(c->alpha_pattern, path.p, c->opt.alpha);

    buf_free(&path);
    if (check_shape(p->a, rank, info->cols) < 0 || check_shape(p->b, info->rows, rank) < 0)
        return -1;
    lora_set_add(l, layer, module, rank, lora_scale(alpha, rank, c->opt.rslora));
    return 0;
}

static int fill_from(struct lora_set *l, const struct pair *pairs, const struct adapter_config *c,
                     bool train)
{
    const int layers = (int)model_config(l->model)->layers, modules = model_modules(l->model);
    int rc = 0;

    for (int i = 0; i < layers * modules; i++)
        if ((pairs[i].a || pairs[i].b) && add_pair(l, &pairs[i], i / modules, i % modules, c) < 0)
            return -1;
    if (l->n == 0)
        return err_set(EXIT_DATA, "the adapter has no tensors");

    float *host = xcalloc((size_t)l->params, sizeof *host);

    for (int i = 0; i < l->n && rc == 0; i++) {
        const struct lora_tensor *t = &l->tensor[i];
        const struct pair *p = &pairs[t->layer * modules + t->module];

        if (copy_values(host + t->a_at, p->a) < 0 || copy_values(host + t->b_at, p->b) < 0)
            rc = -1;
    }
    if (rc == 0)
        rc = lora_set_fill(l, host, train);
    free(host);
    return rc;
}

int lora_load(struct lora_set **out, const struct model *m, const struct pack *adapter, bool train)
{
    const size_t places = (size_t)model_config(m)->layers * (size_t)model_modules(m);
    struct pair *pairs = xcalloc(places, sizeof *pairs);
    struct adapter_config c = { 0 };
    struct tensors *t = NULL;
    struct lora_set *l = NULL;
    cJSON *root = NULL;
    int rc = -1;

    if (load_config(&root, &c, adapter) < 0)
        goto done;
    if (train && (c.rank_pattern || c.alpha_pattern)) {
        err_set(EXIT_NODEVICE,
                "training an adapter with rank_pattern or alpha_pattern is not supported");
        goto done;
    }
    if (tensors_open(&t, adapter, "adapter_model") < 0 || sort_tensors(pairs, t, m) < 0)
        goto done;
    l = lora_set_begin(m, &c.opt);
    rc = fill_from(l, pairs, &c, train);
done:
    tensors_close(t);
    cJSON_Delete(root);
    free(pairs);
    if (rc < 0) {
        lora_free(l);
        return err_in("%s", pack_name(adapter));
    }
    *out = l;
    return 0;
}

/* ---- saving ---- */

/* "target_modules": the names of the linears that are adapted, in the model's order. */
static void put_targets(struct buf *b, const struct lora_set *l)
{
    const char *comma = "";

    buf_puts(b, "  \"target_modules\": [");
    for (int module = 0; module < model_modules(l->model); module++) {
        bool used = false;

        for (int i = 0; i < l->n && !used; i++)
            used = l->tensor[i].module == module;
        if (!used)
            continue;
        buf_printf(b, "%s\n    ", comma);
        json_put_text(b, model_module(l->model, module)->name,
                      strlen(model_module(l->model, module)->name));
        comma = ",";
    }
    buf_puts(b, "\n  ],\n");
}

/* The fields of PEFT 0.7.1, which later versions read too, as json.dumps(indent=2, sort_keys=True)
 * lays them out. use_rslora came later and is written only where it is needed. */
static void put_config(struct buf *b, const struct lora_set *l, const char *base_name)
{
    buf_puts(
        b,
        "{\n  \"alpha_pattern\": {},\n  \"auto_mapping\": null,\n  \"base_model_name_or_path\": ");
    json_put_text(b, base_name, strlen(base_name));
    buf_puts(b,
             ",\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n  \"inference_mode\": true,\n"
             "  \"init_lora_weights\": ");
    buf_puts(b, strcmp(l->opt.init, "gaussian") ? l->opt.init : "\"gaussian\"");
    buf_puts(b, ",\n  \"layers_pattern\": null,\n  \"layers_to_transform\": null,\n"
                "  \"loftq_config\": {},\n  \"lora_alpha\": ");
    if (l->opt.alpha == floor(l->opt.alpha) && fabs(l->opt.alpha) < 1e15)
        buf_printf(b, "%.0f", l->opt.alpha); /* LoraConfig has an integer there */
    else
        json_put_double(b, l->opt.alpha);
    buf_puts(b, ",\n  \"lora_dropout\": ");
    json_put_double(b, l->opt.dropout);
    buf_puts(b, ",\n  \"megatron_config\": null,\n  \"megatron_core\": \"megatron.core\",\n"
                "  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n");
    buf_printf(b, "  \"r\": %lld,\n  \"rank_pattern\": {},\n  \"revision\": null,\n",
               (long long)l->opt.rank);
    put_targets(b, l);
    buf_printf(b, "  \"task_type\": \"CAUSAL_LM\"%s\n}",
               l->opt.rslora ? ",\n  \"use_rslora\": true" : "");
}

static void put_card(struct buf *b, const struct lora_set *l, const char *base_name)
{
    buf_puts(b, "---\nbase_model: ");
    json_put_text(b, base_name, strlen(base_name));
    buf_printf(b,
               "\nlibrary_name: peft\ntags:\n- lora\n---\n\n# LoRA adapter\n\n"
               "Low-rank weights of %d linear layers, rank %lld, alpha %g%s, for the base model "
               "named above.\n",
               l->n, (long long)l->opt.rank, l->opt.alpha,
               l->opt.rslora ? " (rank-stabilised)" : "");
    buf_puts(b,
             "Made by lora-train of slmtools; PEFT loads it with `PeftModel.from_pretrained`.\n");
}

/* Declares A and B of every pair: tensor 2 i is the A of pair i, 2 i + 1 its B. */
static void declare(struct tensors_writer *w, const struct lora_set *l)
{
    struct buf name = BUF_INIT;

    for (int i = 0; i < 2 * l->n; i++) {
        const struct lora_tensor *t = &l->tensor[i / 2];
        const struct module_info *info = model_module(l->model, t->module);
        const int64_t a[] = { t->rank, info->cols }, b[] = { info->rows, t->rank };

        buf_clear(&name);
        buf_puts(&name, KEY_PREFIX);
        lora_module_path(&name, l->model, t->layer, t->module);
        buf_puts(&name, i % 2 ? ".lora_B.weight" : ".lora_A.weight");
        tensors_declare(w, name.p, DT_F32, 2, i % 2 ? b : a);
    }
    buf_free(&name);
}

static int write_tensor(struct tensors_writer *w, const struct lora_set *l, int i)
{
    const struct lora_tensor *t = &l->tensor[i / 2];
    const struct module_info *info = model_module(l->model, t->module);
    const size_t bytes = (size_t)(t->rank * (i % 2 ? info->rows : info->cols)) * sizeof(float);
    const struct dev *from = l->ops->slice_const(l->p, (i % 2 ? t->b_at : t->a_at) * sizeof(float));
    float *host = xmalloc(bytes);
    const int rc = l->ops->get(host, from, bytes) < 0 ? -1 : tensors_write_data(w, host, bytes);

    free(host);
    return rc;
}

static int write_tensors(const struct lora_set *l, struct pack_writer *out)
{
    struct tensors_writer *w = tensors_writer_new();

    declare(w, l);
    if (tensors_write_begin(w, out, "adapter_model.safetensors") < 0)
        return -1;
    for (int i = 0; i < 2 * l->n; i++)
        if (write_tensor(w, l, tensors_write_order(w)[i]) < 0)
            return -1;
    return tensors_write_end(w);
}

static int put_text(struct pack_writer *out, const char *name, struct buf *text)
{
    const int rc = pack_put(out, name, text->p, text->n);

    buf_clear(text);
    return rc;
}

const char *const lora_files[] = { "README.md", "adapter_config.json", "adapter_model.safetensors",
                                   NULL };

int lora_save(const struct lora_set *l, struct pack_writer *out, const char *base_name)
{
    struct buf text = BUF_INIT;
    int rc;

    put_card(&text, l, base_name);
    rc = put_text(out, "README.md", &text);
    if (rc == 0) {
        put_config(&text, l, base_name);
        rc = put_text(out, "adapter_config.json", &text);
    }
    buf_free(&text);
    return rc < 0 ? -1 : write_tensors(l, out);
}

uint64_t lora_bytes(const struct lora_set *l)
{
    enum { NAMES = 256, TEXTS = 1 << 14 }; /* an entry of the header; config and card */

    return (uint64_t)l->params * sizeof(float) + 2 * (uint64_t)l->n * NAMES + TEXTS;
}
