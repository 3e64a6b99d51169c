/* layer.c - attention and MLP side by side, or one after the other. */
#include "blocks/layer.h"

#include "blocks/blocks.h"

/* From the normed stream *H to what the heads see; *X and *H are of fewer rows then, where the
 * layer narrows. */
static int attend(struct pass *p, int layer, const struct dev **x, const struct dev **h)
{
    if (block_keys(p, layer, *h) < 0 || block_narrow(p, layer, NARROWS_BEFORE, x, h) < 0 ||
        block_attention(p, layer, *h) < 0)
        return -1;
    return block_narrow(p, layer, NARROWS_BEHIND, x, h);
}

/* ---- side by side ---- */

static int parallel_forward(struct pass *p, int layer, struct dev *x_next)
{
    const struct engine *e = p->e;
    const struct acts *a = &e->acts;
    const struct layer_acts *l = &a->layer[layer];
    const struct dropout da = block_residual_dropout(p, layer, SITE_ATTENTION);
    const struct dropout dm = block_residual_dropout(p, layer, SITE_MLP);
    const struct dev *x = l->x, *h = a->h;

    /* h may stand where attention's output will: the MLP looks at it first */
    if (block_norm(p, layer, NORM_ATTENTION, a->h, l->mean, l->rstd, x) < 0 ||
        attend(p, layer, &x, &h) < 0 || block_mlp(p, layer, a->m, h) < 0 ||
        block_output(p, layer, a->a) < 0)
        return -1;
    return e->ops->residual_forward(x_next, x, a->a, a->m, &da, &dm, &p->rows, p->rows.tokens,
                                    e->config->dim);
}

/* h = the norm of those rows of the stream that the MLP saw; acts.dh is free until its gradient. */
static int norm_again(const struct pass *p, int layer)
{
    const struct acts *a = &p->e->acts;
    const struct dev *x = a->layer[layer].x;

    if (block_narrowing(p, layer) == NARROWS_BEHIND) {
        if (block_take_tail(p, a->dh, x, p->e->config->dim) < 0)
            return -1;
        x = a->dh;
    }
    return block_norm(p, layer, NORM_ATTENTION, a->h, NULL, NULL, x);
}

/* Gradients and h of all rows again. */
static int widen(struct pass *p, int layer, bool h)
{
    const struct acts *a = &p->e->acts;

    if (block_narrowing(p, layer) != NARROWS_BEHIND)
        return 0;
    return block_widen(p, h) < 0
               ? -1
               : block_norm(p, layer, NORM_ATTENTION, a->h, NULL, NULL, a->layer[layer].x);
}

static int parallel_backward(struct pass *p, int layer, bool lowest)
{
    const struct engine *e = p->e;
    const struct acts *a = &e->acts;
    const struct layer_acts *l = &a->layer[layer];
    const struct dropout drop_a = block_residual_dropout(p, layer, SITE_ATTENTION);
    const struct dropout drop_m = block_residual_dropout(p, layer, SITE_MLP);
    struct dev *da = drop_a.p > 0 ? a->a : a->dx, *dm = drop_m.p > 0 ? a->m : a->dx;
    struct dev *dh = lowest ? NULL : a->dh;

    if (e->ops->residual_backward(da, dm, a->dx, &drop_a, &drop_m, &p->rows, p->rows.tokens,
                                  e->config->dim) < 0 ||
        norm_again(p, layer) < 0 || block_mlp_back(p, layer, dh, dm) < 0 ||
        block_output_back(p, layer, da) < 0 || widen(p, layer, dh != NULL) < 0 ||
        block_attention_back(p, layer, dh, true) < 0)
        return -1;
    return lowest ? 0
                  : block_norm_back(p, layer, NORM_ATTENTION, a->dx, dh, l->x, l->mean, l->rstd);
}

const struct layer_order layer_parallel = { parallel_forward, parallel_backward, true };

/* ---- one after the other ---- */

/* out (N, C) = drop(a) + x. */
static int add_to_stream(const struct pass *p, int layer, int site, struct dev *out,
                         const struct dev *x, const struct dev *a)
{
    const struct dropout drop = block_residual_dropout(p, layer, site);

    return p->e->ops->residual_forward(out, x, a, NULL, &drop, NULL, &p->rows, p->rows.tokens,
                                       p->e->config->dim);
}

static int sequential_forward(struct pass *p, int layer, struct dev *x_next)
{
    const struct acts *a = &p->e->acts;
    const struct layer_acts *l = &a->layer[layer];
    const struct dev *x = l->x, *h = a->h;

    if (block_norm(p, layer, NORM_ATTENTION, a->h, l->mean, l->rstd, x) < 0 ||
        attend(p, layer, &x, &h) < 0 || block_output(p, layer, a->a) < 0 ||
        add_to_stream(p, layer, SITE_ATTENTION, l->mid, x, a->a) < 0 ||
        block_norm(p, layer, NORM_MLP, a->h, l->mid_mean, l->mid_rstd, l->mid) < 0 ||
        block_mlp(p, layer, a->m, a->h) < 0)
        return -1;
    return add_to_stream(p, layer, SITE_MLP, x_next, l->mid, a->m);
}

/* The gradient of what was added to the stream, of which acts.dx is the gradient: SCRATCH, or
 * acts.dx itself where nothing was dropped. */
static int added(const struct pass *p, int layer, int site, struct dev *scratch, struct dev **d)
{
    const struct acts *a = &p->e->acts;
    const struct dropout drop = block_residual_dropout(p, layer, site);

    *d = drop.p > 0 ? scratch : a->dx;
    return p->e->ops->residual_backward(*d, NULL, a->dx, &drop, NULL, &p->rows, p->rows.tokens,
                                        p->e->config->dim);
}

static int sequential_backward(struct pass *p, int layer, bool lowest)
{
    const struct acts *a = &p->e->acts;
    const struct layer_acts *l = &a->layer[layer];
    struct dev *d, *dh = lowest ? NULL : a->dh;

    if (added(p, layer, SITE_MLP, a->m, &d) < 0 ||
        block_norm(p, layer, NORM_MLP, a->h, NULL, NULL, l->mid) < 0 ||
        block_mlp_back(p, layer, a->dh, d) < 0 ||
        block_norm_back(p, layer, NORM_MLP, a->dx, a->dh, l->mid, l->mid_mean, l->mid_rstd) < 0 ||
        added(p, layer, SITE_ATTENTION, a->a, &d) < 0 || block_output_back(p, layer, d) < 0 ||
        (block_narrowing(p, layer) == NARROWS_BEHIND && block_widen(p, false) < 0) ||
        block_norm(p, layer, NORM_ATTENTION, a->h, NULL, NULL, l->x) < 0 ||
        block_attention_back(p, layer, dh, false) < 0)
        return -1;
    return lowest ? 0
                  : block_norm_back(p, layer, NORM_ATTENTION, a->dx, dh, l->x, l->mean, l->rstd);
}

const struct layer_order layer_sequential = { sequential_forward, sequential_backward, false };
