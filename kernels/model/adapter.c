/* adapter.c - adapters as files: adapter_config.json and adapter_model.safetensors, as PEFT has
 * them. */
#include "adapter_config.h"
#include "base_digest.h"
#include "lora_set.h"

#include "json.h"
#include "tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "base_model.model."
static const char base_key[] = "base_sha256";
enum { NAMES_MAX = 12 }; /* of tensors and linears in one message */

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

struct names { /* for a message: the first few, and how many there are */
    struct buf list;
    int n;
};

static void names_add(struct names *names, const char *name)
{
    if (names->n < NAMES_MAX)
        buf_printf(&names->list, "%s%.100s", names->n ? ", " : "", name);
    names->n++;
}

static const char *names_end(const struct names *names)
{
    return names->n > NAMES_MAX ? ", ..." : "";
}

/* Puts T where it belongs; 0 when nothing in the model has its name. */
static int place_tensor(struct pair *pairs, const struct tensor *t, const struct model *m)
{
    int layer, module;
    bool is_b;

    if (!parse_name(t->name, m, &layer, &module, &is_b))
        return 0;

    struct pair *p = &pairs[layer * model_modules(m) + module];
    const struct tensor **to = is_b ? &p->b : &p->a;

    if (*to)
        return err_set(EXIT_DATA, "'%s' and '%s' are the same tensor", (*to)->name, t->name);
    *to = t;
    return 1;
}

static int sort_tensors(struct pair *pairs, const struct tensors *t, const struct model *m)
{
    struct names strangers = { 0 };
    int rc = 0;

    for (int i = 0; i < tensors_count(t) && rc >= 0; i++) {
        rc = place_tensor(pairs, tensors_at(t, i), m);
        if (rc == 0)
            names_add(&strangers, tensors_at(t, i)->name);
    }
    if (rc >= 0 && strangers.n == 1)
        rc = err_set(EXIT_DATA, "'%s' fits nothing in the model; is the adapter for another one?",
                     strangers.list.p);
    else if (rc >= 0 && strangers.n)
        rc = err_set(EXIT_DATA,
                     "each of %d tensors of %d fits nothing in the model (%s%s); is the adapter "
                     "for another one?",
                     strangers.n, tensors_count(t), strangers.list.p, names_end(&strangers));
    buf_free(&strangers.list);
    return rc < 0 ? -1 : 0;
}

/* ---- what the config names ---- */

struct cover { /* linears of the model that are not as the config says */
    struct names missing, unnamed;
    int claimed;
};

static struct cover find_cover(const struct pair *pairs, const struct adapter_config *c,
                               const struct model *m)
{
    const int layers = (int)model_config(m)->layers, modules = model_modules(m);
    struct cover cover = { 0 };
    struct buf path = BUF_INIT;

    for (int i = 0; i < layers * modules; i++) {
        buf_clear(&path);
        lora_module_path(&path, m, i / modules, i % modules);
        const bool claimed = adapter_config_claims(c, path.p, i / modules);

        cover.claimed += claimed;
        if (claimed && !(pairs[i].a && pairs[i].b))
            names_add(&cover.missing, path.p);
        if (!claimed && (pairs[i].a || pairs[i].b))
            names_add(&cover.unnamed, path.p);
    }
    for (int i = 0; i < c->n_layers; i++)
        if (c->layer[i] >= layers) {
            buf_clear(&path);
            buf_printf(&path, "all of layer %lld", (long long)c->layer[i]);
            names_add(&cover.missing, path.p);
            cover.claimed++;
        }
    buf_free(&path);
    return cover;
}

static bool model_has(const struct model *m, const struct module_pattern *name)
{
    const int places = (int)model_config(m)->layers * model_modules(m);
    struct buf path = BUF_INIT;
    bool has = false;

    for (int i = 0; i < places && !has; i++) {
        buf_clear(&path);
        lora_module_path(&path, m, i / model_modules(m), i % model_modules(m));
        has = module_pattern_matches(name, path.p);
    }
    buf_free(&path);
    return has;
}

