/* acts.c - lays activations out: measure first, then carve. */
#include "blocks/acts.h"

enum { ALIGN = 256, LOGIT_ROWS = 64 };

struct carve {
    const struct ops *ops;
    const struct acts_shape *shape;
    struct dev *base;
    size_t used;
};

/* The next BYTES. Only counts while there is no memory behind P. */
static struct dev *carve(struct carve *p, size_t bytes)
{
    struct dev *at = p->base ? p->ops->slice(p->base, p->used) : NULL;

    p->used += (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

/* N values of an activation for each token. */
static struct dev *carve_act(struct carve *p, int64_t n)
{
    return carve(p, (size_t)(p->shape->tokens * n) * p->ops->act_bytes);
}

/* N values of 4 bytes for each token. */
static struct dev *carve4(struct carve *p, int64_t n)
{
    return carve(p, (size_t)(p->shape->tokens * n) * 4);
}

static struct rows own_rows(struct carve *p, int64_t n)
{
    return (struct rows){ carve_act(p, n), n };
}

/* Columns FIRST.. of rows of LD values. */
static struct rows range(const struct carve *p, struct dev *all, int64_t first, int64_t ld)
{
    struct dev *at = all ? p->ops->slice(all, (size_t)first * p->ops->act_bytes) : NULL;

    return (struct rows){ at, ld };
}

static int64_t query_width(const struct config *c)
{
    return c->heads * c->head_dim;
}

static int64_t key_width(const struct config *c)
{
    return c->kv_heads * c->head_dim;
}

/* Q, K and V, of their own or, in *ALL, side by side. */
static void carve_heads(struct carve *p, struct dev **all, struct rows *q, struct rows *k,
                        struct rows *v)
{
    const int64_t query = query_width(p->shape->config), key = key_width(p->shape->config);

    *all = NULL;
    if (p->shape->modules->place[ROLE_QKV] < 0) {
        *q = own_rows(p, query);
        *k = own_rows(p, key);
        *v = own_rows(p, key);
        return;
    }
    *all = carve_act(p, query + 2 * key);
    *q = range(p, *all, 0, query + 2 * key);
    *k = range(p, *all, query, query + 2 * key);
    *v = range(p, *all, query + key, query + 2 * key);
}

static void carve_mlp(struct layer_acts *l, struct carve *p)
{
    const int64_t inner = p->shape->config->inner;
    const int *place = p->shape->modules->place;

    if (place[ROLE_GATE_UP] >= 0) {
        l->gate_up = carve_act(p, 2 * inner);
        l->gate = range(p, l->gate_up, 0, 2 * inner);
        l->up = range(p, l->gate_up, inner, 2 * inner);
        return;
    }
    if (place[ROLE_GATE] >= 0)
        l->gate = own_rows(p, inner);
    l->up = own_rows(p, inner);
}

static void carve_layer(struct layer_acts *l, struct carve *p)
{
    const struct acts_shape *s = p->shape;
    const struct config *c = s->config;

    *l = (struct layer_acts){ 0 };
    l->x = carve_act(p, c->dim);
    /* without a backward pass the stream between may be the stream itself */
    l->mid = s->one_norm ? NULL : s->train ? carve_act(p, c->dim) : l->x;
    if (s->train) {
        l->mean = carve4(p, 1);
        l->rstd = carve4(p, 1);
        l->lse = carve4(p, c->heads);
        if (!s->one_norm) {
            l->mid_mean = carve4(p, 1);
            l->mid_rstd = carve4(p, 1);
        }
    }
    carve_heads(p, &l->qkv, &l->q, &l->k, &l->v);
    if (s->head_norms) {
        l->raw_q = carve_act(p, query_width(c));
        l->raw_k = carve_act(p, key_width(c));
        l->q_rstd = s->train ? carve4(p, c->heads) : NULL;
        l->k_rstd = s->train ? carve4(p, c->kv_heads) : NULL;
    }
    l->o = carve_act(p, query_width(c));
    carve_mlp(l, p);
}

/* What stays of a LoRA for the backward pass. */
static void carve_adapted(struct layer_acts *l, struct carve *p, int module, int64_t rank)
{
    const struct acts_shape *s = p->shape;

    l->u[module] = carve4(p, rank);
    if (s->lora->opt.dropout > 0)
        l->kept[module] = carve(p, lora_kept_bytes(s->tokens, s->modules->at[module].cols));
}

static void carve_layers(struct acts *a, struct carve *p)
{
    const struct acts_shape *s = p->shape;
    const int64_t most = s->lora ? lora_largest_rank(s->lora) : 0;
    struct dev *shared[MODULES_MAX] = { NULL }; /* those that read one x need a u each */

    for (int j = 0; !s->train && most && j < s->modules->n; j++)
        shared[j] = carve4(p, most);
    for (int i = 0; i < (int)s->config->layers; i++) {
        if (s->train || i == 0)
            carve_layer(&a->layer[i], p);
        else
            a->layer[i] = a->layer[0];
        for (int j = 0; j < s->modules->n; j++) {
            const struct lora_tensor *t = s->lora ? lora_find(s->lora, i, j) : NULL;

            if (t && s->train)
                carve_adapted(&a->layer[i], p, j, t->rank);
            else
                a->layer[i].u[j] = t ? shared[j] : NULL;
        }
    }
    a->x_out = s->train ? carve_act(p, s->config->dim) : a->layer[0].x;
}

/* What only a backward pass needs; what attention's needs takes the place of what the MLP's did. */
static void carve_gradients(struct acts *a, struct carve *p)
{
    const struct acts_shape *s = p->shape;
    const struct config *c = s->config;

    a->dx = carve_act(p, c->dim);
    a->dh = carve_act(p, c->dim);
    a->attn = carve4(p, c->heads);
    a->low = carve4(p, s->lora ? lora_largest_rank(s->lora) : 0);

    const size_t overlay = p->used;

    a->g = carve_act(p, c->inner);
    a->dg = carve_act(p, c->inner);
    const size_t mlp_end = p->used;

    p->used = overlay;
    a->do_ = carve_act(p, query_width(c));
    carve_heads(p, &a->dqkv, &a->dq, &a->dk, &a->dv);
    a->tail = a->dq.at;
    if (p->used < mlp_end)
        p->used = mlp_end;
}

static void carve_scratch(struct acts *a, struct carve *p)
{
    const struct acts_shape *s = p->shape;
    const struct config *c = s->config;
    const struct layer_acts *l = &a->layer[0];

    a->h = carve_act(p, c->dim);
    a->a = carve_act(p, c->dim);
    a->m = carve_act(p, c->dim);
    a->mean = carve4(p, 1);
    a->rstd = carve4(p, 1);
    a->batch = carve(p, s->batch_bytes);
    a->result = carve4(p, 2);
    a->select = carve(p, ACTS_SELECT);
    if (s->train) {
        carve_gradients(a, p);
        return;
    }
    a->tail = s->modules->place[ROLE_QKV] >= 0 ? carve_act(p, query_width(c) + 2 * key_width(c))
                                               : l->q.at;
    /* pointers are not there yet when this only measures */
    a->g = s->modules->place[ROLE_GATE_UP] >= 0 ? carve_act(p, c->inner) : l->up.at;
    a->logits = carve(p, (size_t)(acts_logit_rows(s->tokens) * c->vocab) * sizeof(float));
}

int64_t acts_logit_rows(int64_t tokens)
{
    return tokens < LOGIT_ROWS ? tokens : LOGIT_ROWS;
}

size_t acts_layout(struct acts *a, struct dev *memory, const struct ops *ops,
                   const struct acts_shape *shape, struct acts_size *size)
{
    struct carve p = { ops, shape, memory, 0 };

    carve_layers(a, &p);
    size->kept = p.used;
    carve_scratch(a, &p);
    size->scratch = p.used - size->kept;
    return p.used;
}
