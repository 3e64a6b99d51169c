/* model.c - opens a model, plans its memory and reserves it. */
#include "run/model_parts.h"

#include "mem.h"

#include <assert.h>
#include <stdlib.h>

int model_open(struct model **out, const struct pack *p, const struct ops *ops, enum dtype compute)
{
    struct model *m = xcalloc(1, sizeof *m);
    struct weights *w = &m->weights;

    assert(compute == DT_F32 || compute == DT_BF16 || compute == DT_F16 || compute == DT_BF16X3);
    if (weights_open(w, p, ops, compute) < 0) {
        free(m);
        return -1;
    }
    m->e = (struct engine){ .ops = ops,
                            .config = &w->config,
                            .modules = &w->modules,
                            .parts = &w->parts,
                            .norm = w->config.arch->norm,
                            .float16 = compute == DT_F16,
                            .resid_pdrop = w->config.resid_pdrop };
    m->e.acts.layer = xcalloc((size_t)w->config.layers, sizeof *m->e.acts.layer);
    *out = m;
    return 0;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    m->e.ops->release(m->e.acts.memory);
    m->e.ops->release(m->rotary);
    m->e.ops->release(m->e.head_mean);
    weights_close(&m->weights);
    upload_free(&m->upload);
    free(m->e.acts.layer);
    free(m);
}

const struct pack *model_pack(const struct model *m)
{
    return m->weights.pack;
}

const struct config *model_config(const struct model *m)
{
    return m->e.config;
}

const struct ops *model_ops(const struct model *m)
{
    return m->e.ops;
}

const struct modules *model_modules(const struct model *m)
{
    return m->e.modules;
}

const struct weights *model_weights(const struct model *m)
{
    return &m->weights;
}

void model_set_resid_pdrop(struct model *m, float p)
{
    m->e.resid_pdrop = p;
}

int model_set_label_smoothing(struct model *m, float share)
{
    const struct ops *ops = m->e.ops;

    m->e.smoothing = share;
    if (share <= 0 || m->e.head_mean)
        return 0;
    m->e.head_mean = ops->alloc((size_t)m->e.config->dim * sizeof(float));
    return m->e.head_mean ? ops->mean_row(m->e.head_mean, &m->e.parts->head.w) : -1;
}

static void drop_reservation(struct model *m)
{
    m->e.ops->release(m->e.acts.memory);
    m->e.acts.memory = NULL;
    m->e.acts.max_tokens = 0;
}

void model_use_lora(struct model *m, const struct lora_set *l)
{
    m->e.lora = l;
    drop_reservation(m); /* its ranks decide how much is needed */
}

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The most that upload.c lays side by side for N tokens: nine arrays of a word each, and two of
 * sequences, of which there may be as many as tokens. */
static size_t batch_bytes(int64_t n)
{
    return (size_t)n * (9 * 4 + 2 * sizeof(struct seq)) + (size_t)11 * UPLOAD_ALIGN;
}

static struct acts_shape shape_of(const struct model *m, int64_t max_tokens, bool train,
                                  const struct lora_set *l)
{
    const struct arch *arch = m->e.config->arch;

    return (struct acts_shape){ .config = m->e.config,
                                .modules = m->e.modules,
                                .lora = l,
                                .tokens = max_tokens,
                                .batch_bytes = batch_bytes(max_tokens),
                                .one_norm = arch->order->one_norm,
                                .head_norms = arch->norms[NORM_QUERY] != NULL,
                                .train = train };
}

/* The widest row that a product reads or makes inside a layer. */
static int64_t widest(const struct model *m)
{
    int64_t most = m->e.config->dim;

    for (int i = 0; i < m->e.modules->n; i++)
        most = largest(most, largest(m->e.modules->at[i].rows, m->e.modules->at[i].cols));
    return most;
}

static struct op_sizes sizes_of(const struct model *m, int64_t max_tokens, bool train,
                                const struct lora_set *l)
{
    const struct config *c = m->e.config;

    return (struct op_sizes){ .tokens = max_tokens,
                              .width = widest(m),
                              .vocab = c->vocab,
                              .kv_heads = c->kv_heads,
                              .rank = l ? lora_largest_rank(l) : 0,
                              .round = m->e.parts->head.w.round,
                              .train = train };
}

void model_plan(const struct model *m, int64_t max_tokens, bool train, const struct lora_set *l,
                struct memory_plan *plan)
{
    const struct config *c = m->e.config;
    struct acts a = { .layer = xcalloc((size_t)c->layers, sizeof *a.layer) };
    const struct acts_shape shape = shape_of(m, max_tokens, train, l);
    const struct op_sizes sizes = sizes_of(m, max_tokens, train, l);
    struct acts_size size;

    (void)acts_layout(&a, NULL, m->e.ops, &shape, &size);
    free(a.layer);
    *plan = (struct memory_plan){
        .weights_mapped = m->weights.mapped,
        .weights_owned = m->weights.owned,
        .activations = size.kept,
        .scratch = size.scratch + m->e.ops->scratch_bytes(&sizes),
        .lora = l ? (size_t)l->params * sizeof(float) * (train ? 4 : 1) : 0,
    };
}

