/* model.c - opens a model, plans its memory and reserves it. */
#include "model.h"

#include "mem.h"
#include "pass.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/*
 * Cosines and sines as transformers makes them: every step in float32, so that angles at far
 * positions are off by the same amount as there.
 */
static int make_rotary(struct model *m)
{
    const struct config *c = &m->config;
    const int64_t half = c->rot / 2, n = c->max_positions * half;
    float *cosine = xnmalloc((size_t)n, sizeof *cosine), *sine = xnmalloc((size_t)n, sizeof *sine);
    const size_t bytes = (size_t)n * sizeof *cosine, second = (bytes + 255) / 256 * 256;
    int rc = -1;

    for (int64_t i = 0; i < half; i++) {
        const float power = (float)(2 * i) / (float)c->rot;
        const float inv_freq = 1.0f / (float)pow((double)c->rope_theta, (double)power);

        for (int64_t pos = 0; pos < c->max_positions; pos++) {
            const float angle = (float)pos * inv_freq;

            cosine[pos * half + i] = cosf(angle);
            sine[pos * half + i] = sinf(angle);
        }
    }
    m->rotary = m->ops->alloc(second + bytes);
    if (m->rotary) {
        m->cos = m->ops->slice(m->rotary, 0);
        m->sin = m->ops->slice(m->rotary, second);
        rc =
            m->ops->put(m->cos, cosine, bytes) < 0 || m->ops->put(m->sin, sine, bytes) < 0 ? -1 : 0;
    }
    free(cosine);
    free(sine);
    return rc;
}

int model_open(struct model **out, const struct pack *p, const struct ops *ops, enum dtype compute)
{
    struct model *m = xcalloc(1, sizeof *m);

    assert(compute == DT_F32 || compute == DT_BF16);
    m->pack = p;
    m->ops = ops;
    if (config_load(&m->config, p) < 0)
        goto fail;
    m->n_modules = m->config.arch->modules(m->module, &m->config);
    m->resid_pdrop = m->config.resid_pdrop;
    m->acts.layer = xcalloc((size_t)m->config.layers, sizeof *m->acts.layer);
    if (weights_load(&m->weights, p, &m->config, m->module, m->n_modules, ops, compute) < 0 ||
        make_rotary(m) < 0)
        goto fail;
    *out = m;
    return 0;
fail:
    model_close(m);
    return -1;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    m->ops->release(m->acts.memory);
    m->ops->release(m->rotary);
    weights_free(&m->weights);
    free(m->acts.layer);
    free(m);
}

const struct pack *model_pack(const struct model *m)
{
    return m->pack;
}

const struct config *model_config(const struct model *m)
{
    return &m->config;
}

const struct ops *model_ops(const struct model *m)
{
    return m->ops;
}

int model_modules(const struct model *m)
{
    return m->n_modules;
}

const struct module_info *model_module(const struct model *m, int i)
{
    return &m->module[i];
}

const char *model_layer_prefix(const struct model *m)
{
    return m->config.arch->layer_prefix;
}

void model_set_resid_pdrop(struct model *m, float p)
{
    m->resid_pdrop = p;
}

static void drop_reservation(struct model *m)
{
    m->ops->release(m->acts.memory);
    m->acts.memory = NULL;
    m->acts.max_tokens = 0;
}

void model_use_lora(struct model *m, const struct lora_set *l)
{
    m->lora = l;
    drop_reservation(m); /* its ranks decide how much is needed */
}

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void model_plan(const struct model *m, int64_t max_tokens, bool train, const struct lora_set *l,
                struct memory_plan *plan)
{
    const struct config *c = &m->config;
    struct acts a = { .layer = xcalloc((size_t)c->layers, sizeof *a.layer) };
    const struct acts_shape shape = { c, l, m->n_modules, max_tokens, train };
    struct acts_size size;
    const int64_t width = largest(largest(c->inner, c->dim), c->heads * c->head_dim);

    (void)acts_layout(&a, NULL, m->ops, &shape, &size);
    free(a.layer);
    *plan = (struct memory_plan){
        .weights_mapped = m->weights.mapped,
        .weights_owned = m->weights.owned + (size_t)(c->max_positions * c->rot) * sizeof(float),
        .activations = size.kept,
        .scratch = size.scratch + ops_scratch_bytes(m->ops, max_tokens, width, c->vocab),
        .lora = l ? (size_t)l->params * sizeof(float) * (train ? 4 : 1) : 0,
    };
}

int model_reserve(struct model *m, int64_t max_tokens, bool train)
{
    const struct config *c = &m->config;
    const struct acts_shape shape = { c, m->lora, m->n_modules, max_tokens, train };
    struct acts *a = &m->acts;
    struct acts_size size;

    if (train && (c->embd_pdrop > 0 || c->attention_pdrop > 0))
        return err_set(
            EXIT_NODEVICE,
            "config.json asks for embd_pdrop %g and attention_dropout %g; training knows "
            "neither",
            (double)c->embd_pdrop, (double)c->attention_pdrop);
    if (max_tokens <= a->max_tokens && train == a->train)
        return 0;
    drop_reservation(m);
    const size_t bytes = acts_layout(a, NULL, m->ops, &shape, &size);

    a->memory = m->ops->alloc(bytes);
    if (!a->memory)
        return err_in("activations of %lld tokens, %.1f MB", (long long)max_tokens,
                      (double)bytes / 1e6);
    (void)acts_layout(a, a->memory, m->ops, &shape, &size);
    a->max_tokens = max_tokens;
    a->train = train;
    return 0;
}

int model_check_ids(const struct model *m, const uint32_t *ids, int64_t n, int64_t more)
{
    const struct config *c = &m->config;

    if (n < 1)
        return err_set(EXIT_DATA, "no token ids; leave out records with an empty text");
    if (n + more > c->max_positions)
        return err_set(
            EXIT_DATA,
            "%lld tokens%s are more than the model's %lld positions; see tokenize --max-length",
            (long long)(n + more), more ? " with those to come" : "", (long long)c->max_positions);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] >= c->vocab)
            return err_set(
                EXIT_DATA,
                "token id %lu is outside the model's vocabulary of %lld; was another tokenizer "
                "used?",
                (unsigned long)ids[i], (long long)c->vocab);
    return 0;
}
