#include "quant_plan.h"

#include "block_scale.h"
#include "failure.h"
#include "json.h"
#include "mem.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/*
 * A block of zeros gets code 7, which is 0, as bitsandbytes on the CPU writes it (and as its files
 * must be reproduced); on a GPU it writes code 0, which is -1 times a scale of 0.
 */
enum { ZERO_CODE = 7 };

static bool is_float(enum dtype t)
{
    return t == DT_F32 || t == DT_F16 || t == DT_BF16;
}

/* ---- pieces ---- */

struct quant_piece piece_at(const struct quant_tensor *it, int64_t from)
{
    const int64_t left = it->t->n - from;

    return (struct quant_piece){ it, from, left < PIECE ? left : PIECE };
}

const uint8_t *piece_data(const struct quant_piece *piece)
{
    return piece->item->t->data + dtype_bytes(piece->item->t->dtype, (size_t)piece->from);
}

size_t piece_bytes(const struct quant_piece *piece)
{
    return dtype_bytes(piece->item->t->dtype, (size_t)piece->n);
}

size_t piece_copy_place(const struct quant_piece *piece)
{
    return dtype_bytes(piece->item->dtype, (size_t)piece->from);
}

size_t piece_copy_bytes(const struct quant_piece *piece)
{
    return dtype_bytes(piece->item->dtype, (size_t)piece->n);
}

const void *piece_copy(const struct quant_piece *piece, const struct piece_buffers *room)
{
    return is_expanded(piece->item) ? (const void *)room->host_values : piece_data(piece);
}

bool is_expanded(const struct quant_tensor *it)
{
    return it->dtype != it->t->dtype;
}

static int64_t blocks_of(const struct quant_plan *p, int64_t weights)
{
    return (weights + p->opt.block - 1) / p->opt.block;
}

/* BAD is the first element of the piece that is not finite, or -1. */
static int say_finite(const struct quant_plan *p, const struct quant_piece *piece, int64_t bad)
{
    return bad < 0
               ? 0
               : err_set(EXIT_NUMERIC,
                         "%s: tensor '%s' is not a finite number at element %lld; fetch or "
                         "make the model again",
                         pack_name(p->pack), piece->item->t->name, (long long)(piece->from + bad));
}

static int check_finite(const struct quant_plan *p, const struct quant_piece *piece,
                        const struct dev *values)
{
    int64_t bad;

    if (p->ops->find_nonfinite(&bad, values, piece->item->dtype, piece->n) < 0)
        return -1;
    return say_finite(p, piece, bad);
}

static int check_blocks(const struct quant_plan *p, const struct quant_piece *piece)
{
    const enum dtype t = piece->item->t->dtype;
    const int64_t block = dtype_block(t);
    const int64_t bad = blocks_first_bad(piece_data(piece), t, piece->n / block);

    return say_finite(p, piece, bad < 0 ? bad : bad * block);
}

/* A scale is finite where its weights are. */
static int quantize_piece(const struct quant_plan *p, const struct piece_buffers *room,
                          const struct quant_piece *piece, const struct dev *values, bool codes)
{
    const int64_t blocks = blocks_of(p, piece->n);
    int64_t bad;

    if (p->ops->nf4_quantize(codes ? room->codes : NULL, room->scales, values, piece->item->dtype,
                             piece->n, (int)p->opt.block, ZERO_CODE) < 0 ||
        p->ops->find_nonfinite(&bad, room->scales, DT_F32, blocks) < 0)
        return -1;
    if (bad >= 0)
        return check_finite(p, piece, values);
    if (codes && p->ops->get(room->host_codes, room->codes, (size_t)(piece->n + 1) / 2) < 0)
        return -1;
    return p->ops->get(room->host_scales, room->scales, (size_t)blocks * sizeof(float));
}

static int expand(const struct quant_plan *p, const struct piece_buffers *room,
                  const struct quant_piece *piece)
{
    struct weight w = { .dtype = piece->item->t->dtype, .rows = 1, .cols = piece->n };

    w.data = p->ops->adopt(piece_data(piece), piece_bytes(piece));
    if (!w.data)
        return -1;
    const int rc = p->ops->expand(room->values, &w);

    p->ops->disown(w.data);
    return rc;
}

static int plan_expanded(const struct quant_plan *p, const struct piece_buffers *room,
                         const struct quant_piece *piece, bool codes)
{
    const bool blocks = dtype_is_blocks(piece->item->t->dtype);

    if (blocks && check_blocks(p, piece) < 0)
        return -1;
    if (blocks && !piece->item->quantised && !codes)
        return 0;
    if (expand(p, room, piece) < 0 || (!blocks && check_finite(p, piece, room->values) < 0))
        return -1;
    return piece->item->quantised
               ? quantize_piece(p, room, piece, room->values, codes)
               : p->ops->get(room->host_values, room->values, (size_t)piece->n * sizeof(float));
}

