/* loader.c - finds, checks and adopts tensors. */
#include "files/loader.h"

#include "block_scale.h"
#include "mem.h"

#include <stdlib.h>

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

/* Of all tensors of the files. */
static double megabytes(const struct tensors *files)
{
    double bytes = 0;

    for (int i = 0; i < tensors_count(files); i++)
        bytes += (double)tensors_at(files, i)->bytes;
    return bytes * 1e-6;
}

static int keep_adopted(struct loader *ld, const struct dev **out, const void *host, size_t bytes)
{
    struct weights *w = ld->w;

    *out = NULL;
    if (!ld->ops)
        return 0;
    const struct dev *d = ld->ops->adopt(host, bytes);

    if (!d)
        return err_in("weights of %.1f MB", megabytes(w->files));
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

/* BAD is the first element that is not finite, or -1. */
static int say_finite(const struct tensor *t, int64_t bad)
{
    return bad < 0 ? 0
                   : err_set(EXIT_NUMERIC,
                             "tensor '%s' is not a finite number at element %lld; fetch or make "
                             "the model again",
                             t->name, (long long)bad);
}

int loader_finite(struct loader *ld, const struct tensor *t, const struct dev *d, enum dtype dtype,
                  int64_t n)
{
    int64_t bad = -1;

    if (ld->ops && ld->ops->find_nonfinite(&bad, d, dtype, n) < 0)
        return -1;
    return say_finite(t, bad);
}

int loader_finite_blocks(const struct tensor *t)
{
    const int64_t block = dtype_block(t->dtype),
                  bad = blocks_first_bad(t->data, t->dtype, t->n / block);

    return say_finite(t, bad < 0 ? bad : bad * block);
}

/* The type whose range products need; DT_NONE: they round to none. */
static enum dtype range_of(const struct loader *ld)
{
    if (ld->ops && ld->round == DT_BF16X3)
        return DT_BF16;
    return ld->ops && (ld->round == DT_F16 || ld->round == DT_BF16) ? ld->round : DT_NONE;
}

static int say_beyond(const struct tensor *t, float x, int64_t i, enum dtype range)
{
    return err_set(EXIT_NUMERIC,
                   "tensor '%s' has %g at element %lld, beyond what %s can hold; use "
                   "--compute-dtype %s",
                   t->name, (double)x, (long long)i, dtype_torch_name(range),
                   range == DT_F16 ? "bfloat16 or float32" : "float32");
}

int loader_rounds(const struct loader *ld, const struct tensor *t, const float *v, int64_t n)
{
    const enum dtype range = range_of(ld);
    const int64_t i = range != DT_NONE ? f32_first_beyond(v, n, range) : -1;

    return i < 0 ? 0 : say_beyond(t, v[i], i, range);
}

int loader_rounds_matrix(const struct loader *ld, const struct tensor *t)
{
    enum { beyond = 0x4780 }; /* 65536, next to 65280 */
    const uint16_t *const half = (const void *)t->data;

    if (t->dtype == DT_F32)
        return loader_rounds(ld, t, (const void *)t->data, t->n);
    if (t->dtype != DT_BF16 || range_of(ld) != DT_F16)
        return 0;
    for (int64_t i = 0; i < t->n; i++)
        if ((half[i] & 0x7fff) >= beyond)
            return say_beyond(t, f32_of_bf16(half[i]), i, DT_F16);
    return 0;
}

int loader_check_shape(const struct tensor *t, int64_t rows, int64_t cols)
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

int loader_vector(struct loader *ld, const struct dev **out, const char *stem, const char *suffix,
                  int64_t n)
{
    const struct tensor *t = loader_need(ld, stem, suffix);

    if (!t || check_float(t) < 0 || loader_check_shape(t, 0, n) < 0)
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
