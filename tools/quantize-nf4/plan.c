#include "plan.h"

#include "json.h"
#include "mem.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/*
 * A block of zeros gets code 7, which is 0, as bitsandbytes on the CPU writes it (and as its files
 * must be reproduced); on a GPU it writes code 0, which is -1 times a scale of 0.
 */
enum { ZERO_CODE = 7 };

/* ---- which tensors ---- */

/* The module path of PATH ends in, or is, the component NAME of length N. */
static bool has_component(const char *path, size_t length, const char *name, size_t n)
{
    for (const char *at = path; (size_t)(at - path) + n <= length; at++)
        if (!memcmp(at, name, n) && (at == path || at[-1] == '.') &&
            ((size_t)(at - path) + n == length || at[n] == '.'))
            return true;
    return false;
}

static bool is_skipped(const char *path, size_t length, const char *names)
{
    while (names && *names) {
        const size_t n = strcspn(names, ",");

        if (n && has_component(path, length, names, n))
            return true;
        names += n + (names[n] == ',');
    }
    return false;
}

/* Matrices called weight are those of linear layers, but for embeddings and the head. */
static bool is_linear_weight(const struct tensor *t, const char *skip)
{
    const size_t n = strlen(t->name), end = strlen(".weight");

    return t->rank == 2 && t->n && n > end && !strcmp(t->name + n - end, ".weight") &&
           !is_skipped(t->name, n - end, "lm_head,embed_tokens,embed_positions,wte,wpe,embd") &&
           !is_skipped(t->name, n - end, skip);
}

static bool is_float(enum dtype t)
{
    return t == DT_F32 || t == DT_F16 || t == DT_BF16;
}

/* ---- a piece of a tensor ---- */

static int64_t piece_at(const struct tensor *t, int64_t from)
{
    return t->n - from < PIECE ? t->n - from : PIECE;
}

static const struct dev *adopt_piece(const struct ops *ops, const struct tensor *t, int64_t from,
                                     int64_t n)
{
    const size_t element = dtype_size(t->dtype);

    return ops->adopt(t->data + (size_t)from * element, (size_t)n * element);
}

static int check_finite(const struct plan *p, const struct tensor *t, const struct dev *piece,
                        int64_t from, int64_t n)
{
    int64_t bad;

    if (p->ops->find_nonfinite(&bad, piece, t->dtype, n) < 0)
        return -1;
    return bad < 0 ? 0
                   : err_set(EXIT_NUMERIC,
                             "tensor '%s' is not a finite number at element %lld; fetch or make "
                             "the model again",
                             t->name, (long long)(from + bad));
}

int plan_codes(const struct plan *p, const struct room *room, const struct item *it, int64_t from,
               int64_t n)
{
    const struct dev *piece = adopt_piece(p->ops, it->t, from, n);

    if (!piece)
        return -1;
    int rc = p->ops->nf4_quantize(room->codes, room->scales, piece, it->t->dtype, n,
                                  (int)p->opt.block, ZERO_CODE);

    if (!rc)
        rc = p->ops->get(room->host, room->codes, (size_t)(n + 1) / 2);
    p->ops->disown(piece);
    return rc;
}

/* ---- scales ---- */

static int scan_piece(struct plan *p, const struct item *it, int64_t from, int64_t n)
{
    struct dev *const scales = p->room[0].scales;
    const struct dev *piece = adopt_piece(p->ops, it->t, from, n);
    const int64_t first = from / p->opt.block, blocks = (n + p->opt.block - 1) / p->opt.block;

    if (!piece)
        return -1;
    int rc = check_finite(p, it->t, piece, from, n);

    if (!rc && it->quantised)
        rc = p->ops->nf4_quantize(NULL, scales, piece, it->t->dtype, n, (int)p->opt.block,
                                  ZERO_CODE);
    if (!rc && it->quantised)
        rc = p->ops->get(it->absmax + first, scales, (size_t)blocks * sizeof(float));
    p->ops->disown(piece);
    return rc;
}

