/*
 * arch_phi.c - Phi-1, 1.5 and 2 (NUMERICS A.2; transformers modeling_phi.py).
 *
 * One norm feeds attention and MLP side by side: x <- drop(attn(h)) + drop(mlp(h)) + x, h =
 * norm(x).
 */
#include "arch.h"
#include "pass.h"

#include <math.h>
#include <string.h>

enum { Q, K, V, DENSE, FC1, FC2, MODULES };

static int read_drop(float *p, const cJSON *json, const char *key)
{
    double v = 0;

    if (json_double(json, key, &v) < 0)
        return -1;
    if (!(v >= 0 && (float)v < 1))
        return err_set(EXIT_DATA, "%s %g is not within 0..1", key, v);
    *p = (float)v;
    return 0;
}

static int phi_configure(struct config *c, const cJSON *json)
{
    const char *act = "gelu_new";
    double eps = 1e-5;
    bool qk_norm = false;

    if (json_text(json, "hidden_act", &act) < 0 || json_double(json, "layer_norm_eps", &eps) < 0 ||
        json_bool(json, "qk_layernorm", &qk_norm) < 0 ||
        read_drop(&c->resid_pdrop, json, "resid_pdrop") < 0 ||
        read_drop(&c->embd_pdrop, json, "embd_pdrop") < 0 ||
        read_drop(&c->attention_pdrop, json, "attention_dropout") < 0)
        return -1;
    if (strcmp(act, "gelu_new") != 0 &&
        strcmp(act, "gelu_pytorch_tanh") != 0) /* one function, two names */
        return err_set(EXIT_NODEVICE, "hidden_act '%s' is not supported; only 'gelu_new' is", act);
    if (qk_norm)
        return err_set(EXIT_NODEVICE, "qk_layernorm is not supported");
    if (!((float)eps > 0 && eps < 1))
        return err_set(EXIT_DATA, "layer_norm_eps %g is not a float between 0 and 1", eps);
    c->norm_eps = (float)eps;
    return 0;
}

static int phi_modules(struct module_info *out, const struct config *c)
{
    const int64_t query = c->heads * c->head_dim, key = c->kv_heads * c->head_dim;

    out[Q] = (struct module_info){ "self_attn.q_proj", "q_proj", query, c->dim };
    out[K] = (struct module_info){ "self_attn.k_proj", "k_proj", key, c->dim };
    out[V] = (struct module_info){ "self_attn.v_proj", "v_proj", key, c->dim };
    out[DENSE] = (struct module_info){ "self_attn.dense", "dense", c->dim, query };
    out[FC1] = (struct module_info){ "mlp.fc1", "fc1", c->inner, c->dim };
    out[FC2] = (struct module_info){ "mlp.fc2", "fc2", c->dim, c->inner };
    return MODULES;
}

static struct attention attention_of(const struct config *c)
{
    return (struct attention){ .heads = c->heads,
                               .kv_heads = c->kv_heads,
                               .head_dim = c->head_dim,
                               .q_ld = c->heads * c->head_dim,
                               .kv_ld = c->kv_heads * c->head_dim,
                               .scale = (float)(1 / sqrt((double)c->head_dim)) };
}

static int norm(const struct pass *p, int layer, struct dev *h, struct dev *mean, struct dev *rstd)
{
    const struct model *m = p->model;
    const struct norm_weights *w = &m->weights.layer[layer].norm[0];

    return m->ops->norm_forward(h, mean, rstd, m->acts.layer[layer].x, w->gain, w->bias, NORM_LAYER,
                                p->rows.tokens, m->config.dim, m->config.norm_eps);
}

static int rotate(const struct pass *p, struct dev *x, int64_t heads, int dir)
{
    const struct model *m = p->model;
    const struct config *c = &m->config;

    return m->ops->rope(x, heads * c->head_dim, m->cos, m->sin, &p->rows, p->rows.tokens, heads,
                        c->head_dim, c->rot, dir);
}

