/* linear_block.c - a linear of a layer with LoRA where there is one, and its gradients. */
#include "blocks/blocks.h"

#include <assert.h>

bool block_adapted(const struct pass *p, int layer, int module)
{
    return p->e->lora && lora_find(p->e->lora, layer, module);
}

/* Fills L and gives it, or NULL when this linear is not adapted. */
static const struct lora *lora_of(const struct pass *p, int layer, int module, struct lora *l)
{
    const struct lora_set *set = p->e->lora;
    const struct lora_tensor *t = set ? lora_find(set, layer, module) : NULL;

    if (!t)
        return NULL;
    *l = (struct lora){ .a = set->ops->slice_const(set->p, t->a_at * sizeof(float)),
                        .b = set->ops->slice_const(set->p, t->b_at * sizeof(float)),
                        .rank = t->rank,
                        .scale = t->scale,
                        .kept = p->e->acts.layer[layer].kept[module] };
    if (p->train)
        l->drop = (struct dropout){ .p = (float)set->opt.dropout,
                                    .seed = p->seed,
                                    .site = (uint32_t)(layer * 16 + module) };
    return l;
}

int block_linears(const struct pass *p, int layer, const struct output *out, int n,
                  const struct dev *x)
{
    const struct engine *e = p->e;
    struct linear linear[LINEARS_MAX];
    struct lora lora[LINEARS_MAX];

    assert(n <= LINEARS_MAX);
    for (int i = 0; i < n; i++) {
        const int module = block_module(p, out[i].role);
        const struct linear_weights *w = &e->parts->layer[layer].linear[module];

        linear[i] = (struct linear){ .y = out[i].y,
                                     .u = e->acts.layer[layer].u[module],
                                     .w = &w->w,
                                     .bias = w->bias,
                                     .lora = lora_of(p, layer, module, &lora[i]) };
    }
    return e->ops->linear_forward(linear, n, x, &p->rows, p->rows.tokens);
}

int block_linear(const struct pass *p, int layer, enum role role, struct dev *y,
                 const struct dev *x)
{
    return block_linears(p, layer, &(struct output){ role, y }, 1, x);
}

int block_linear_back(const struct pass *p, int layer, int module, struct dev *dx,
                      const struct dev *dy, const struct dev *x, bool add)
{
    const struct engine *e = p->e;
    struct dev *da = NULL, *db = NULL;
    struct lora l;
    const struct lora *lora = lora_of(p, layer, module, &l);

    if (lora) {
        const struct lora_tensor *t = lora_find(e->lora, layer, module);

        da = e->ops->slice(e->lora->g, t->a_at * sizeof(float));
        db = e->ops->slice(e->lora->g, t->b_at * sizeof(float));
    } else if (!dx) {
        return 0;
    }
    return e->ops->linear_backward(dx, da, db, dy, x, e->acts.layer[layer].u[module], e->acts.low,
                                   &e->parts->layer[layer].linear[module].w, lora, &p->rows,
                                   p->rows.tokens, add);
}
