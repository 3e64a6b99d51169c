/*
 * attention_block.c - from the normed stream to what attention adds to it: projections (apart or
 * fused), norms of queries and keys where a family has them, rotation, cache, attention, output.
 */
#include "blocks/blocks.h"

#include <math.h>

static struct attention shape_of(const struct pass *p, int layer, int64_t q_ld, int64_t kv_ld)
{
    const struct config *c = p->e->config;

    return (struct attention){ .heads = c->heads,
                               .kv_heads = c->kv_heads,
                               .head_dim = c->head_dim,
                               .q_ld = q_ld,
                               .kv_ld = kv_ld,
                               .window = c->windowed[layer] ? c->window : 0,
                               .scale = (float)(1 / sqrt((double)c->head_dim)),
                               .round = p->e->parts->head.w.round };
}

static int rotate(const struct pass *p, const struct rows *x, int64_t heads, int dir)
{
    const struct engine *e = p->e;

    return e->ops->rope(x->at, x->ld, e->cos, e->sin, &p->rows, p->rows.tokens, heads,
                        e->config->head_dim, e->config->rope.rot, dir);
}

/* One norm for each head of each token. */
static int norm_heads(const struct pass *p, int layer, enum layer_norm which, struct dev *out,
                      struct dev *rstd, const struct dev *raw, int64_t heads)
{
    const struct engine *e = p->e;
    const struct norm_weights *w = &e->parts->layer[layer].norm[which];

    return e->ops->norm_forward(out, NULL, rstd, raw, w->gain, w->bias, e->norm,
                                p->rows.tokens * heads, e->config->head_dim, e->config->norm_eps);
}

/* HEADS heads of every row, normed by WHICH from RAW where that is there, turned. */
static int finish(const struct pass *p, int layer, const struct rows *to, struct dev *raw,
                  struct dev *rstd, enum layer_norm which, int64_t heads)
{
    return raw && norm_heads(p, layer, which, to->at, rstd, raw, heads) < 0
               ? -1
               : rotate(p, to, heads, 1);
}

static int finish_keys(const struct pass *p, int layer, const struct layer_acts *l)
{
    return finish(p, layer, &l->k, l->raw_k, l->k_rstd, NORM_KEY, p->e->config->kv_heads);
}

static int finish_queries(struct pass *p, int layer, const struct layer_acts *l)
{
    p->q = l->q;
    return finish(p, layer, &l->q, l->raw_q, l->q_rstd, NORM_QUERY, p->e->config->heads);
}

/* Where the linear of queries puts them. */
static struct output queries_of(const struct layer_acts *l)
{
    return (struct output){ ROLE_Q, l->raw_q ? l->raw_q : l->q.at };
}

/* Keys, values and, with QUERIES, these, each from a linear of its own. */
static int project(struct pass *p, int layer, bool queries, const struct dev *h)
{
    const struct layer_acts *l = &p->e->acts.layer[layer];
    const struct output out[] = { { ROLE_K, l->raw_k ? l->raw_k : l->k.at },
                                  { ROLE_V, l->v.at },
                                  queries_of(l) };

    if (block_linears(p, layer, out, queries ? 3 : 2, h) < 0 || finish_keys(p, layer, l) < 0)
        return -1;
    return queries ? finish_queries(p, layer, l) : 0;
}

/* Rows of one layer: those KEPT and, in ALL, those of the batch behind them. */
static int place(const struct pass *p, struct dev *kept, struct dev *all, const struct rows *fresh)
{
    const struct ops *ops = p->e->ops;
    const struct config *c = p->e->config;
    const int64_t width = c->kv_heads * c->head_dim;
    const size_t bytes = (size_t)(p->kv->kept * width) * ops->act_bytes;

    if (!all)
        return ops->scatter_rows(kept, fresh->at, fresh->ld, p->kv_rows, p->rows.tokens, width);
    if (ops->copy(all, kept, bytes) < 0 ||
        ops->scatter_rows(all, fresh->at, fresh->ld, p->kv_rows, p->rows.tokens, width) < 0)
        return -1;
    return ops->copy(kept, all, bytes);
}

static int to_cache(struct pass *p, int layer, const struct layer_acts *l)
{
    const struct kv_cache *kv = p->kv;

    p->k = kv->all_k ? kv->all_k : kv->k[layer];
    p->v = kv->all_v ? kv->all_v : kv->v[layer];
    p->kv_ld = p->e->config->kv_heads * p->e->config->head_dim;
    return place(p, kv->k[layer], kv->all_k, &l->k) < 0 ||
                   place(p, kv->v[layer], kv->all_v, &l->v) < 0
               ? -1
               : 0;
}