/* K and V of what norm left in h, and in front of them what the cache has. */
static int keys(const struct pass *p, int layer, const struct dev **k, const struct dev **v)
{
    const struct model *m = p->model;
    const struct layer_acts *l = &m->acts.layer[layer];

    if (pass_linear(p, layer, K, l->k, m->acts.h) < 0 ||
        pass_linear(p, layer, V, l->v, m->acts.h) < 0 || rotate(p, l->k, m->config.kv_heads, 1) < 0)
        return -1;
    *k = l->k;
    *v = l->v;
    return p->kv ? pass_cache(p, layer, k, v) : 0;
}

/* From the normed stream H to both branches, into a->a and a->m; H may be a->a. */
static int branches(const struct pass *p, int layer, const struct dev *h, const struct dev *k,
                    const struct dev *v)
{
    const struct model *m = p->model;
    const struct config *c = &m->config;
    const struct acts *a = &m->acts;
    const struct layer_acts *l = &a->layer[layer];
    const struct attention shape = attention_of(c);

    if (pass_linear(p, layer, Q, l->q, h) < 0 || pass_linear(p, layer, FC1, l->f, h) < 0 ||
        rotate(p, l->q, c->heads, 1) < 0 ||
        m->ops->attention_forward(l->o, l->lse, l->q, k, v, &p->rows, &shape) < 0 ||
        pass_linear(p, layer, DENSE, a->a, l->o) < 0 ||
        m->ops->act_forward(a->g, l->f, ACT_GELU_NEW, p->rows.tokens * c->inner) < 0)
        return -1;
    return pass_linear(p, layer, FC2, a->m, a->g);
}

/* Goes on with the rows of the tail alone, their stream in *X, normed in *H. */
static int narrow(struct pass *p, const struct dev **x, const struct dev **h)
{
    const struct model *m = p->model;
    const struct acts *a = &m->acts;
    const int64_t N = p->tail.tokens, C = m->config.dim;

    if (m->ops->gather_rows(a->a, *h, p->tail_row, N, C) < 0 ||
        m->ops->gather_rows(a->h, *x, p->tail_row, N, C) < 0)
        return -1;
    *x = a->h;
    *h = a->a;
    p->rows = p->tail;
    return 0;
}

static int layer_forward(struct pass *p, int layer, struct dev *x_next)
{
    const struct model *m = p->model;
    const struct acts *a = &m->acts;
    const struct layer_acts *l = &a->layer[layer];
    const bool last = layer + 1 == (int)m->config.layers;
    const struct dropout da = pass_residual_dropout(p, layer, SITE_ATTENTION);
    const struct dropout dm = pass_residual_dropout(p, layer, SITE_MLP);
    const struct dev *x = l->x, *h = a->h, *k, *v;

    if (norm(p, layer, a->h, l->mean, l->rstd) < 0 || keys(p, layer, &k, &v) < 0 ||
        (last && p->tail.tokens && narrow(p, &x, &h) < 0) || branches(p, layer, h, k, v) < 0)
        return -1;
    return m->ops->residual_forward(x_next, x, a->a, a->m, &da, &dm, &p->rows, p->rows.tokens,
                                    m->config.dim);
}

static int phi_forward(struct pass *p)
{
    const struct model *m = p->model;
    const int layers = (int)m->config.layers;

    if (m->ops->embed(m->acts.layer[0].x, &m->weights.embed, m->acts.ids, p->rows.tokens) < 0)
        return -1;
    for (int i = 0; i < layers; i++)
        if (layer_forward(p, i, i + 1 < layers ? m->acts.layer[i + 1].x : m->acts.x_out) < 0)
            return err_in("layer %d", i);
    return 0;
}

