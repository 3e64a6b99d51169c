#include "drawn.h"

#include "rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PER_LAYER = 16 }; /* tensors of a layer at most */
/* Streams of what is outside the layers, whose streams begin at PER_LAYER. */
enum { STREAM_EMBED, STREAM_GAIN, STREAM_BIAS, STREAM_HEAD, STREAM_HEAD_BIAS };

struct list {
    const struct config *config;
    struct drawn *v;
    int n;
};

/* Livelier than what a model is trained from: every term of every formula shows in the logits,
 * which are still moderate. The scales are those of the golden models. */
static const float bias_spread = 0.1f, gain_spread = 0.2f, embed_spread = 0.5f;

static float weight_spread(int64_t cols)
{
    return (float)(1.2 / sqrt((double)cols));
}

/* ROWS 0: a vector of COLS. */
static struct drawn *add(struct list *l, const char *stem, const char *suffix, uint32_t stream,
                         int64_t rows, int64_t cols, float mean, float spread)
{
    struct drawn *t = &l->v[l->n++];

    *t = (struct drawn){ .rank = rows ? 2 : 1,
                         .shape = { rows ? rows : cols, rows ? cols : 0 },
                         .n = rows ? rows * cols : cols,
                         .mean = mean,
                         .spread = spread,
                         .stream = stream };
    (void)snprintf(t->name, sizeof t->name, "%s%s", stem, suffix);
    return t;
}

static void add_norm(struct list *l, const char *stem, uint32_t gain, uint32_t bias, int64_t dim)
{
    (void)add(l, stem, ".weight", gain, 0, dim, 1, gain_spread);
    if (l->config->arch->norm == NORM_LAYER)
        (void)add(l, stem, ".bias", bias, 0, dim, 0, bias_spread);
}

static void layer_stem(char stem[64], const struct arch *arch, int layer, const char *path)
{
    const char *hole = strstr(arch->layer_prefix, "%d");

    (void)snprintf(stem, 64, "%.*s%d%s%s", (int)(hole - arch->layer_prefix), arch->layer_prefix,
                   layer, hole + 2, path);
}

static void add_layer(struct list *l, const struct modules *m, int layer)
{
    const struct config *c = l->config;
    const int before = l->n;
    const uint32_t first = PER_LAYER * ((uint32_t)layer + 1) - (uint32_t)before;
    char stem[64];

    for (int i = 0; i < m->n; i++) {
        const struct module_info *info = &m->at[i];

        layer_stem(stem, c->arch, layer, info->path);
        struct drawn *t = add(l, stem, ".weight", first + (uint32_t)l->n, info->rows, info->cols, 0,
                              weight_spread(info->cols));

        t->zero_block = layer == 0 && info->role <= ROLE_OUT; /* of attention */
        if (info->bias)
            (void)add(l, stem, ".bias", first + (uint32_t)l->n, 0, info->rows, 0, bias_spread);
    }
    for (int i = 0; i < LAYER_NORMS; i++)
        if (c->arch->norms[i]) {
            layer_stem(stem, c->arch, layer, c->arch->norms[i]);
            add_norm(l, stem, first + (uint32_t)l->n, first + (uint32_t)l->n + 1,
                     i < NORM_QUERY ? c->dim : c->head_dim);
        }
}

struct drawn *drawn_list(const struct config *c, int *n)
{
    const struct arch *arch = c->arch;
    struct list l = { c, xnmalloc((size_t)c->layers * PER_LAYER + 8, sizeof *l.v), 0 };
    struct modules m;

    arch_modules(&m, c);
    (void)add(&l, arch->embed, ".weight", STREAM_EMBED, c->vocab, c->dim, 0, embed_spread);
    for (int i = 0; i < (int)c->layers; i++)
        add_layer(&l, &m, i);
    add_norm(&l, arch->final_norm, STREAM_GAIN, STREAM_BIAS, c->dim);
    if (!c->tied)
        (void)add(&l, arch->head, ".weight", STREAM_HEAD, c->vocab, c->dim, 0,
                  weight_spread(c->dim));
    if (arch->head_bias)
        (void)add(&l, arch->head, ".bias", STREAM_HEAD_BIAS, 0, c->vocab, 0, bias_spread);
    *n = l.n;
    return l.v;
}

/* ---- values ---- */

/*
 * Close to normal: the sum of four 16-bit uniforms (Irwin-Hall). Unlike Box-Muller it needs no
 * function whose last bit differs from one C library to the next. Its variance is 4 (2^32 - 1)
 * / 12.
 */
enum { SUM_CENTRE = 2 * 65535, PER_COUNTER = 2 };

static const double sum_spread = 37837.23;

static void draw(float v[PER_COUNTER], const struct drawn *t, int64_t counter, uint64_t seed,
                 float step)
{
    const uint32_t place[4] = { (uint32_t)counter, (uint32_t)(counter >> 32), t->stream, 0 };
    uint32_t w[4];

    philox4x32(w, place, seed);
    for (int i = 0; i < PER_COUNTER; i++) {
        const uint32_t a = w[2 * i], b = w[2 * i + 1];
        const int sum = (int)((a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16));

        v[i] = t->mean + (float)(sum - SUM_CENTRE) * step;
    }
}

static void store(void *out, enum dtype dtype, int64_t i, float v)
{
    if (dtype == DT_F32)
        ((float *)out)[i] = v;
    else
        ((uint16_t *)out)[i] = dtype == DT_F16 ? f16_of_f32(v) : bf16_of_f32(v);
}

void drawn_fill(void *out, enum dtype dtype, const struct drawn *t, int64_t from, int64_t n,
                uint64_t seed)
{
    const float step = (float)((double)t->spread / sum_spread);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i += PER_COUNTER) {
        float v[PER_COUNTER];

        draw(v, t, (from + i) / PER_COUNTER, seed, step);
        for (int k = 0; k < PER_COUNTER && i + k < n; k++)
            store(out, dtype, i + k, t->zero_block && from + i + k < 64 ? 0 : v[k]);
    }
}