int plan_piece(const struct quant_plan *p, const struct piece_buffers *room,
               const struct quant_piece *piece, bool codes)
{
    if (is_expanded(piece->item))
        return plan_expanded(p, room, piece, codes);
    if (!is_float(piece->item->dtype))
        return 0;
    const struct dev *values = p->ops->adopt(piece_data(piece), piece_bytes(piece));

    if (!values)
        return -1;
    const int rc = piece->item->quantised ? quantize_piece(p, room, piece, values, codes)
                                          : check_finite(p, piece, values);

    p->ops->disown(values);
    return rc;
}

/*
 * Gives the pages of pieces up to I back, many together, as each time interrupts the processors of
 * the other threads. A piece that one of them still reads is mapped once more; so those are gone
 * through twice.
 */
static void let_go(const struct quant_plan *p, int i)
{
    int from = i - 2 * LET_GO + 1;

    if ((i + 1) % LET_GO && i + 1 < p->pieces)
        return;
    for (from = from < 0 ? 0 : from; from <= i;) {
        const struct quant_piece *first = &p->piece[from];
        size_t bytes = 0;

        for (; from <= i && p->piece[from].item == first->item; from++)
            bytes += piece_bytes(&p->piece[from]);
        pack_let_go(p->pack, piece_data(first), bytes);
    }
}

int plan_each(const struct quant_plan *p, piece_work *work, void *context,
              struct progress *progress)
{
    struct failure bad;

    failure_none(&bad, p->pieces);
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < p->pieces; i++) {
        const struct quant_piece *piece = &p->piece[i];
        const int thread = omp_get_thread_num();

        if (failure_before(&bad, i))
            continue;
        if (work(context, thread, piece) < 0)
            failure_note(&bad, i);
        let_go(p, i);
        if (!thread)
            progress_to(progress, piece->item - p->item);
    }
    return failure_raise(&bad, p->pieces);
}

/* ---- scales ---- */

static int scan_piece(void *context, int thread, const struct quant_piece *piece)
{
    const struct quant_plan *p = context;
    const struct piece_buffers *room = &p->room[thread];

    if (plan_piece(p, room, piece, false) < 0)
        return -1;
    if (piece->item->quantised)
        memcpy(piece->item->absmax + piece->from / p->opt.block, room->host_scales,
               (size_t)blocks_of(p, piece->n) * sizeof(float));
    return 0;
}

/* Scales near the largest float, whose sum or rounded value is beyond it, cannot be nested. */
static bool nests(const struct quant_tensor *it, float offset)
{
    bool finite = isfinite(offset);

    for (int64_t i = 0; i < it->blocks && finite; i++)
        finite = isfinite(it->absmax[i]);
    return finite;
}

static void nest(struct quant_tensor *it, enum nest_compat compat, float *offset)
{
    it->q = xmalloc((size_t)it->blocks);
    it->nested = xnmalloc((size_t)(it->blocks + NEST_BLOCK - 1) / NEST_BLOCK, sizeof(float));
    nest_quantize(it->q, it->nested, offset, it->absmax, it->blocks, compat);
    nest_expand(it->absmax, it->q, it->nested, nest_map, *offset, it->blocks, NEST_BLOCK);
}