/* From dm, the gradient of what the MLP gave, to dh (NULL: not wanted). */
static int mlp_backward(const struct pass *p, int layer, struct dev *dh, const struct dev *dm)
{
    const struct model *m = p->model;
    const struct acts *a = &m->acts;
    const struct layer_acts *l = &a->layer[layer];
    const int64_t n = p->rows.tokens * m->config.inner;

    /* only LoRA of fc2 looks at its input again */
    if (pass_adapted(p, layer, FC2) && m->ops->act_forward(a->g, l->f, ACT_GELU_NEW, n) < 0)
        return -1;
    if (pass_linear_back(p, layer, FC2, a->dg, dm, a->g, false) < 0 ||
        m->ops->act_backward(a->dg, a->dg, l->f, ACT_GELU_NEW, n) < 0)
        return -1;
    return pass_linear_back(p, layer, FC1, dh, a->dg, a->h, false);
}

/* From da, the gradient of what attention gave, to what is added to dh (NULL: not wanted). */
static int attention_backward(const struct pass *p, int layer, struct dev *dh, const struct dev *da)
{
    const struct model *m = p->model;
    const struct config *c = &m->config;
    const struct acts *a = &m->acts;
    const struct layer_acts *l = &a->layer[layer];
    const struct attention shape = attention_of(c);

    if (pass_linear_back(p, layer, DENSE, a->do_, da, l->o, false) < 0 ||
        m->ops->attention_backward(a->dq, a->dk, a->dv, a->attn, a->do_, l->o, l->lse, l->q, l->k,
                                   l->v, &p->rows, &shape) < 0 ||
        rotate(p, a->dq, c->heads, -1) < 0 || rotate(p, a->dk, c->kv_heads, -1) < 0)
        return -1;
    return pass_linear_back(p, layer, Q, dh, a->dq, a->h, true) < 0 ||
                   pass_linear_back(p, layer, K, dh, a->dk, a->h, true) < 0 ||
                   pass_linear_back(p, layer, V, dh, a->dv, a->h, true) < 0
               ? -1
               : 0;
}

/* Turns dx behind the layer into dx in front of it; LOWEST: nobody asks for that. */
static int layer_backward(const struct pass *p, int layer, bool lowest)
{
    const struct model *m = p->model;
    const struct acts *a = &m->acts;
    const struct layer_acts *l = &a->layer[layer];
    const int64_t N = p->rows.tokens, C = m->config.dim;
    const struct dropout drop_a = pass_residual_dropout(p, layer, SITE_ATTENTION);
    const struct dropout drop_m = pass_residual_dropout(p, layer, SITE_MLP);
    struct dev *da = drop_a.p > 0 ? a->a : a->dx, *dm = drop_m.p > 0 ? a->m : a->dx;
    struct dev *dh = lowest ? NULL : a->dh;

    if (m->ops->residual_backward(da, dm, a->dx, &drop_a, &drop_m, &p->rows, N, C) < 0 ||
        norm(p, layer, a->h, NULL, NULL) < 0 || mlp_backward(p, layer, dh, dm) < 0 ||
        attention_backward(p, layer, dh, da) < 0)
        return -1;
    if (lowest)
        return 0;
    return m->ops->norm_backward(a->dx, a->dh, l->x, l->mean, l->rstd,
                                 m->weights.layer[layer].norm[0].gain, NORM_LAYER, N, C, true);
}

static int phi_backward(const struct pass *p)
{
    const int first = pass_first_adapted(p);

    for (int i = (int)p->model->config.layers - 1; i >= first; i--)
        if (layer_backward(p, i, i == first) < 0)
            return err_in("layer %d", i);
    return 0;
}

const struct arch arch_phi = {
    .name = "phi",
    .defaults = { .vocab = 51200,
                  .dim = 2048,
                  .inner = 8192,
                  .layers = 24,
                  .heads = 32,
                  .max_positions = 2048,
                  .rope_theta = 10000,
                  .norm_eps = 1e-5f,
                  .stop = { 2 },
                  .stops = 1 },
    .rotary = 0.5,
    .configure = phi_configure,
    .embed = "model.embed_tokens",
    .final_norm = "model.final_layernorm",
    .head = "lm_head",
    .layer_prefix = "model.layers.%d.",
    .norms = { "input_layernorm" },
    .n_norms = 1,
    .norm = NORM_LAYER,
    .modules = phi_modules,
    .forward = phi_forward,
    .backward = phi_backward,
};
