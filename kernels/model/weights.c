/* weights.c - finds, checks and adopts the tensors of a model. */
#include "weights.h"

#include "loader.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEM_MAX = 160 };

static bool is_float(enum dtype t)
{
    return t == DT_F32 || t == DT_F16 || t == DT_BF16;
}

const struct tensor *loader_find(struct loader *ld, const char *stem, const char *suffix)
{
    struct buf name = BUF_INIT;

    buf_printf(&name, "%s%s", stem, suffix);
    const struct tensor *t = tensors_find(ld->w->files, name.p);

    buf_free(&name);
    if (t)
        ld->used[ld->n_used++] = t;
    return t;
}

const struct tensor *loader_need(struct loader *ld, const char *stem, const char *suffix)
{
    const struct tensor *t = loader_find(ld, stem, suffix);

    if (!t)
        err_set(EXIT_DATA, "tensor '%s%s' is missing", stem, suffix);
    return t;
}

int loader_check(const struct tensor *t, enum dtype dtype, int64_t n)
{
    if (t->dtype != dtype)
        return err_set(EXIT_DATA, "tensor '%s' is %s, not %s", t->name, dtype_name(t->dtype),
                       dtype_name(dtype));
    if (t->n != n)
        return err_set(EXIT_DATA, "tensor '%s' has %lld elements, %lld are needed", t->name,
                       (long long)t->n, (long long)n);
    return 0;
}

static int keep_adopted(struct loader *ld, const struct dev **out, const void *host, size_t bytes)
{
    struct weights *w = ld->w;
    const struct dev *d = ld->ops->adopt(host, bytes);

    if (!d)
        return -1;
    w->adopted = xnrealloc(w->adopted, (size_t)w->n_adopted + 1, sizeof *w->adopted);
    w->adopted[w->n_adopted++] = d;
    *out = d;
    return 0;
}

int loader_adopt(struct loader *ld, const struct dev **out, const struct tensor *t)
{
    ld->w->mapped += t->bytes;
    return keep_adopted(ld, out, t->data, t->bytes);
}

float *loader_floats(struct loader *ld, int64_t n)
{
    struct weights *w = ld->w;
    float *v = xaligned((size_t)n * sizeof *v);

    w->buffers = xnrealloc(w->buffers, (size_t)w->n_buffers + 1, sizeof *w->buffers);
    w->buffers[w->n_buffers++] = v;
    w->owned += (size_t)n * sizeof *v;
    return v;
}

int loader_adopt_floats(struct loader *ld, const struct dev **out, const float *v, int64_t n)
{
    return keep_adopted(ld, out, v, (size_t)n * sizeof *v);
}

int loader_finite(struct loader *ld, const struct tensor *t, const struct dev *d, enum dtype dtype,
                  int64_t n)
{
    int64_t bad;

    if (ld->ops->find_nonfinite(&bad, d, dtype, n) < 0)
        return -1;
    if (bad >= 0)
        return err_set(
            EXIT_NUMERIC,
            "tensor '%s' is not a finite number at element %lld; fetch or make the model again",
            t->name, (long long)bad);
    return 0;
}

int loader_rounds(const struct loader *ld, const struct tensor *t, const float *v, int64_t n)
{
    const int64_t i = ld->round == DT_BF16 ? f32_first_beyond(v, n, DT_BF16) : -1;

    return i < 0 ? 0
                 : err_set(EXIT_NUMERIC,
                           "tensor '%s' has %g at element %lld, beyond what bfloat16 can hold; use "
                           "--compute-dtype float32",
                           t->name, (double)v[i], (long long)i);
}

/* ROWS 0: a vector of COLS. */
static int check_shape(const struct tensor *t, int64_t rows, int64_t cols)
{
    const int rank = rows ? 2 : 1;
    struct buf shape = BUF_INIT;

    if (t->rank == rank && t->shape[rank - 1] == cols && (!rows || t->shape[0] == rows))
        return 0;
    for (int i = 0; i < t->rank; i++)
        buf_printf(&shape, "%s%lld", i ? "x" : "", (long long)t->shape[i]);
    buf_puts(&shape, ", config.json wants ");
    if (rows)
        buf_printf(&shape, "%lldx", (long long)rows);
    err_set(EXIT_DATA, "tensor '%s' has shape %s%lld", t->name, shape.p, (long long)cols);
    buf_free(&shape);
    return -1;
}

static int check_float(const struct tensor *t)
{
    return is_float(t->dtype) ? 0
                              : err_set(EXIT_DATA, "tensor '%s' is %s, none of F32, F16, BF16",
                                        t->name, dtype_name(t->dtype));
}

/* A bias or a gain: float32 on the device whatever it is in the file. */
static int load_vector(struct loader *ld, const struct dev **out, const char *stem,
                       const char *suffix, int64_t n)
{
    const struct tensor *t = loader_need(ld, stem, suffix);

    if (!t || check_float(t) < 0 || check_shape(t, 0, n) < 0)
        return -1;
    if (t->dtype == DT_F32) {
        if (loader_adopt(ld, out, t) < 0)
            return -1;
    } else {
        const uint16_t *half = (const uint16_t *)(const void *)t->data;
        float *v = loader_floats(ld, n);

        for (int64_t i = 0; i < n; i++)
            v[i] = t->dtype == DT_F16 ? f32_of_f16(half[i]) : f32_of_bf16(half[i]);
        if (loader_adopt_floats(ld, out, v, n) < 0)
            return -1;
    }
    return loader_finite(ld, t, *out, DT_F32, n);
}

