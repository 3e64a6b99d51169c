/* pass.c - what every architecture's pass is made of. */
#include "pass.h"

#include "mem.h"

#include <assert.h>
#include <stdlib.h>

int pass_begin(struct pass *p, const struct model *m, const struct batch *b)
{
    const struct ops *ops = m->ops;
    const struct acts *a = &m->acts;
    const size_t words = (size_t)b->tokens * 4;
    uint32_t *sample = xnmalloc((size_t)b->tokens, sizeof *sample);

    assert(b->tokens > 0 && b->tokens <= a->max_tokens);
    for (int64_t s = 0; s < b->seqs; s++)
        for (int32_t i = 0; i < b->seq[s].q_len; i++)
            sample[b->seq[s].q_start + i] = b->seq[s].sample;
    *p = (struct pass){ .model = m,
                        .rows = { .tokens = b->tokens,
                                  .seqs = b->seqs,
                                  .seq = b->seq,
                                  .seq_dev = a->seq,
                                  .pos = a->pos,
                                  .sample = a->sample } };
    const int rc = ops->put(a->ids, b->ids, words) < 0 || ops->put(a->pos, b->pos, words) < 0 ||
                   ops->put(a->sample, sample, words) < 0 ||
                   ops->put(a->seq, b->seq, (size_t)b->seqs * sizeof *b->seq) < 0;

    free(sample);
    return rc ? -1 : 0;
}

bool pass_adapted(const struct pass *p, int layer, int module)
{
    return p->model->lora && lora_find(p->model->lora, layer, module);
}

int pass_first_adapted(const struct pass *p)
{
    const struct lora_set *lora = p->model->lora;
    int first = (int)p->model->config.layers;

    for (int i = 0; lora && i < lora->n; i++)
        if (lora->tensor[i].layer < first)
            first = lora->tensor[i].layer;
    return first;
}

/* Fills L and gives it, or NULL when this linear is not adapted. */
static const struct lora *lora_of(const struct pass *p, int layer, int module, struct lora *l)
{
    const struct lora_set *set = p->model->lora;
    const struct lora_tensor *t = set ? lora_find(set, layer, module) : NULL;

    if (!t)
        return NULL;
    *l = (struct lora){ .a = set->ops->slice_const(set->p, t->a_at * sizeof(float)),
                        .b = set->ops->slice_const(set->p, t->b_at * sizeof(float)),
                        .rank = t->rank,
                        .scale = t->scale };
    if (p->train)
        l->drop = (struct dropout){ .p = (float)set->opt.dropout,
                                    .seed = p->seed,
                                    .site = (uint32_t)(layer * 16 + module) };
    return l;
}

int pass_linear(const struct pass *p, int layer, int module, struct dev *y, const struct dev *x)
{
    const struct model *m = p->model;
    const struct linear_weights *w = &m->weights.layer[layer].linear[module];
    struct lora l;

    return m->ops->linear_forward(y, m->acts.layer[layer].u[module], x, &w->w, w->bias,
                                  lora_of(p, layer, module, &l), &p->rows, p->rows.tokens);
}

int pass_linear_back(const struct pass *p, int layer, int module, struct dev *dx,
                     const struct dev *dy, const struct dev *x, bool add)
{
    const struct model *m = p->model;
    struct dev *da = NULL, *db = NULL;
    struct lora l;
    const struct lora *lora = lora_of(p, layer, module, &l);

    if (lora) {
        const struct lora_tensor *t = lora_find(m->lora, layer, module);

        da = m->ops->slice(m->lora->g, t->a_at * sizeof(float));
        db = m->ops->slice(m->lora->g, t->b_at * sizeof(float));
    } else if (!dx) {
        return 0;
    }
    return m->ops->linear_backward(dx, da, db, dy, x, m->acts.layer[layer].u[module], m->acts.low,
                                   &m->weights.layer[layer].linear[module].w, lora, &p->rows,
                                   p->rows.tokens, add);
}

struct dropout pass_residual_dropout(const struct pass *p, int layer, int site)
{
    return (struct dropout){ .p = p->train ? p->model->resid_pdrop : 0,
                             .seed = p->seed,
                             .site = (uint32_t)(layer * 16 + site) };
}

int pass_find_bad_layer(const struct pass *p, int *layer)
{
    const struct model *m = p->model;
    const int layers = (int)m->config.layers;
    int64_t bad = -1;

    for (*layer = 0; *layer <= layers; ++*layer) {
        const struct dev *x = *layer < layers ? m->acts.layer[*layer].x : m->acts.x_out;

        if (m->ops->find_nonfinite(&bad, x, DT_F32, p->rows.tokens * m->config.dim) < 0)
            return -1;
        if (bad >= 0)
            break;
    }
    return 0;
}
