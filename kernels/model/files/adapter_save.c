/* adapter_save.c - a lora_set as the files that PEFT loads. */
#include "files/adapter.h"

#include "files/base_digest.h"
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

    for (int module = 0; module < l->modules->n; module++)
        modules += is_used(l, module);
    return l->n == modules * l->modules->layers;
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
        for (int module = 0; module < l->modules->n; module++)
            if (is_used(l, module)) {
                put_target(b, module_name(&l->modules->at[module]), first);
                first = false;
            }
    } else {
        for (int i = 0; i < l->n; i++) {
            buf_clear(&path);
            module_path(&path, l->modules, l->tensor[i].layer, l->tensor[i].module);
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
        const struct module_info *info = &l->modules->at[t->module];
        const int64_t a[] = { t->rank, info->cols }, b[] = { info->rows, t->rank };

        buf_clear(&name);
        buf_puts(&name, ADAPTER_PREFIX);
        module_path(&name, l->modules, t->layer, t->module);
        buf_puts(&name, i % 2 ? ".lora_B.weight" : ".lora_A.weight");
        tensors_declare(w, name.p, DT_F32, 2, i % 2 ? b : a);
    }
    buf_free(&name);
}

/* The last step may have gone too far. */
static int not_finite(const struct lora_set *l, const struct lora_tensor *t, char half)
{
    struct buf path = BUF_INIT;

    module_path(&path, l->modules, t->layer, t->module);
    err_set(EXIT_NUMERIC, "'%s.lora_%c' is not finite after training; try a lower learning rate",
            path.p, half);
    buf_free(&path);
    return -1;
}

static int write_tensor(struct tensors_writer *w, const struct lora_set *l, int i)
{
    const struct lora_tensor *t = &l->tensor[i / 2];
    const struct module_info *info = &l->modules->at[t->module];
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

static int write_tensors(const struct lora_set *l, const struct weights *w_,
                         struct pack_writer *out, const char *chain)
{
    char base[SHA256_HEX + 1];

    if (base_digest(w_, base) < 0)
        return -1;
    struct tensors_writer *w = tensors_writer_new();

    declare(w, l);
    tensors_describe(w, ADAPTER_BASE_KEY, base);
    if (chain)
        tensors_describe(w, TENSORS_CHAIN, chain);
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

int lora_save(const struct lora_set *l, const struct weights *base, struct pack_writer *out,
              const struct lora_origin *from)
{
    struct buf text = BUF_INIT;
    int rc;

    put_card(&text, l, from->base);
    rc = put_text(out, "README.md", &text);
    if (rc == 0) {
        put_config(&text, l, from->base);
        rc = put_text(out, "adapter_config.json", &text);
    }
    buf_free(&text);
    return rc < 0 ? -1 : write_tensors(l, base, out, from->chain);
}

uint64_t lora_bytes(const struct lora_set *l, const struct lora_origin *from)
{
    enum { NAMES = 256, TEXTS = 1 << 14 }; /* an entry of the header; config and card */
    const uint64_t chain =
        from->chain ? 2 * strlen(from->chain) : 0; /* its quotes become two bytes */

    return (uint64_t)l->params * sizeof(float) + 2 * (uint64_t)l->n * NAMES + TEXTS + chain;
}
