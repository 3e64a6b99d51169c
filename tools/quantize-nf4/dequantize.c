#include "dequantize.h"

#include "mem.h"
#include "files/loader.h"
#include "files/quant_state.h"
#include "quant_plan.h"

#include <stdlib.h>
#include <string.h>

static const char state_end[] = ".weight.quant_state.bitsandbytes__nf4", weight_end[] = ".weight";

/* One tensor of the result: a weight to be expanded, or one that is copied. */
struct output {
    const struct tensor *state; /* NULL: no NF4 */
    const struct tensor *t;
    enum dtype dtype; /* of the result; T's own: copied */
    char *stem;       /* name without ".weight" */
    struct quant_state q;
};

static const struct tensor *find(const struct tensors *t, const char *stem, size_t n,
                                 const char *end)
{
    struct buf name = BUF_INIT;

    buf_add(&name, stem, n);
    buf_puts(&name, end);
    const struct tensor *found = tensors_find(t, name.p);

    buf_free(&name);
    return found;
}

/* "P.weight.absmax" and the like belong to the weight P.weight: 1 when T is such a part, 0 when it
 * is a tensor of its own, -1 when the codes that it belongs to are missing. */
static int is_part(const struct tensors *all, const struct tensor *t)
{
    const char *at = strstr(t->name, ".weight.");
    const size_t stem = at ? (size_t)(at - t->name) : 0;

    if (!at || !find(all, t->name, stem, state_end))
        return 0;
    return find(all, t->name, stem, weight_end)
               ? 1
               : err_set(EXIT_DATA, "tensor '%.*s.weight' is missing", (int)stem, t->name);
}

/* 1 and the output that stands in the result under T's name, 0 when T is no tensor of its own. */
static int output_of(struct output *o, const struct tensors *all, const struct tensor *t)
{
    const int part = is_part(all, t);

    *o = (struct output){ .t = t };
    if (part)
        return part < 0 ? -1 : 0;
    if (!text_ends_with(t->name, weight_end))
        return 1;
    const size_t stem = strlen(t->name) - strlen(weight_end);

    o->state = find(all, t->name, stem, state_end);
    if (!o->state)
        return 1;
    o->stem = xstrndup(t->name, stem);
    if (quant_state_parse(&o->q, o->state) < 0)
        return -1;
    if (t->dtype != DT_U8 || t->n != (o->q.rows * o->q.cols + 1) / 2)
        return err_set(EXIT_DATA, "tensor '%s' has not the codes of %lldx%lld weights", t->name,
                       (long long)o->q.rows, (long long)o->q.cols);
    return 1;
}

static enum dtype type_of(const struct output *o, bool gguf, const char *named)
{
    const enum dtype was = o->state ? o->q.dtype : o->t->dtype;

    if (named && (o->state || (gguf && o->t->rank == 2)))
        return dtype_of(named);
    return dtype_is_blocks(was) ? DT_F32 : was;
}

/* ---- one weight ---- */

static void *rounded(float *v, int64_t n, enum dtype to)
{
    uint16_t *half = (uint16_t *)(void *)v; /* in place: each is written behind where it was read */

    if (to == DT_F32)
        return v;
    for (int64_t i = 0; i < n; i++) {
        const float x = v[i];
        const uint16_t h = to == DT_F16 ? f16_of_f32(x) : bf16_of_f32(x);

        memcpy(&half[i], &h, sizeof h);
    }
    return half;
}

/* The N values from FROM on of tensor NAME must not become infinite. */
static int check_range(const float *v, int64_t n, enum dtype to, const char *name, int64_t from)
{
    const int64_t i = f32_first_beyond(v, n, to);

    return i < 0 ? 0
                 : err_set(EXIT_NUMERIC,
                           "tensor '%s' has %g at element %lld, beyond what %s can hold; use "
                           "--compute-dtype %s",
                           name, (double)v[i], (long long)(from + i), dtype_torch_name(to),
                           to == DT_F16 ? "bfloat16 or float32" : "float32");
}

static int write_piece(struct tensors_writer *out, const struct ops *ops, const struct weight *w,
                       int64_t from, int64_t n, struct dev *room, float *host, const char *name)
{
    struct weight piece = *w;
    int rc;

    piece.rows = 1;
    piece.cols = n;
    piece.round = DT_F32; /* here it is rounded, once what would not fit is found */
    piece.data = ops->slice_const(
        w->data, w->dtype == DT_NF4 ? (size_t)from / 2 : dtype_bytes(w->dtype, (size_t)from));
    if (w->dtype == DT_NF4)
        piece.absmax = ops->slice_const(w->absmax, (size_t)(from / w->block) * sizeof(float));
    rc = ops->expand(room, &piece);
    if (!rc)
        rc = ops->get(host, room, (size_t)n * sizeof(float));
    if (!rc)
        rc = check_range(host, n, w->round, name, from);
    return rc < 0 ? -1
                  : tensors_write_data(out, rounded(host, n, w->round),
                                       (size_t)n * dtype_size(w->round));
}

