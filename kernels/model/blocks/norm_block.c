/* norm_block.c - the norms of a layer's stream, and dropout of what is added to it. */
#include "blocks/blocks.h"

int block_norm(const struct pass *p, int layer, enum layer_norm which, struct dev *h,
               struct dev *mean, struct dev *rstd, const struct dev *x)
{
    const struct engine *e = p->e;
    const struct norm_weights *w = &e->parts->layer[layer].norm[which];

    return e->ops->norm_forward(h, mean, rstd, x, w->gain, w->bias, e->norm, p->rows.tokens,
                                e->config->dim, e->config->norm_eps);
}

int block_norm_back(const struct pass *p, int layer, enum layer_norm which, struct dev *dx,
                    const struct dev *dh, const struct dev *x, const struct dev *mean,
                    const struct dev *rstd)
{
    const struct engine *e = p->e;

    return e->ops->norm_backward(dx, dh, x, mean, rstd, e->parts->layer[layer].norm[which].gain,
                                 e->norm, p->rows.tokens, e->config->dim, true);
}

struct dropout block_residual_dropout(const struct pass *p, int layer, int site)
{
    return (struct dropout){ .p = p->train ? p->e->resid_pdrop : 0,
                             .seed = p->seed,
                             .site = (uint32_t)(layer * 16 + site) };
}
