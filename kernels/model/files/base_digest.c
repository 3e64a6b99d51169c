#include "files/base_digest.h"

#include "mem.h"

#include <stdlib.h>

enum {
    PLACES = 8,
    RUN = 4096, /* elements of a place; places begin at multiples of it, as blocks of scales do */
    BLOCK = 64,
    ZERO_CODE = 7,
};

struct looking {
    const struct ops *ops;
    struct sha256 *sha;
    struct dev *values, *codes, *scales; /* of one place */
    float *host;
};

static int add_codes(const struct looking *l, int64_t n)
{
    if (l->ops->nf4_quantize(l->codes, l->scales, l->values, DT_F32, n, BLOCK, ZERO_CODE) < 0 ||
        l->ops->get(l->host, l->codes, (size_t)(n + 1) / 2) < 0)
        return -1;
    sha256_add(l->sha, l->host, (size_t)(n + 1) / 2);
    return 0;
}

static int add_values(const struct looking *l, const struct dev *from, int64_t n)
{
    if (l->ops->get(l->host, from, (size_t)n * sizeof(float)) < 0)
        return -1;
    sha256_add(l->sha, l->host, (size_t)n * sizeof(float));
    return 0;
}

/* N elements of W from FROM on, a multiple of RUN. */
static int add_place(const struct looking *l, const struct weight *w, int64_t from, int64_t n,
                     bool linear)
{
    struct weight place = *w;
    const size_t at = (size_t)from;

    place.rows = 1;
    place.cols = n;
    place.round = DT_F32;
    place.data =
        l->ops->slice_const(w->data, w->dtype == DT_NF4 ? at / 2 : dtype_bytes(w->dtype, at));
    if (w->dtype == DT_NF4)
        place.absmax = l->ops->slice_const(w->absmax, at / (size_t)w->block * sizeof(float));
    if (l->ops->expand(l->values, &place) < 0)
        return -1;
    return linear ? add_codes(l, n) : add_values(l, l->values, n);
}

static int add_matrix(const struct looking *l, const struct weight *w, bool linear)
{
    const int64_t n = w->rows * w->cols, runs = (n + RUN - 1) / RUN;
    const int64_t places = runs < PLACES ? runs : PLACES;

    sha256_add(l->sha, &w->rows, sizeof w->rows);
    sha256_add(l->sha, &w->cols, sizeof w->cols);
    for (int64_t i = 0; i < places; i++) {
        const int64_t from = (places > 1 ? i * (runs - 1) / (places - 1) : 0) * RUN;

        if (add_place(l, w, from, n - from < RUN ? n - from : RUN, linear) < 0)
            return -1;
    }
    return 0;
}

/* A bias or a gain, all of it. */
static int add_vector(const struct looking *l, const struct dev *v, int64_t n)
{
    for (int64_t from = 0; v && from < n; from += RUN)
        if (add_values(l, l->ops->slice_const(v, (size_t)from * sizeof(float)),
                       n - from < RUN ? n - from : RUN) < 0)
            return -1;
    return 0;
}

static int add_norm(const struct looking *l, const struct norm_weights *n, int64_t dim)
{
    return add_vector(l, n->gain, dim) < 0 || add_vector(l, n->bias, dim) < 0 ? -1 : 0;
}

static int add_layer(const struct looking *l, const struct weights *w,
                     const struct layer_weights *layer)
{
    for (int i = 0; i < LAYER_NORMS; i++)
        if (add_norm(l, &layer->norm[i], i < NORM_QUERY ? w->config.dim : w->config.head_dim) < 0)
            return -1;
    for (int i = 0; i < w->modules.n; i++)
        if (add_matrix(l, &layer->linear[i].w, true) < 0 ||
            add_vector(l, layer->linear[i].bias, w->modules.at[i].rows) < 0)
            return -1;
    return 0;
}

static int add_all(const struct looking *l, const struct weights *w)
{
    const struct parts *p = &w->parts;

    if (!l->values || !l->codes || !l->scales)
        return -1;
    for (int i = 0; i < (int)w->config.layers; i++)
        if (add_layer(l, w, &p->layer[i]) < 0)
            return -1;
    if (add_matrix(l, &p->embed, false) < 0 || add_matrix(l, &p->head.w, false) < 0 ||
        add_vector(l, p->head.bias, w->config.vocab) < 0)
        return -1;
    return add_norm(l, &p->final_norm, w->config.dim);
}

int base_digest(const struct weights *w, char hex[SHA256_HEX + 1])
{
    uint8_t digest[SHA256_BYTES];
    const struct looking l = {
        .ops = w->ops,
        .sha = sha256_new(),
        .values = w->ops->alloc(RUN * sizeof(float)),
        .codes = w->ops->alloc(RUN / 2),
        .scales = w->ops->alloc(RUN / BLOCK * sizeof(float)),
        .host = xnmalloc(RUN, sizeof(float)),
    };
    const int rc = add_all(&l, w);

    sha256_done(l.sha, digest);
    sha256_hex(digest, hex);
    w->ops->release(l.values);
    w->ops->release(l.codes);
    w->ops->release(l.scales);
    free(l.host);
    return rc;
}