static int write_pieces(struct tensors_writer *out, const struct ops *ops, const struct weight *w,
                        const char *name)
{
    struct dev *room = ops->alloc(PIECE * sizeof(float));
    float *host = xnmalloc(PIECE, sizeof *host);
    const int64_t n = w->rows * w->cols;
    int rc = room ? 0 : -1;

    for (int64_t from = 0; from < n && !rc; from += PIECE)
        rc = write_piece(out, ops, w, from, n - from < PIECE ? n - from : PIECE, room, host, name);
    ops->release(room);
    free(host);
    return rc;
}

static int write_nf4(struct tensors_writer *out, const struct ops *ops, struct tensors *all,
                     const struct output *o)
{
    struct weights owner = { .ops = ops, .files = all };
    const struct tensor *used[8];
    struct loader loader = { .w = &owner, .ops = ops, .round = DT_F32, .used = used };
    struct weight w;
    int rc = load_nf4(&loader, &w, o->stem, o->state, o->q.rows, o->q.cols);

    w.round = o->dtype; /* values that it cannot hold are named, not their scales */
    if (!rc)
        rc = write_pieces(out, ops, &w, o->t->name);
    owner.files = NULL; /* they are the caller's */
    weights_close(&owner);
    return rc;
}

/* What stands in the file as floats; blocks and other types are none. */
static int check_finite(const struct ops *ops, const struct tensor *t)
{
    struct loader loader = { .ops = ops };

    if (t->dtype != DT_F32 && t->dtype != DT_F16 && t->dtype != DT_BF16)
        return 0;
    const struct dev *d = ops->adopt(t->data, t->bytes);
    const int rc = d ? loader_finite(&loader, t, d, t->dtype, t->n) : -1;

    ops->disown(d);
    return rc;
}

/* Blocks, or floats of another type than the result's. */
static int write_floats(struct tensors_writer *out, const struct ops *ops, const struct output *o)
{
    const struct tensor *t = o->t;
    struct weight w = { .dtype = t->dtype, .rows = 1, .cols = t->n, .round = o->dtype };

    if (dtype_is_blocks(t->dtype) && loader_finite_blocks(t) < 0)
        return -1;
    w.data = ops->adopt(t->data, t->bytes);
    if (!w.data)
        return -1;
    const int rc = write_pieces(out, ops, &w, t->name);

    ops->disown(w.data);
    return rc;
}

static int write_one(struct tensors_writer *out, const struct ops *ops, struct tensors *all,
                     const struct output *o)
{
    if (o->state)
        return write_nf4(out, ops, all, o);
    if (check_finite(ops, o->t) < 0)
        return -1;
    return o->dtype == o->t->dtype ? tensors_write_data(out, o->t->data, o->t->bytes)
                                   : write_floats(out, ops, o);
}

/* ---- all of them ---- */

static int write_all(struct tensors_writer *w, const struct output *o, int n, struct tensors *t,
                     const struct pack *from, struct pack_writer *out, const struct ops *ops)
{
    int rc = tensors_write_begin(w, out, "model.safetensors");

    for (int i = 0; i < n && !rc; i++) {
        const struct output *x = &o[tensors_write_order(w)[i]];

        rc = write_one(w, ops, t, x);
        pack_let_go(from, x->t->data, x->t->bytes);
    }
    return rc;
}

static int declare(struct tensors_writer *w, const struct output *o)
{
    const int64_t shape[2] = { o->q.rows, o->q.cols };

    return o->state ? tensors_declare(w, o->t->name, o->dtype, 2, shape)
                    : tensors_declare(w, o->t->name, o->dtype, o->t->rank, o->t->shape);
}

int dequantize(struct tensors *t, const struct pack *from, struct pack_writer *out,
               const struct ops *ops, const char *named)
{
    struct output *o = xcalloc((size_t)tensors_count(t), sizeof *o);
    struct tensors_writer *w = tensors_writer_new();
    int rc = 0, n = 0, got = 0;

    for (int i = 0; i < tensors_count(t) && got >= 0; i++) {
        got = output_of(&o[n], t, tensors_at(t, i));
        o[n].dtype = type_of(&o[n], pack_is_gguf(from), named);
        if (got > 0)
            (void)declare(w, &o[n]);
        n += got != 0;
    }
    rc = got < 0 ? -1 : write_all(w, o, n, t, from, out, ops);
    for (int i = 0; i < n; i++)
        free(o[i].stem);
    free(o);
    if (!rc)
        return tensors_write_end(w);
    tensors_writer_free(w);
    return rc;
}