static size_t lora_bytes(const struct lora_set *l)
{
    return l ? (size_t)l->params * sizeof(float) * (l->g ? 4 : 1) : 0;
}

/* What takes the memory of the device, where that is not the host's. */
static void note_memory(const struct model *m)
{
    const size_t lora = lora_bytes(m->e.lora);
    const double mb = 1e-6;
    struct memory_use use;

    m->e.ops->memory_use(&use);
    if (use.total > 0)
        note("memory of the device: weights as stored %.1f MB + kept expanded %.1f + LoRA and "
             "optimiser %.1f + activations %.1f + scratch %.1f; %.1f of %.1f MB are free",
             (double)use.stored * mb, (double)use.expanded * mb, (double)lora * mb,
             (double)(use.asked - lora) * mb, (double)use.scratch * mb, (double)use.free * mb,
             (double)use.total * mb);
}

/* Whether the device has so many bytes beside what it holds; copies of weights make room. */
static int check_room(const struct model *m, int64_t tokens, size_t acts, size_t scratch)
{
    const size_t lora = lora_bytes(m->e.lora);
    const double mb = 1e-6;
    struct memory_use use;

    m->e.ops->memory_use(&use);
    const size_t room = use.free + use.expanded + use.scratch;

    if (use.total == 0 || acts + scratch <= room)
        return 0;
    return err_set(
        EXIT_MEMORY,
        "no room on the device for batches of %lld tokens: activations %.1f MB + scratch "
        "%.1f are needed, and %.1f of %.1f MB are free beside weights as stored %.1f, "
        "LoRA and optimiser %.1f and keys and values %.1f; use shorter texts, a smaller "
        "batch or model, or end other programs on it",
        (long long)tokens, (double)acts * mb, (double)scratch * mb, (double)room * mb,
        (double)use.total * mb, (double)use.stored * mb, (double)lora * mb,
        (double)(use.asked - lora) * mb);
}

void model_note_passes(const struct model *m)
{
    if (m->played > 0)
        note("%lld of %lld passes were played from a recording", (long long)m->played,
             (long long)m->passes);
}

/* Activations, rotations, and what the ops need, in this order: copies of weights get what is left.
 */
static int take_memory(struct model *m, int64_t max_tokens, bool train)
{
    const struct ops *ops = m->e.ops;
    const struct acts_shape shape = shape_of(m, max_tokens, train, m->e.lora);
    const struct op_sizes sizes = sizes_of(m, max_tokens, train, m->e.lora);
    const int64_t positions = m->e.config->max_positions;
    struct acts *a = &m->e.acts;
    struct acts_size size;
    const size_t bytes = acts_layout(a, NULL, ops, &shape, &size);

    if (check_room(m, max_tokens, bytes, ops->scratch_bytes(&sizes)) < 0)
        return -1;
    a->memory = ops->alloc(bytes);
    if (!a->memory)
        return err_in("activations of %lld tokens, %.1f MB", (long long)max_tokens,
                      (double)bytes / 1e6);
    (void)acts_layout(a, a->memory, ops, &shape, &size);
    return rotary_reach(m, max_tokens < positions ? max_tokens : positions) < 0
               ? -1
               : ops->reserve(&sizes);
}

int model_reserve(struct model *m, int64_t max_tokens, bool train)
{
    const struct config *c = m->e.config;
    struct acts *a = &m->e.acts;

    if (train && (c->embd_pdrop > 0 || c->attention_pdrop > 0))
        return err_set(
            EXIT_NODEVICE,
            "config.json asks for embd_pdrop %g and attention_dropout %g; training knows "
            "neither",
            (double)c->embd_pdrop, (double)c->attention_pdrop);
    if (max_tokens <= a->max_tokens && train == a->train)
        return 0;
    drop_reservation(m);
    if (take_memory(m, max_tokens, train) < 0)
        return -1;
    a->max_tokens = max_tokens;
    a->train = train;
    note_memory(m);
    return 0;
}

static int too_long(const struct config *c, int64_t n, bool more)
{
    if (c->rope.kind == ROPE_LONG)
        return err_set(EXIT_NODEVICE,
                       "%lld tokens%s are more than the %lld positions that the model had before "
                       "longrope stretched them, and longer texts are not supported; see tokenize "
                       "--max-length",
                       (long long)n, more ? " with those to come" : "",
                       (long long)c->max_positions);
    return err_set(
        EXIT_DATA,
        "%lld tokens%s are more than the model's %lld positions; see tokenize --max-length",
        (long long)n, more ? " with those to come" : "", (long long)c->max_positions);
}

int model_check_ids(const struct model *m, const uint32_t *ids, int64_t n, int64_t more)
{
    const struct config *c = m->e.config;

    if (n < 1)
        return err_set(EXIT_DATA, "no token ids; leave out records with an empty text");
    if (n + more > c->max_positions)
        return too_long(c, n + more, more > 0);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] >= c->vocab)
            return err_set(
                EXIT_DATA,
                "token id %lu is outside the model's vocabulary of %lld; was another tokenizer "
                "used?",
                (unsigned long)ids[i], (long long)c->vocab);
    return 0;
}