static int load_dense(struct loader *ld, struct weight *w, const char *stem, int64_t rows,
                      int64_t cols)
{
    const struct tensor *t = loader_need(ld, stem, ".weight");

    if (!t || check_float(t) < 0 || check_shape(t, rows, cols) < 0)
        return -1;
    *w = (struct weight){ .dtype = t->dtype, .rows = rows, .cols = cols, .round = ld->round };
    if (loader_adopt(ld, &w->data, t) < 0 || loader_finite(ld, t, w->data, t->dtype, t->n) < 0)
        return -1;
    return t->dtype == DT_F32 ? loader_rounds(ld, t, (const float *)(const void *)t->data, t->n)
                              : 0;
}

static int load_linear(struct loader *ld, struct linear_weights *l, const char *stem, int64_t rows,
                       int64_t cols)
{
    const struct tensor *nf4 = loader_find(ld, stem, ".weight.quant_state.bitsandbytes__nf4");

    if (loader_find(ld, stem, ".weight.quant_state.bitsandbytes__fp4"))
        return err_set(EXIT_NODEVICE,
                       "tensor '%s.weight' is quantised to fp4; only nf4 is supported", stem);
    if (nf4 && !ld->config->quant.present)
        return err_set(
            EXIT_DATA,
            "tensor '%s.weight' is quantised, but config.json has no quantization_config", stem);
    if ((nf4 ? load_nf4(ld, &l->w, stem, nf4, rows, cols)
             : load_dense(ld, &l->w, stem, rows, cols)) < 0)
        return -1;
    return load_vector(ld, &l->bias, stem, ".bias", rows);
}

static int load_norm(struct loader *ld, struct norm_weights *n, const char *stem, int64_t dim)
{
    return load_vector(ld, &n->gain, stem, ".weight", dim) < 0 ||
                   load_vector(ld, &n->bias, stem, ".bias", dim) < 0
               ? -1
               : 0;
}

/* The prefix is a format of the architecture with one %d for the layer. */
static void layer_stem(char stem[STEM_MAX], const struct arch *arch, int layer, const char *path)
{
    const char *hole = strstr(arch->layer_prefix, "%d");

    (void)snprintf(stem, STEM_MAX, "%.*s%d%s%s", (int)(hole - arch->layer_prefix),
                   arch->layer_prefix, layer, hole + 2, path);
}

static int load_layer(struct loader *ld, int layer, const struct module_info *modules,
                      int n_modules)
{
    struct layer_weights *l = &ld->w->layer[layer];
    const struct arch *arch = ld->config->arch;
    char stem[STEM_MAX];

    for (int i = 0; i < arch->n_norms; i++) {
        layer_stem(stem, arch, layer, arch->norms[i]);
        if (load_norm(ld, &l->norm[i], stem, ld->config->dim) < 0)
            return -1;
    }
    for (int i = 0; i < n_modules; i++) {
        layer_stem(stem, arch, layer, modules[i].path);
        if (load_linear(ld, &l->linear[i], stem, modules[i].rows, modules[i].cols) < 0)
            return -1;
    }
    return 0;
}

static int load_ends(struct loader *ld)
{
    const struct config *c = ld->config;
    struct weights *w = ld->w;

    if (load_dense(ld, &w->embed, c->arch->embed, c->vocab, c->dim) < 0 ||
        load_norm(ld, &w->final_norm, c->arch->final_norm, c->dim) < 0 ||
        load_vector(ld, &w->head.bias, c->arch->head, ".bias", c->vocab) < 0)
        return -1;
    w->head.w = w->embed;
    w->embed.round = DT_F32; /* a look-up, no product */
    if (!c->tied)
        return load_dense(ld, &w->head.w, c->arch->head, c->vocab, c->dim);
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

static int load_all(struct loader *ld, const struct module_info *modules, int n_modules)
{
    if (load_ends(ld) < 0)
        return -1;
    for (int i = 0; i < (int)ld->config->layers; i++)
        if (load_layer(ld, i, modules, n_modules) < 0)
            return -1;
    return 0;
}

int weights_load(struct weights *w, const struct pack *p, const struct config *c,
                 const struct module_info *modules, int n_modules, const struct ops *ops,
                 enum dtype round)
{
    struct loader ld = { .w = w, .config = c, .ops = ops, .round = round };

    *w = (struct weights){ .ops = ops };
    if (tensors_open(&w->files, p, "model") < 0)
        return -1;
    /* no tensor is asked for twice: the names of different parts differ */
    ld.used = xnmalloc((size_t)tensors_count(w->files), sizeof *ld.used);
    w->layer = xcalloc((size_t)c->layers, sizeof *w->layer);
    const int rc = load_all(&ld, modules, n_modules);

    if (rc == 0)
        warn_of_unused(&ld, p);
    free(ld.used);
    if (rc < 0)
        weights_free(w);
    return rc < 0 ? err_in("%s", pack_name(p)) : 0;
}

void weights_free(struct weights *w)
{
    for (int i = 0; i < w->n_adopted; i++)
        w->ops->disown(w->adopted[i]);
    for (int i = 0; i < w->n_buffers; i++)
        free(w->buffers[i]);
    free(w->adopted);
    free(w->buffers);
    free(w->layer);
    tensors_close(w->files);
    *w = (struct weights){ 0 };
}
