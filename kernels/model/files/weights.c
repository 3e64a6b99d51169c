/* weights.c - which tensors a model is made of. */
#include "files/weights.h"

#include "files/config_load.h"
#include "files/loader.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEM_MAX = 160 };

static int check_matrix(const struct tensor *t)
{
    return t->dtype == DT_F32 || t->dtype == DT_F16 || t->dtype == DT_BF16 ||
                   dtype_is_blocks(t->dtype)
               ? 0
               : err_set(EXIT_DATA, "tensor '%s' is %s, none of F32, F16, BF16", t->name,
                         dtype_name(t->dtype));
}

static int load_dense(struct loader *ld, struct weight *w, const char *stem, int64_t rows,
                      int64_t cols)
{
    const struct tensor *t = loader_need(ld, stem, ".weight");

    if (!t || check_matrix(t) < 0 || loader_check_shape(t, rows, cols) < 0)
        return -1;
    *w = (struct weight){ .dtype = t->dtype, .rows = rows, .cols = cols, .round = ld->round };
    if (loader_adopt(ld, &w->data, t) < 0)
        return -1;
    if (dtype_is_blocks(t->dtype))
        return 0;
    if (loader_finite(ld, t, w->data, t->dtype, t->n) < 0)
        return -1;
    return t->dtype == DT_F32 ? loader_rounds(ld, t, (const float *)(const void *)t->data, t->n)
                              : 0;
}

static int load_linear(struct loader *ld, struct linear_weights *l, const char *stem,
                       const struct module_info *info)
{
    const int64_t rows = info->rows, cols = info->cols;
    const struct tensor *nf4 = loader_find(ld, stem, ".weight.quant_state.bitsandbytes__nf4");

    if (loader_find(ld, stem, ".weight.quant_state.bitsandbytes__fp4"))
        return err_set(EXIT_NODEVICE,
                       "tensor '%s.weight' is quantised to fp4; only nf4 is supported", stem);
    if (nf4 && !ld->w->config.quant.present)
        return err_set(
            EXIT_DATA,
            "tensor '%s.weight' is quantised, but config.json has no quantization_config", stem);
    if ((nf4 ? load_nf4(ld, &l->w, stem, nf4, rows, cols)
             : load_dense(ld, &l->w, stem, rows, cols)) < 0)
        return -1;
    return info->bias ? loader_vector(ld, &l->bias, stem, ".bias", rows) : 0;
}

static int load_norm(struct loader *ld, struct norm_weights *n, const char *stem, int64_t dim)
{
    if (loader_vector(ld, &n->gain, stem, ".weight", dim) < 0)
        return -1;
    return ld->w->config.arch->norm == NORM_RMS ? 0
                                                : loader_vector(ld, &n->bias, stem, ".bias", dim);
}

/* The prefix is a format of the family with one %d for the layer. */
static void layer_stem(char stem[STEM_MAX], const struct arch *arch, int layer, const char *path)
{
    const char *hole = strstr(arch->layer_prefix, "%d");

    (void)snprintf(stem, STEM_MAX, "%.*s%d%s%s", (int)(hole - arch->layer_prefix),
                   arch->layer_prefix, layer, hole + 2, path);
}

static int load_layer(struct loader *ld, int layer)
{
    struct layer_weights *l = &ld->w->parts.layer[layer];
    const struct config *c = &ld->w->config;
    const struct modules *m = &ld->w->modules;
    char stem[STEM_MAX];

    for (int i = 0; i < LAYER_NORMS; i++) {
        if (!c->arch->norms[i])
            continue;
        layer_stem(stem, c->arch, layer, c->arch->norms[i]);
        if (load_norm(ld, &l->norm[i], stem, i < NORM_QUERY ? c->dim : c->head_dim) < 0)
            return -1;
    }
    for (int i = 0; i < m->n; i++) {
        layer_stem(stem, c->arch, layer, m->at[i].path);
        if (load_linear(ld, &l->linear[i], stem, &m->at[i]) < 0)
            return -1;
    }
    return 0;
}

