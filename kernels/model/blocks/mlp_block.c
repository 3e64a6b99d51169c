/* mlp_block.c - the two linears with an activation between them, or three with a gate. */
#include "blocks/blocks.h"

/* g (N, I) = what goes into the second linear. */
static int activate(const struct pass *p, const struct layer_acts *l)
{
    const struct engine *e = p->e;
    const struct config *c = e->config;

    if (!l->gate.at)
        return e->ops->act_forward(e->acts.g, l->up.at, c->act, p->rows.tokens * c->inner);
    return e->ops->gate_forward(e->acts.g, l->gate.at, l->up.at, l->up.ld, c->act, p->rows.tokens,
                                c->inner);
}

static int widen(const struct pass *p, int layer, const struct dev *h)
{
    const struct layer_acts *l = &p->e->acts.layer[layer];

    const struct output both[] = { { ROLE_GATE, l->gate.at }, { ROLE_UP, l->up.at } };

    if (l->gate_up)
        return block_linear(p, layer, ROLE_GATE_UP, l->gate_up, h);
    return l->gate.at ? block_linears(p, layer, both, 2, h)
                      : block_linear(p, layer, ROLE_UP, l->up.at, h);
}

int block_mlp(const struct pass *p, int layer, struct dev *out, const struct dev *h)
{
    if (widen(p, layer, h) < 0 || activate(p, &p->e->acts.layer[layer]) < 0)
        return -1;
    return block_linear(p, layer, ROLE_DOWN, out, p->e->acts.g);
}

static int widen_back(const struct pass *p, int layer, struct dev *dh)
{
    const struct engine *e = p->e;
    const struct config *c = e->config;
    const struct acts *a = &e->acts;
    const struct layer_acts *l = &a->layer[layer];
    const int64_t N = p->rows.tokens;

    if (!l->gate.at) {
        if (e->ops->act_backward(a->dg, a->dg, l->up.at, c->act, N * c->inner) < 0)
            return -1;
        return block_linear_back(p, layer, block_module(p, ROLE_UP), dh, a->dg, a->h, false);
    }
    /* gate and up are not looked at again: their gradients take their place */
    if (e->ops->gate_backward(l->gate.at, l->up.at, a->dg, l->gate.at, l->up.at, l->up.ld, c->act,
                              N, c->inner) < 0)
        return -1;
    if (l->gate_up)
        return block_linear_back(p, layer, block_module(p, ROLE_GATE_UP), dh, l->gate_up, a->h,
                                 false);
    if (block_linear_back(p, layer, block_module(p, ROLE_GATE), dh, l->gate.at, a->h, false) < 0)
        return -1;
    return block_linear_back(p, layer, block_module(p, ROLE_UP), dh, l->up.at, a->h, true);
}

int block_mlp_back(const struct pass *p, int layer, struct dev *dh, const struct dev *dm)
{
    const struct acts *a = &p->e->acts;
    const int down = block_module(p, ROLE_DOWN);

    /* only LoRA of the last linear looks at its input again */
    if (block_adapted(p, layer, down) && activate(p, &a->layer[layer]) < 0)
        return -1;
    if (block_linear_back(p, layer, down, a->dg, dm, a->g, false) < 0)
        return -1;
    return widen_back(p, layer, dh);
}