/* PEFT passes over a target that the model does not have: lists are often made for many models. */
static void say_strangers(const struct adapter_config *c, const struct model *m, const char *name)
{
    struct names strangers = { 0 };

    for (int i = 0; i < c->targets.n; i++)
        if (!model_has(m, &c->targets.v[i]))
            names_add(&strangers, c->targets.v[i].text);
    if (strangers.n)
        warn("%s: its config names what the model does not have: %s%s", name, strangers.list.p,
             names_end(&strangers));
    buf_free(&strangers.list);
}

static int judge_cover(const struct cover *cover, const char *name, bool partial)
{
    const struct names *missing = &cover->missing, *unnamed = &cover->unnamed;

    if (unnamed->n)
        return err_set(EXIT_DATA,
                       "it has tensors for %d linears that its config does not name (%s%s); "
                       "correct its target_modules",
                       unnamed->n, unnamed->list.p, names_end(unnamed));
    if (missing->n && !partial)
        return err_set(EXIT_DATA,
                       "tensors are missing for %d of the %d linears that its config names (%s%s); "
                       "get the whole adapter, or take what is there with --partial-adapter",
                       missing->n, cover->claimed, missing->list.p, names_end(missing));
    if (missing->n)
        warn("%s: nothing is there for %d of the %d linears that its config names", name,
             missing->n, cover->claimed);
    return 0;
}

/* An A without its B, or the other way round, changes nothing in PEFT either. */
static void drop_halves(struct pair *pairs, const struct model *m)
{
    const int places = (int)model_config(m)->layers * model_modules(m);

    for (int i = 0; i < places; i++)
        if (!pairs[i].a || !pairs[i].b)
            pairs[i] = (struct pair){ 0 };
}