/* The JSON that bitsandbytes puts beside the codes, spelt as Python's json.dumps does. */
static char *state_of(const struct quant_tensor *it, const struct nf4_options *opt, float offset)
{
    struct buf b = BUF_INIT;

    buf_printf(
        &b,
        "{\"quant_type\": \"nf4\", \"blocksize\": %lld, \"dtype\": \"%s\", \"shape\": [%lld, %lld]",
        (long long)opt->block, dtype_torch_name(it->dtype), (long long)it->t->shape[0],
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

int plan_scan(struct quant_plan *p, struct progress *progress)
{
    for (int i = 0; i < p->n; i++)
        if (p->item[i].quantised)
            p->item[i].absmax = xnmalloc((size_t)p->item[i].blocks, sizeof(float));
    if (plan_each(p, scan_piece, p, progress) < 0)
        return -1;
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < p->n; i++)
        if (p->item[i].quantised && p->opt.nested) {
            float offset;

            nest(&p->item[i], p->opt.compat, &offset);
            if (nests(&p->item[i], offset))
                p->item[i].state = state_of(&p->item[i], &p->opt, offset);
        }
    for (int i = 0; i < p->n; i++)
        if (p->item[i].quantised && !p->item[i].state)
            return err_set(EXIT_NUMERIC,
                           "%s: the scales of tensor '%s' in 8 bits are beyond what a float can "
                           "hold; leave out --double-quant",
                           pack_name(p->pack), p->item[i].t->name);
    return 0;
}

/* ---- the plan ---- */

/* What T is quantised from, or written in. */
static enum dtype type_of(const struct tensor *t, bool widen)
{
    return dtype_is_blocks(t->dtype) || (widen && t->rank == 2 && is_float(t->dtype)) ? DT_F32
                                                                                      : t->dtype;
}

static int choose(struct quant_tensor *it, const struct tensor *t, bool quantised, bool widen)
{
    if (strstr(t->name, ".quant_state.bitsandbytes__"))
        return err_set(
            EXIT_DATA,
            "tensor '%s' says that the model is quantised already; use --dequantize first",
            t->name);
    *it = (struct quant_tensor){ .t = t, .dtype = type_of(t, widen), .quantised = quantised };
    if (it->quantised && !is_float(it->dtype))
        return err_set(EXIT_DATA, "tensor '%s' is %s; only F32, F16 and BF16 can be quantised",
                       t->name, dtype_name(t->dtype));
    return 0;
}

static void add_pieces(struct quant_plan *p, const struct quant_tensor *it)
{
    const int more = (int)((it->t->n + PIECE - 1) / PIECE);

    p->piece = xnrealloc(p->piece, (size_t)(p->pieces + more), sizeof *p->piece);
    for (int i = 0; i < more; i++)
        p->piece[p->pieces++] = piece_at(it, (int64_t)i * PIECE);
}

static int make_room(const struct quant_plan *p, struct piece_buffers *r)
{
    const size_t scales = PIECE / (size_t)p->opt.block * sizeof(float);

    r->host_codes = xmalloc(PIECE / 2);
    r->host_scales = xmalloc(scales);
    r->codes = p->ops->alloc(PIECE / 2);
    r->scales = p->ops->alloc(scales);
    return r->codes && r->scales ? 0 : -1;
}

static int make_rooms(struct quant_plan *p)
{
    p->threads = omp_get_max_threads();
    p->room = xcalloc((size_t)p->threads, sizeof *p->room);
    for (int i = 0; i < p->threads; i++)
        if (make_room(p, &p->room[i]) < 0)
            return -1;
    return 0;
}

/* What is expanded is quantised or written before the thread begins the next piece. */
static int make_values(const struct quant_plan *p, struct piece_buffers *room)
{
    struct dev *values = p->ops->alloc(PIECE * sizeof(float));
    float *host = xnmalloc(PIECE, sizeof *host);

    room->values = values;
    room->host_values = host;
    return values ? 0 : -1;
}

static int make_rooms_to_expand(const struct quant_plan *p)
{
    bool any = false;

    for (int i = 0; i < p->n; i++)
        any |= is_expanded(&p->item[i]);
    for (int i = 0; any && i < p->threads; i++)
        if (make_values(p, &p->room[i]) < 0)
            return -1;
    return 0;
}

int plan_make(struct quant_plan *p, const struct tensors *model)
{
    const int n = tensors_count(model);
    int quantised = 0;

    p->item = xcalloc((size_t)n, sizeof *p->item);
    p->n = n;
    if (make_rooms(p) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        struct quant_tensor *it = &p->item[i];

        if (choose(it, tensors_at(model, i), p->opt.quantised[i], p->opt.widen) < 0)
            return -1;
        if (it->quantised)
            it->blocks = blocks_of(p, it->t->n);
        if (it->quantised && !p->opt.nested)
            it->state = state_of(it, &p->opt, 0);
        add_pieces(p, it);
        quantised += it->quantised;
    }
    return quantised ? make_rooms_to_expand(p)
                     : err_set(EXIT_DATA, "no linear weight is left to quantise; see --modules and "
                                          "--skip-modules");
}

void plan_free(struct quant_plan *p)
{
    for (int i = 0; i < p->n; i++) {
        free(p->item[i].absmax);
        free(p->item[i].q);
        free(p->item[i].nested);
        free(p->item[i].state);
    }
    free(p->item);
    free(p->piece);
    for (int i = 0; i < p->threads; i++) {
        const struct piece_buffers *r = &p->room[i];

        free(r->host_codes);
        free(r->host_scales);
        p->ops->release(r->codes);
        p->ops->release(r->scales);
        p->ops->release(r->values);
        free(r->host_values);
    }
    free(p->room);
    *p = (struct quant_plan){ 0 };
}
