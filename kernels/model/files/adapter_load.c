/* adapter_load.c - an adapter's files into a lora_set. */
#include "files/adapter.h"

#include "files/adapter_config.h"
#include "files/base_digest.h"
#include "lora/lora_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
static bool skip_layer(const char **at, const struct modules *m, int *layer)
{
    const char *prefix = m->layer_prefix, *number = strstr(prefix, "%d");
    char *end;

    if (!skip(at, prefix, (size_t)(number - prefix)) || **at < '0' || **at > '9' ||
        (**at == '0' && (*at)[1] >= '0' && (*at)[1] <= '9'))
        return false;

    const long n = strtol(*at, &end, 10);

    *at = end;
    *layer = (int)n;
    return n < m->layers && skip_text(at, number + 2);
}

static bool skip_module(const char **at, const struct modules *m, int *module)
{
    for (*module = 0; *module < m->n; ++*module) {
        const char *path = m->at[*module].path;
        const size_t n = strlen(path);

        if (!strncmp(*at, path, n) && (*at)[n] == '.') {
            *at += n;
            return true;
        }
    }
    return false;
}

/* Finds the place of NAME in the model; false when it has none. */
static bool parse_name(const char *name, const struct modules *m, int *layer, int *module,
                       bool *is_b)
{
    if (!skip_text(&name, ADAPTER_PREFIX) || !skip_layer(&name, m, layer) ||
        !skip_module(&name, m, module))
        return false;
    if (!skip_text(&name, ".lora_A") && !skip_text(&name, ".lora_B"))
        return false;
    *is_b = name[-1] == 'B';
    skip_text(&name, ".default");
    return !strcmp(name, ".weight");
}

struct names { /* for a message: the first, and how many there are */
    struct buf list;
    int n;
};

static void names_add(struct names *names, const char *name)
{
    if (names->n++ == 0)
        buf_printf(&names->list, "'%.100s'", name);
}

/* "'q_proj' and 2 more", once nothing is added any more. */
static const char *names_end(struct names *names)
{
    if (names->n > 1)
        buf_printf(&names->list, " and %d more", names->n - 1);
    return names->list.p;
}

/* Puts T where it belongs; 0 when nothing in the model has its name. */
static int place_tensor(struct pair *pairs, const struct tensor *t, const struct modules *m)
{
    int layer, module;
    bool is_b;

    if (!parse_name(t->name, m, &layer, &module, &is_b))
        return 0;

    struct pair *p = &pairs[layer * m->n + module];
    const struct tensor **to = is_b ? &p->b : &p->a;

    if (*to)
        return err_set(EXIT_DATA, "'%s' and '%s' are the same tensor", (*to)->name, t->name);
    *to = t;
    return 1;
}

/* BASE: the model that the adapter says it is for, or "". */
static int sort_tensors(struct pair *pairs, const struct tensors *t, const struct modules *m,
                        const char *base)
{
    struct names strangers = { 0 };
    int rc = 0;

    for (int i = 0; i < tensors_count(t) && rc >= 0; i++) {
        rc = place_tensor(pairs, tensors_at(t, i), m);
        if (rc == 0)
            names_add(&strangers, tensors_at(t, i)->name);
    }
    if (rc >= 0 && strangers.n)
        rc = err_set(EXIT_DATA,
                     "the model has no place for %d of its %d tensors (%s); give the model that it "
                     "was trained on%s%.100s, or another adapter",
                     strangers.n, tensors_count(t), names_end(&strangers), *base ? ", " : "", base);
    buf_free(&strangers.list);
    return rc < 0 ? -1 : 0;
}

/* ---- what the config names ---- */

struct cover { /* linears of the model that are not as the config says */
    struct names missing, unnamed;
    int claimed;
};