static void nest(struct item *it, enum nest_compat compat, float *offset)
{
    it->q = xmalloc((size_t)it->blocks);
    it->nested = xnmalloc((size_t)(it->blocks + NEST_BLOCK - 1) / NEST_BLOCK, sizeof(float));
    nest_quantize(it->q, it->nested, offset, it->absmax, it->blocks, compat);
    nest_expand(it->absmax, it->q, it->nested, nest_map, *offset, it->blocks, NEST_BLOCK);
}

/* The JSON that bitsandbytes puts beside the codes, spelt as Python's json.dumps does. */
static char *state_of(const struct item *it, const struct nf4_options *opt, float offset)
{
    struct buf b = BUF_INIT;

    buf_printf(
        &b,
        "{\"quant_type\": \"nf4\", \"blocksize\": %lld, \"dtype\": \"%s\", \"shape\": [%lld, %lld]",
        (long long)opt->block, dtype_torch_name(it->t->dtype), (long long)it->t->shape[0],
        (long long)it->t->shape[1]);
    if (opt->nested) {
        buf_printf(&b,
                   ", \"nested_blocksize\": %d, \"nested_dtype\": \"float32\", \"nested_offset\": ",
                   NEST_BLOCK);
        json_put_double(&b, (double)offset);
    }
    buf_putc(&b, '}');
    return b.p;
}

static int scan_item(struct plan *p, struct item *it)
{
    float offset = 0;

    if (it->quantised) {
        it->blocks = (it->t->n + p->opt.block - 1) / p->opt.block;
        it->absmax = xnmalloc((size_t)it->blocks, sizeof(float));
    }
    for (int64_t from = 0; from < it->t->n; from += PIECE)
        if (scan_piece(p, it, from, piece_at(it->t, from)) < 0)
            return -1;
    if (it->quantised && p->opt.nested)
        nest(it, p->opt.compat, &offset);
    if (it->quantised)
        it->state = state_of(it, &p->opt, offset);
    return 0;
}

static int choose(struct item *it, const struct tensor *t, const struct nf4_options *opt)
{
    if (strstr(t->name, ".quant_state.bitsandbytes__"))
        return err_set(
            EXIT_DATA,
            "tensor '%s' says that the model is quantised already; use --dequantize first",
            t->name);
    *it = (struct item){ .t = t, .quantised = is_linear_weight(t, opt->skip) };
    if (it->quantised && !is_float(t->dtype))
        return err_set(EXIT_DATA, "tensor '%s' is %s; only F32, F16 and BF16 can be quantised",
                       t->name, dtype_name(t->dtype));
    return 0;
}

static int make_rooms(struct plan *p)
{
    p->rooms = omp_get_max_threads();
    p->room = xcalloc((size_t)p->rooms, sizeof *p->room);
    for (int i = 0; i < p->rooms; i++) {
        p->room[i].host = xmalloc(PIECE / 2);
        p->room[i].codes = p->ops->alloc(PIECE / 2);
        p->room[i].scales = p->ops->alloc(PIECE / (size_t)p->opt.block * sizeof(float));
        if (!p->room[i].codes || !p->room[i].scales)
            return -1;
    }
    return 0;
}

int plan_make(struct plan *p, const struct tensors *model, struct progress *progress)
{
    const int n = tensors_count(model);
    int quantised = 0;

    p->item = xcalloc((size_t)n, sizeof *p->item);
    p->n = n;
    if (make_rooms(p) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        if (choose(&p->item[i], tensors_at(model, i), &p->opt) < 0)
            return -1;
        quantised += p->item[i].quantised;
    }
    if (!quantised)
        return err_set(EXIT_DATA, "no linear weight to quantise");
    for (int i = 0; i < n; i++) {
        if (is_float(p->item[i].t->dtype) && scan_item(p, &p->item[i]) < 0)
            return -1;
        progress_to(progress, i + 1);
    }
    return 0;
}

void plan_free(struct plan *p)
{
    for (int i = 0; i < p->n; i++) {
        free(p->item[i].absmax);
        free(p->item[i].q);
        free(p->item[i].nested);
        free(p->item[i].state);
    }
    free(p->item);
    for (int i = 0; i < p->rooms; i++) {
        free(p->room[i].host);
        p->ops->release(p->room[i].codes);
        p->ops->release(p->room[i].scales);
    }
    free(p->room);
    *p = (struct plan){ 0 };
}
