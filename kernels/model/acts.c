/* acts.c - lays activations out: measure first, then carve. */
#include "acts.h"

enum { ALIGN = 256, LOGIT_ROWS = 64 };

struct carve {
    const struct ops *ops;
    struct dev *base;
    size_t used;
};

/* The next N values of 4 bytes. Only counts while there is no memory behind P. */
static struct dev *carve4(struct carve *p, int64_t n)
{
    struct dev *at = p->base ? p->ops->slice(p->base, p->used) : NULL;

    p->used += ((size_t)n * 4 + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

static int64_t rank_of(const struct lora_set *lora, int layer, int module)
{
    const struct lora_tensor *t = lora ? lora_find(lora, layer, module) : NULL;

    return t ? t->rank : 0;
}

static int64_t largest_rank(const struct lora_set *lora)
{
    int64_t largest = 0;

    for (int i = 0; lora && i < lora->n; i++)
        if (lora->tensor[i].rank > largest)
            largest = lora->tensor[i].rank;
    return largest;
}

static void carve_layer(struct layer_acts *l, struct carve *p, const struct acts_shape *s)
{
    const struct config *c = s->config;
    const int64_t N = s->tokens, query = c->heads * c->head_dim, key = c->kv_heads * c->head_dim;

    *l = (struct layer_acts){ 0 };
    l->x = carve4(p, N * c->dim);
    if (s->train) {
        l->mean = carve4(p, N);
        l->rstd = carve4(p, N);
        l->lse = carve4(p, N * c->heads);
    }
    l->q = carve4(p, N * query);
    l->k = carve4(p, N * key);
    l->v = carve4(p, N * key);
    l->o = carve4(p, N * query);
    l->f = carve4(p, N * c->inner);
}

static void carve_layers(struct acts *a, struct carve *p, const struct acts_shape *s)
{
    struct dev *shared_u = s->train ? NULL : carve4(p, s->tokens * largest_rank(s->lora));

    for (int i = 0; i < (int)s->config->layers; i++) {
        if (s->train || i == 0)
            carve_layer(&a->layer[i], p, s);
        else
            a->layer[i] = a->layer[0];
        for (int j = 0; j < s->modules; j++) {
            const int64_t rank = rank_of(s->lora, i, j);

            a->layer[i].u[j] = !rank ? NULL : s->train ? carve4(p, s->tokens * rank) : shared_u;
        }
    }
    a->x_out = s->train ? carve4(p, s->tokens * s->config->dim) : a->layer[0].x;
}

static void carve_scratch(struct acts *a, struct carve *p, const struct acts_shape *s)
{
    const struct config *c = s->config;
    const int64_t N = s->tokens, query = c->heads * c->head_dim, key = c->kv_heads * c->head_dim;

    a->h = carve4(p, N * c->dim);
    a->a = carve4(p, N * c->dim);
    a->m = carve4(p, N * c->dim);
    a->g = a->layer[0].f;
    if (!s->train)
        return;
    a->dx = carve4(p, N * c->dim);
    a->dh = carve4(p, N * c->dim);
    a->attn = carve4(p, N * c->heads);
    a->low = carve4(p, N * largest_rank(s->lora));

    const size_t overlay = p->used;

    a->g = carve4(p, N * c->inner);
    a->dg = carve4(p, N * c->inner);
    const size_t mlp_end = p->used;

    p->used = overlay;
    a->do_ = carve4(p, N * query);
    a->dq = carve4(p, N * query);
    a->dk = carve4(p, N * key);
    a->dv = carve4(p, N * key);
    if (p->used < mlp_end)
        p->used = mlp_end;
}

static void carve_batch(struct acts *a, struct carve *p, const struct acts_shape *s)
{
    const int64_t N = s->tokens;

    a->ids = carve4(p, N);
    a->pos = carve4(p, N);
    a->sample = carve4(p, N);
    a->rows = carve4(p, N);
    a->target = carve4(p, N);
    a->weight = carve4(p, N);
    a->nll = carve4(p, N);
    a->best = carve4(p, N);
    a->mean = carve4(p, N);
    a->rstd = carve4(p, N);
    a->seq = carve4(p, N * (int64_t)(sizeof(struct seq) / 4));
    if (s->train)
        return;
    a->logits = carve4(p, acts_logit_rows(N) * s->config->vocab);
    a->tail_row = carve4(p, N);
    a->tail_pos = carve4(p, N);
    a->tail_seq = carve4(p, N * (int64_t)(sizeof(struct seq) / 4));
}

int64_t acts_logit_rows(int64_t tokens)
{
    return tokens < LOGIT_ROWS ? tokens : LOGIT_ROWS;
}

size_t acts_layout(struct acts *a, struct dev *memory, const struct ops *ops,
                   const struct acts_shape *shape, struct acts_size *size)
{
    struct carve p = { ops, memory, 0 };

    _Static_assert(sizeof(struct seq) % 4 == 0, "sequences are carved in units of 4 bytes");
    carve_layers(a, &p, shape);
    size->kept = p.used;
    carve_scratch(a, &p, shape);
    carve_batch(a, &p, shape);
    size->scratch = p.used - size->kept;
    return p.used;
}
