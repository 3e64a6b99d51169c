/* head_block.c - both ends of every model: the embedding; the final norm, the output matrix, and
 * what is asked of it. */
#include "blocks/blocks.h"

int block_embed(const struct pass *p)
{
    return p->e->ops->embed(p->e->acts.layer[0].x, &p->e->parts->embed, p->ids, p->rows.tokens);
}

/* x = the stream at picks FROM.. (N), h = their norm. Scratch of the layers is free by now. */
static int norm_rows(const struct pass *p, struct dev *x, struct dev *h, int64_t from, int64_t n)
{
    const struct engine *e = p->e;
    const struct acts *a = &e->acts;
    const struct norm_weights *w = &e->parts->final_norm;
    const struct dev *row = e->ops->slice_const(p->pick_row, (size_t)from * 4);

    if (e->ops->gather_rows(x, a->x_out, row, n, e->config->dim) < 0)
        return -1;
    return e->ops->norm_forward(h, a->mean, a->rstd, x, w->gain, w->bias, e->norm, n,
                                e->config->dim, e->config->norm_eps);
}

int block_head_loss(const struct pass *p, bool best, bool gradient)
{
    const struct engine *e = p->e;
    const struct ops *ops = e->ops;
    const struct acts *a = &e->acts;
    const struct linear_weights *head = &e->parts->head;
    const int64_t C = e->config->dim, n = p->picks;
    struct dev *x = a->a, *h = a->h, *dh = gradient ? a->m : NULL, *dx = h;
    struct dev *most = best ? ops->slice(a->result, (size_t)n * 4) : NULL;

    if (norm_rows(p, x, h, 0, n) < 0 ||
        ops->head_loss(a->result, dh, most, h, &head->w, head->bias, p->pick_target,
                       gradient ? p->pick_weight : NULL, n) < 0)
        return -1;
    if (!gradient)
        return 0;
    if (e->smoothing > 0 && ops->head_smooth(a->result, dh, h, &head->w, head->bias, e->head_mean,
                                             p->pick_target, p->pick_weight, e->smoothing, n) < 0)
        return -1;
    if (ops->norm_backward(dx, dh, x, a->mean, a->rstd, e->parts->final_norm.gain, e->norm, n, C,
                           false) < 0 ||
        ops->zero(a->dx, (size_t)(p->rows.tokens * C) * ops->act_bytes) < 0)
        return -1;
    return ops->scatter_rows(a->dx, dx, C, p->pick_row, n, C);
}

int block_head_logits(const struct pass *p, int64_t from, int64_t n)
{
    const struct engine *e = p->e;
    const struct acts *a = &e->acts;
    const struct linear_weights *head = &e->parts->head;

    if (norm_rows(p, a->a, a->h, from, n) < 0)
        return -1;
    return e->ops->head_logits(a->logits, a->h, &head->w, head->bias, n);
}

int block_head_select(const struct pass *p, int64_t from, int64_t M, struct dev *logp,
                      struct dev *best, const struct dev *ids, int64_t n)
{
    const struct engine *e = p->e;
    const struct acts *a = &e->acts;
    const struct linear_weights *head = &e->parts->head;

    if (norm_rows(p, a->a, a->h, from, M) < 0)
        return -1;
    return e->ops->head_select(logp, best, a->h, &head->w, head->bias, ids, M, n);
}