static int check_cover(struct pair *pairs, const struct adapter_config *c, const struct model *m,
                       const char *name, bool partial)
{
    if (!adapter_config_has_targets(c))
        return 0;
    struct cover cover = find_cover(pairs, c, m);
    const int rc = judge_cover(&cover, name, partial);

    if (rc == 0) {
        say_strangers(c, m, name);
        drop_halves(pairs, m);
    }
    buf_free(&cover.missing.list);
    buf_free(&cover.unnamed.list);
    return rc;
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

    const int64_t rank = adapter_config_rank(c, path.p);
    const double alpha = adapter_config_alpha(c, path.p);

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

/* An adapter that does not say what it was trained on passes. */
static int check_base(const struct tensors *t, const struct adapter_config *c,
                      const struct model *m)
{
    const char *trained = tensors_metadata(t, base_key);
    char base[SHA256_HEX + 1];

    if (!trained)
        return 0;
    if (base_digest(m, base) < 0)
        return -1;
    return !strcmp(trained, base)
               ? 0
               : err_set(EXIT_DATA,
                         "it was trained on another base model, '%.100s' (%.8s...), than %s "
                         "(%.8s...); use that one, or --trust-adapter",
                         c->base, trained, pack_name(model_pack(m)), base);
}

int lora_load(struct lora_set **out, const struct model *m, const struct pack *adapter,
              unsigned how)
{
    const size_t places = (size_t)model_config(m)->layers * (size_t)model_modules(m);
    struct pair *pairs = xcalloc(places, sizeof *pairs);
    struct adapter_config c;
    struct tensors *t = NULL;
    struct lora_set *l = NULL;
    int rc = -1;

    if (adapter_config_load(&c, adapter) < 0)
        goto done;
    if ((how & LORA_TRAIN) && (c.rank.n || c.alpha.n)) {
        err_set(EXIT_NODEVICE,
                "training an adapter with rank_pattern or alpha_pattern is not supported");
        goto done;
    }
    if (tensors_open(&t, adapter, "adapter_model") < 0 || sort_tensors(pairs, t, m) < 0 ||
        (!(how & LORA_ANY_BASE) && check_base(t, &c, m) < 0) ||
        check_cover(pairs, &c, m, pack_name(adapter), how & LORA_PARTIAL) < 0)
        goto done;
    l = lora_set_begin(m, &c.opt);
    rc = fill_from(l, pairs, &c, how & LORA_TRAIN);
done:
    tensors_close(t);
    adapter_config_free(&c);
    free(pairs);
    if (rc < 0) {
        lora_free(l);
        return err_in("%s", pack_name(adapter));
    }
    *out = l;
    return 0;
}

/* ---- saving ---- */

static bool is_used(const struct lora_set *l, int module)
{
    for (int i = 0; i < l->n; i++)
        if (l->tensor[i].module == module)
            return true;
    return false;
}

/* Whether a linear that is adapted in one layer is adapted in all: then its name says it. */
static bool is_regular(const struct lora_set *l)
{
    int modules = 0;

    for (int module = 0; module < model_modules(l->model); module++)
        modules += is_used(l, module);
    return l->n == modules * (int)model_config(l->model)->layers;
}

static void put_target(struct buf *b, const char *name, bool first)
{
    buf_puts(b, first ? "\n    " : ",\n    ");
    json_put_text(b, name, strlen(name));
}

/* "target_modules": the names of the linears that are adapted, in the model's order; where they are
 * not the same in all layers, their whole paths. */
static void put_targets(struct buf *b, const struct lora_set *l)
{
    struct buf path = BUF_INIT;
    bool first = true;

    buf_puts(b, "  \"target_modules\": [");
    if (is_regular(l)) {
        for (int module = 0; module < model_modules(l->model); module++)
            if (is_used(l, module)) {
                put_target(b, model_module(l->model, module)->name, first);
                first = false;
            }
    } else {
        for (int i = 0; i < l->n; i++) {
            buf_clear(&path);
            lora_module_path(&path, l->model, l->tensor[i].layer, l->tensor[i].module);
            put_target(b, path.p, i == 0);
        }
    }
    buf_puts(b, "\n  ],\n");
    buf_free(&path);
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

/* The last step may have gone too far. */
static int not_finite(const struct lora_set *l, const struct lora_tensor *t, char half)
{
    struct buf path = BUF_INIT;

    lora_module_path(&path, l->model, t->layer, t->module);
    err_set(EXIT_NUMERIC, "'%s.lora_%c' is not finite after training; try a lower learning rate",
            path.p, half);
    buf_free(&path);
    return -1;
}

static int write_tensor(struct tensors_writer *w, const struct lora_set *l, int i)
{
    const struct lora_tensor *t = &l->tensor[i / 2];
    const struct module_info *info = model_module(l->model, t->module);
    const size_t bytes = (size_t)(t->rank * (i % 2 ? info->rows : info->cols)) * sizeof(float);
    const struct dev *from = l->ops->slice_const(l->p, (i % 2 ? t->b_at : t->a_at) * sizeof(float));
    float *host = xmalloc(bytes);
    int rc = l->ops->get(host, from, bytes);

    for (size_t k = 0; rc == 0 && k < bytes / sizeof *host; k++)
        if (!isfinite(host[k]))
            rc = not_finite(l, t, i % 2 ? 'B' : 'A');
    if (rc == 0)
        rc = tensors_write_data(w, host, bytes);
    free(host);
    return rc < 0 ? -1 : 0;
}

static int write_tensors(const struct lora_set *l, struct pack_writer *out)
{
    char base[SHA256_HEX + 1];

    if (base_digest(l->model, base) < 0)
        return -1;
    struct tensors_writer *w = tensors_writer_new();

    declare(w, l);
    tensors_describe(w, base_key, base);
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

const char *const lora_files[] = { "adapter_config.json", "adapter_model.safetensors", "README.md",
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
