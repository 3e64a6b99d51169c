/* weights.c - which tensors a model is made of. */
#include "files/weights.h"

#include "files/config_load.h"
#include "files/loader.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        return ld->ops ? loader_finite_blocks(t) : 0;
    if (loader_finite(ld, t, w->data, t->dtype, t->n) < 0)
        return -1;
    return loader_rounds_matrix(ld, t);
}

static int load_linear(struct loader *ld, struct linear_weights *l, const char *stem, int64_t rows,
                       int64_t cols, bool bias)
{
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
    return bias ? loader_vector(ld, &l->bias, stem, ".bias", rows) : 0;
}

/* The rows of L that begin at ROW of the whole linear. */
static int take_rows(struct loader *ld, struct linear_weights *l, int64_t row, int64_t rows)
{
    const struct linear_weights *whole = &ld->whole.l;
    const struct ops *ops = ld->ops;
    const size_t at = (size_t)(row * whole->w.cols);

    *l = *whole;
    l->w.rows = rows;
    if (l->w.dtype == DT_NF4 && at % (size_t)l->w.block)
        return err_set(EXIT_NODEVICE,
                       "tensor '%s.weight' is quantised in blocks of %d values that do not end "
                       "where a part of it does, at row %lld; use quantize-nf4 --dequantize",
                       ld->whole.stem, l->w.block, (long long)row);
    if (!ops)
        return 0;
    l->w.data = ops->slice_const(whole->w.data,
                                 l->w.dtype == DT_NF4 ? at / 2 : dtype_bytes(l->w.dtype, at));
    if (l->w.dtype == DT_NF4)
        l->w.absmax = ops->slice_const(whole->w.absmax, at / (size_t)l->w.block * sizeof(float));
    if (whole->bias)
        l->bias = ops->slice_const(whole->bias, (size_t)row * sizeof(float));
    return 0;
}

/* The linear INFO, which is all or a part of what is at STEM. */
static int load_module(struct loader *ld, struct linear_weights *l, const char *stem,
                       const struct module_info *info, const struct stored_rows *stored)
{
    if (stored->rows == info->rows)
        return load_linear(ld, l, stem, info->rows, info->cols, info->bias);
    if (strcmp(ld->whole.stem, stem)) {
        ld->whole.l = (struct linear_weights){ 0 };
        if (load_linear(ld, &ld->whole.l, stem, stored->rows, info->cols, info->bias) < 0)
            return -1;
        (void)snprintf(ld->whole.stem, STEM_MAX, "%s", stem);
    }
    return take_rows(ld, l, stored->row, info->rows);
}

static int load_norm(struct loader *ld, struct norm_weights *n, const char *stem, int64_t dim)
{
    if (loader_vector(ld, &n->gain, stem, ".weight", dim) < 0)
        return -1;
    return ld->w->config.arch->norm == NORM_RMS ? 0
                                                : loader_vector(ld, &n->bias, stem, ".bias", dim);
}

/* PATTERN with NUMBER in the place of "%d", if it has one, and PATH behind it. */
static void make_stem(char stem[STEM_MAX], const char *pattern, int number, const char *path)
{
    const char *hole = strstr(pattern, "%d");

    if (hole)
        (void)snprintf(stem, STEM_MAX, "%.*s%d%s%s", (int)(hole - pattern), pattern, number,
                       hole + 2, path);
    else
        (void)snprintf(stem, STEM_MAX, "%s%s", pattern, path);
}

static int load_layer(struct loader *ld, int layer)
{
    struct layer_weights *l = &ld->w->parts.layer[layer];
    const struct config *c = &ld->w->config;
    const struct arch *arch = c->arch;
    const struct modules *m = &ld->w->modules;
    const int number = arch->first_layer + layer;
    struct stored_rows stored[MODULES_MAX];
    char stem[STEM_MAX];

    for (int i = 0; i < LAYER_NORMS; i++) {
        if (!arch->norms[i])
            continue;
        make_stem(stem, arch->layer_prefix, number, arch->norms[i]);
        if (load_norm(ld, &l->norm[i], stem, i < NORM_QUERY ? c->dim : c->head_dim) < 0)
            return -1;
    }
    arch_stored(stored, arch, m->at, m->n);
    for (int i = 0; i < m->n; i++) {
        make_stem(stem, arch->layer_prefix, number, stored[i].path);
        if (load_module(ld, &l->linear[i], stem, &m->at[i], &stored[i]) < 0)
            return -1;
    }
    return 0;
}

static int load_ends(struct loader *ld)
{
    const struct config *c = &ld->w->config;
    const int behind = c->arch->first_layer + (int)c->layers;
    struct parts *p = &ld->w->parts;
    char norm[STEM_MAX], head[STEM_MAX];

    make_stem(norm, c->arch->final_norm, behind, "");
    make_stem(head, c->arch->head, behind, "");
    if (load_dense(ld, &p->embed, c->arch->embed, c->vocab, c->dim) < 0 ||
        load_norm(ld, &p->final_norm, norm, c->dim) < 0 ||
        (c->arch->head_bias && loader_vector(ld, &p->head.bias, head, ".bias", c->vocab) < 0))
        return -1;
    p->head.w = p->embed;
    p->embed.round = DT_F32; /* a look-up, no product */
    if (!c->tied)
        return load_dense(ld, &p->head.w, head, c->vocab, c->dim);
    (void)loader_find(ld, head, ".weight"); /* some files store the tied matrix twice */
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

/* Tells the device of every matrix that products are made with: all but the embedding. */
static int announce(struct weights *w)
{
    const struct ops *ops = w->ops;

    if (ops->weight_load(&w->parts.head.w) < 0)
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