static struct cover find_cover(const struct pair *pairs, const struct adapter_config *c,
                               const struct modules *m)
{
    const int layers = m->layers, modules = m->n;
    struct cover cover = { 0 };
    struct buf path = BUF_INIT;

    for (int i = 0; i < layers * modules; i++) {
        buf_clear(&path);
        module_path(&path, m, i / modules, i % modules);
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

static bool model_has(const struct modules *m, const struct module_pattern *name)
{
    const int places = m->layers * m->n;
    struct buf path = BUF_INIT;
    bool has = false;

    for (int i = 0; i < places && !has; i++) {
        buf_clear(&path);
        module_path(&path, m, i / m->n, i % m->n);
        has = module_pattern_matches(name, path.p);
    }
    buf_free(&path);
    return has;
}

/* PEFT passes over a target that the model does not have: lists are often made for many models. */
static void say_strangers(const struct adapter_config *c, const struct modules *m, const char *name)
{
    struct names strangers = { 0 };

    for (int i = 0; i < c->targets.n; i++)
        if (!model_has(m, &c->targets.v[i]))
            names_add(&strangers, c->targets.v[i].text);
    if (strangers.n)
        warn("%s: its config names what the model does not have: %s", name, names_end(&strangers));
    buf_free(&strangers.list);
}

static int judge_cover(struct cover *cover, const char *name, bool partial)
{
    struct names *missing = &cover->missing, *unnamed = &cover->unnamed;

    if (unnamed->n)
        return err_set(EXIT_DATA,
                       "it has tensors for %d linears that its config does not name (%s); "
                       "correct its target_modules",
                       unnamed->n, names_end(unnamed));
    if (missing->n && !partial)
        return err_set(EXIT_DATA,
                       "tensors are missing for %d of the %d linears that its config names (%s); "
                       "get the whole adapter, or take what is there with --partial-adapter",
                       missing->n, cover->claimed, names_end(missing));
    if (missing->n)
        warn("%s: nothing is there for %d of the %d linears that its config names", name,
             missing->n, cover->claimed);
    return 0;
}

/* An A without its B, or the other way round, changes nothing in PEFT either. */
static void drop_halves(struct pair *pairs, const struct modules *m)
{
    const int places = m->layers * m->n;

    for (int i = 0; i < places; i++)
        if (!pairs[i].a || !pairs[i].b)
            pairs[i] = (struct pair){ 0 };
}

static int check_cover(struct pair *pairs, const struct adapter_config *c, const struct modules *m,
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
    const struct module_info *info = &l->modules->at[module];
    struct buf path = BUF_INIT;

    if (!p->a || !p->b)
        return err_set(EXIT_DATA, "'%s' has no lora_%s beside it", p->a ? p->a->name : p->b->name,
                       p->a ? "B" : "A");
    module_path(&path, l->modules, layer, module);

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
    const int layers = l->modules->layers, modules = l->modules->n;
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
                      const struct weights *w)
{
    const char *trained = tensors_metadata(t, ADAPTER_BASE_KEY);
    char base[SHA256_HEX + 1];

    if (!trained)
        return 0;
    if (base_digest(w, base) < 0)
        return -1;
    return !strcmp(trained, base)
               ? 0
               : err_set(EXIT_DATA,
                         "it was trained on another base model, '%.100s' (%.8s...), than %s "
                         "(%.8s...); use that one, or --trust-adapter",
                         c->base, trained, pack_name(w->pack), base);
}

int lora_chain(char **json, const struct pack *adapter)
{
    struct tensors *t;

    if (tensors_open(&t, adapter, "adapter_model") < 0)
        return err_in("%s", pack_name(adapter));
    const char *text = tensors_metadata(t, TENSORS_CHAIN);

    *json = text ? xstrdup(text) : NULL;
    tensors_close(t);
    return *json != NULL;
}

int lora_load(struct lora_set **out, const struct weights *base, const struct pack *adapter,
              unsigned how)
{
    const struct modules *m = &base->modules;
    struct pair *pairs = xcalloc((size_t)modules_places(m), sizeof *pairs);
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
    if (tensors_open(&t, adapter, "adapter_model") < 0 || sort_tensors(pairs, t, m, c.base) < 0 ||
        (!(how & LORA_ANY_BASE) && check_base(t, &c, base) < 0) ||
        check_cover(pairs, &c, m, pack_name(adapter), how & LORA_PARTIAL) < 0)
        goto done;
    l = lora_set_begin(base->ops, m, &c.opt);
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