int block_keys(struct pass *p, int layer, const struct dev *h)
{
    const struct layer_acts *l = &p->e->acts.layer[layer];

    p->q = (struct rows){ 0 };
    if (l->qkv ? block_linear(p, layer, ROLE_QKV, l->qkv, h) < 0 || finish_keys(p, layer, l) < 0 ||
                     finish_queries(p, layer, l) < 0
               : project(p, layer, block_narrowing(p, layer) != NARROWS_BEFORE, h) < 0)
        return -1;
    p->k = l->k.at;
    p->v = l->v.at;
    p->kv_ld = l->k.ld;
    return p->kv ? to_cache(p, layer, l) : 0;
}

int block_attention(struct pass *p, int layer, const struct dev *h)
{
    const struct layer_acts *l = &p->e->acts.layer[layer];

    if (!p->q.at &&
        (block_linear(p, layer, ROLE_Q, queries_of(l).y, h) < 0 || finish_queries(p, layer, l) < 0))
        return -1;
    const struct attention shape = shape_of(p, layer, p->q.ld, p->kv_ld);

    return p->e->ops->attention_forward(l->o, l->lse, p->q.at, p->k, p->v, &p->rows, &shape);
}

/* O = what attention gave, of the rows that LAYER goes on with. */
static int given(const struct pass *p, int layer, const struct dev **o)
{
    const struct acts *a = &p->e->acts;
    const struct config *c = p->e->config;

    *o = a->layer[layer].o;
    if (block_narrowing(p, layer) != NARROWS_BEHIND)
        return 0;
    const int rc = block_take_tail(p, a->tail, *o, c->heads * c->head_dim);

    *o = a->tail;
    return rc;
}

int block_output(const struct pass *p, int layer, struct dev *out)
{
    const struct dev *o;

    return given(p, layer, &o) < 0 ? -1 : block_linear(p, layer, ROLE_OUT, out, o);
}

int block_output_back(const struct pass *p, int layer, const struct dev *da)
{
    const struct dev *o;

    return given(p, layer, &o) < 0 ? -1
                                   : block_linear_back(p, layer, block_module(p, ROLE_OUT),
                                                       p->e->acts.do_, da, o, false);
}

/* Turns the gradient of normed heads into that of RAW ones, in place. */
static int norm_heads_back(const struct pass *p, int layer, enum layer_norm which, struct dev *d,
                           const struct dev *raw, const struct dev *rstd, int64_t heads)
{
    const struct engine *e = p->e;

    return e->ops->norm_backward(d, d, raw, NULL, rstd, e->parts->layer[layer].norm[which].gain,
                                 e->norm, p->rows.tokens * heads, e->config->head_dim, false);
}

/* From the gradients of turned heads to dh. */
static int project_back(const struct pass *p, int layer, struct dev *dh, bool add)
{
    const struct config *c = p->e->config;
    const struct acts *a = &p->e->acts;
    const struct layer_acts *l = &a->layer[layer];

    if (rotate(p, &a->dq, c->heads, -1) < 0 || rotate(p, &a->dk, c->kv_heads, -1) < 0)
        return -1;
    if (a->dqkv)
        return block_linear_back(p, layer, block_module(p, ROLE_QKV), dh, a->dqkv, a->h, add);
    if (l->raw_q &&
        (norm_heads_back(p, layer, NORM_QUERY, a->dq.at, l->raw_q, l->q_rstd, c->heads) < 0 ||
         norm_heads_back(p, layer, NORM_KEY, a->dk.at, l->raw_k, l->k_rstd, c->kv_heads) < 0))
        return -1;
    if (block_linear_back(p, layer, block_module(p, ROLE_Q), dh, a->dq.at, a->h, add) < 0 ||
        block_linear_back(p, layer, block_module(p, ROLE_K), dh, a->dk.at, a->h, true) < 0)
        return -1;
    return block_linear_back(p, layer, block_module(p, ROLE_V), dh, a->dv.at, a->h, true);
}

int block_attention_back(const struct pass *p, int layer, struct dev *dh, bool add)
{
    const struct acts *a = &p->e->acts;
    const struct layer_acts *l = &a->layer[layer];
    const struct attention shape = shape_of(p, layer, l->q.ld, l->k.ld);

    if (p->e->ops->attention_backward(a->dq.at, a->dk.at, a->dv.at, a->attn, a->do_, l->o, l->lse,
                                      l->q.at, l->k.at, l->v.at, &p->rows, &shape) < 0)
        return -1;
    return project_back(p, layer, dh, add);
}
