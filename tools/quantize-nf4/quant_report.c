#include "quant_report.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>

struct report {
    struct outfile *out;
    struct buf text;
    float *before, *after; /* one piece */
};

int report_open(struct report **out, const char *path, bool force)
{
    struct report *r = xcalloc(1, sizeof *r);

    if (outfile_open(&r->out, path, force, false) < 0) {
        free(r);
        return -1;
    }
    r->before = xnmalloc(PIECE, sizeof(float));
    r->after = xnmalloc(PIECE, sizeof(float));
    buf_puts(&r->text, "tensor\tweights\tmax_error\trms_error\tsqnr_db\n");
    *out = r;
    return 0;
}

static int expand(float *to, const struct ops *ops, const struct weight *w)
{
    const size_t bytes = (size_t)(w->rows * w->cols) * sizeof(float);
    struct dev *d = ops->alloc(bytes);
    int rc = d ? ops->expand(d, w) : -1;

    if (!rc)
        rc = ops->get(to, d, bytes);
    ops->release(d);
    return rc;
}

static int expand_before(float *to, const struct ops *ops, const struct quant_piece *piece)
{
    struct weight w = { .dtype = piece->item->t->dtype, .rows = 1, .cols = piece->n };

    w.data = ops->adopt(piece_data(piece), piece_bytes(piece));
    if (!w.data)
        return -1;
    const int rc = expand(to, ops, &w);

    ops->disown(w.data);
    return rc;
}

static int expand_after(float *to, const struct quant_plan *p, const struct piece_buffers *room,
                        const struct quant_piece *piece)
{
    const int64_t block = p->opt.block, blocks = (piece->n + block - 1) / block;
    struct weight w = { .dtype = DT_NF4,
                        .data = room->codes,
                        .rows = 1,
                        .cols = piece->n,
                        .block = (int)block,
                        .round = DT_F32 };

    w.absmax =
        p->ops->adopt(piece->item->absmax + piece->from / block, (size_t)blocks * sizeof(float));
    if (!w.absmax)
        return -1;
    const int rc = expand(to, p->ops, &w);

    p->ops->disown(w.absmax);
    return rc;
}

int report_piece(struct report *r, struct report_sums *sums, const struct quant_plan *p,
                 const struct piece_buffers *room, const struct quant_piece *piece)
{
    if (expand_before(r->before, p->ops, piece) < 0 || expand_after(r->after, p, room, piece) < 0)
        return -1;
    for (int64_t i = 0; i < piece->n; i++) {
        const double was = (double)r->before[i], error = (double)r->after[i] - was;

        sums->largest = fmax(sums->largest, fabs(error));
        sums->error += error * error;
        sums->signal += was * was;
    }
    return 0;
}

/* Signal to quantisation noise: 10 log10 of the sums of squares; a tensor of zeros has none. */
void report_tensor(struct report *r, const struct tensor *t, const struct report_sums *s)
{
    buf_printf(&r->text, "%s\t%lld\t%.6g\t%.6g\t", t->name, (long long)t->n, s->largest,
               sqrt(s->error / (double)t->n));
    if (s->error > 0)
        buf_printf(&r->text, "%.3f\n", 10 * log10(s->signal / s->error));
    else
        buf_puts(&r->text, "inf\n");
}

int report_write(struct report *r)
{
    return outfile_write(r->out, r->text.p, r->text.n) < 0 ? -1 : outfile_sync(r->out);
}

int report_commit(struct report *r)
{
    struct outfile *out = r->out;

    r->out = NULL;
    return outfile_commit(out);
}

void report_free(struct report *r)
{
    if (!r)
        return;
    outfile_abort(r->out);
    buf_free(&r->text);
    free(r->before);
    free(r->after);
    free(r);
}