static int load_ends(struct loader *ld)
{
    const struct config *c = &ld->w->config;
    struct parts *p = &ld->w->parts;

    if (load_dense(ld, &p->embed, c->arch->embed, c->vocab, c->dim) < 0 ||
        load_norm(ld, &p->final_norm, c->arch->final_norm, c->dim) < 0 ||
        (c->arch->head_bias &&
         loader_vector(ld, &p->head.bias, c->arch->head, ".bias", c->vocab) < 0))
        return -1;
    p->head.w = p->embed;
    p->embed.round = DT_F32; /* a look-up, no product */
    if (!c->tied)
        return load_dense(ld, &p->head.w, c->arch->head, c->vocab, c->dim);
    (void)loader_find(ld, c->arch->head, ".weight"); /* some files store the tied matrix twice */
    return 0;
}

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t) * (const struct tensor *const *)a,
                    y = (uintptr_t) * (const struct tensor *const *)b;

    return (x > y) - (x < y);
}

/* Buffers of rotary embeddings are in older files; anything else that is left over is worth a word.
 */
static void warn_of_unused(struct loader *ld, const struct pack *p)
{
    const struct tensor *first = NULL;
    int unused = 0;

    qsort(ld->used, (size_t)ld->n_used, sizeof *ld->used, by_address);
    for (int i = 0; i < tensors_count(ld->w->files); i++) {
        const struct tensor *t = tensors_at(ld->w->files, i);

        if (strstr(t->name, ".rotary_emb.") ||
            bsearch(&t, ld->used, (size_t)ld->n_used, sizeof *ld->used, by_address))
            continue;
        first = first ? first : t;
        unused++;
    }
    if (unused)
        warn("%s: %d of the tensors belong to no part of the model and are left out, first '%s'",
             pack_name(p), unused, first->name);
}

static int load_all(struct loader *ld)
{
    if (load_ends(ld) < 0)
        return -1;
    for (int i = 0; i < (int)ld->w->config.layers; i++)
        if (load_layer(ld, i) < 0)
            return -1;
    return 0;
}

/* Tells the device of every matrix; a tied one is told of once. */
static int announce(struct weights *w)
{
    const struct ops *ops = w->ops;

    if (ops->weight_load(&w->parts.embed) < 0 || ops->weight_load(&w->parts.head.w) < 0)
        return -1;
    for (int i = 0; i < (int)w->config.layers; i++)
        for (int j = 0; j < w->modules.n; j++)
            if (ops->weight_load(&w->parts.layer[i].linear[j].w) < 0)
                return -1;
    return 0;
}

static int load(struct weights *w, const struct pack *p, const struct ops *ops, enum dtype round)
{
    struct loader ld = { .w = w, .ops = ops, .round = round };

    *w = (struct weights){ .ops = ops, .pack = p };
    if (config_load(&w->config, p) < 0 || tensors_open(&w->files, p, "model") < 0)
        return -1;
    arch_modules(&w->modules, &w->config);
    /* no tensor is asked for twice: the names of different parts differ */
    ld.used = xnmalloc((size_t)tensors_count(w->files), sizeof *ld.used);
    w->parts.layer = xcalloc((size_t)w->config.layers, sizeof *w->parts.layer);
    const int rc = load_all(&ld);

    if (rc == 0)
        warn_of_unused(&ld, p);
    free(ld.used);
    return rc < 0 ? err_in("%s", pack_name(p)) : ops ? announce(w) : 0;
}

int weights_open(struct weights *w, const struct pack *p, const struct ops *ops, enum dtype round)
{
    const int rc = load(w, p, ops, round);

    if (rc < 0)
        weights_close(w);
    return rc;
}

int weights_check(const struct pack *p)
{
    struct weights w;
    const int rc = load(&w, p, NULL, DT_F32);

    weights_close(&w);
    return rc;
}

static void forget(struct weights *w)
{
    w->ops->weight_free(&w->parts.embed);
    w->ops->weight_free(&w->parts.head.w);
    for (int i = 0; w->parts.layer && i < (int)w->config.layers; i++)
        for (int j = 0; j < w->modules.n; j++)
            w->ops->weight_free(&w->parts.layer[i].linear[j].w);
}

void weights_close(struct weights *w)
{
    if (w->ops)
        forget(w);
    for (int i = 0; i < w->n_adopted; i++)
        w->ops->disown(w->adopted[i]);
    for (int i = 0; i < w->n_buffers; i++)
        free(w->buffers[i]);
    free(w->adopted);
    free(w->buffers);
    free(w->parts.layer);
    tensors_close(w->files);
    *w = (struct weights){ 0 };
}
