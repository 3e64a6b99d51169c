/* tail_block.c - the rows that the last layer is asked for: what stands behind its keys, or behind
 * its attention, is made for no others. */
#include "blocks/blocks.h"

enum narrowing block_narrowing(const struct pass *p, int layer)
{
    if (layer + 1 < (int)p->e->config->layers || p->tail.tokens == 0)
        return NARROWS_NOT;
    return p->tail.seqs ? NARROWS_BEFORE : NARROWS_BEHIND;
}

int block_take_tail(const struct pass *p, struct dev *out, const struct dev *x, int64_t width)
{
    return p->e->ops->gather_rows(out, x, p->tail_row, p->tail.tokens, width);
}

int block_narrow(struct pass *p, int layer, enum narrowing when, const struct dev **x,
                 const struct dev **h)
{
    const struct config *c = p->e->config;
    const struct acts *a = &p->e->acts;
    const struct layer_acts *l = &a->layer[layer];

    if (block_narrowing(p, layer) != when)
        return 0;
    if (block_take_tail(p, a->a, *h, c->dim) < 0 || block_take_tail(p, a->h, *x, c->dim) < 0)
        return -1;
    *x = a->h;
    *h = a->a;
    p->rows = p->tail;
    if (when == NARROWS_BEHIND || !l->qkv)
        return 0;
    p->q.at = a->tail;
    return block_take_tail(p, a->tail, l->qkv, l->q.ld);
}

/* x (tail, WIDTH) becomes (all, WIDTH). */
static int spread(const struct pass *p, struct dev *x, struct dev *scratch, int64_t width)
{
    const struct ops *ops = p->e->ops;
    const size_t row = (size_t)width * ops->act_bytes;

    if (ops->copy(scratch, x, (size_t)p->tail.tokens * row) < 0 ||
        ops->zero(x, (size_t)p->all.tokens * row) < 0)
        return -1;
    return ops->scatter_rows(x, scratch, width, p->tail_row, p->tail.tokens, width);
}

int block_widen(struct pass *p, bool h)
{
    const struct config *c = p->e->config;
    const struct acts *a = &p->e->acts;

    p->rows = p->all;
    if (spread(p, a->do_, a->tail, c->heads * c->head_dim) < 0 ||
        spread(p, a->dx, a->m, c->dim) < 0)
        return -1;
    return h ? spread(p, a->dh, a->m, c->dim) : 0;
}
