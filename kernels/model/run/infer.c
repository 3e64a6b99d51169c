/* infer.c - the cache of keys and values, and logits at chosen rows. */
#include "run/model_parts.h"

#include "mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t part_bytes(const struct model *m, int64_t rows)
{
    const struct config *c = m->e.config;

    return ((size_t)(rows * c->kv_heads * c->head_dim) * m->e.ops->act_bytes + 255) / 256 * 256;
}

int kv_cache_new(struct kv_cache **out, const struct model *m, int64_t kept, int64_t rows)
{
    const struct config *c = m->e.config;
    struct kv_cache *kv = xcalloc(1, sizeof *kv);
    const size_t stride = part_bytes(m, kept), layers = stride * 2 * (size_t)c->layers;
    const size_t all = kept < rows ? part_bytes(m, rows) : 0;

    assert(kept <= rows);
    kv->ops = m->e.ops;
    kv->kept = kept;
    kv->rows = rows;
    kv->k = xnmalloc((size_t)c->layers, sizeof *kv->k);
    kv->v = xnmalloc((size_t)c->layers, sizeof *kv->v);
    kv->memory = m->e.ops->alloc(layers + 2 * all);
    if (!kv->memory) {
        kv_cache_free(kv);
        return err_in("keys and values of %lld tokens", (long long)rows);
    }
    for (size_t i = 0; i < (size_t)c->layers; i++) {
        kv->k[i] = m->e.ops->slice(kv->memory, stride * 2 * i);
        kv->v[i] = m->e.ops->slice(kv->memory, stride * (2 * i + 1));
    }
    if (all) {
        kv->all_k = m->e.ops->slice(kv->memory, layers);
        kv->all_v = m->e.ops->slice(kv->memory, layers + all);
    }
    *out = kv;
    return 0;
}

void kv_cache_free(struct kv_cache *kv)
{
    if (!kv)
        return;
    kv->ops->release(kv->memory);
    free(kv->k);
    free(kv->v);
    free(kv);
}

/* Where the keys and values of the new tokens go; to be freed. */
static int32_t *place_keys(const struct kv_cache *kv, const struct batch *b)
{
    int32_t *row = xnmalloc((size_t)b->tokens, sizeof *row);

    for (int64_t s = 0; s < b->seqs; s++) {
        const struct seq *q = &b->seq[s];

        assert(q->q_len <= q->k_len && q->k_start + q->k_len <= kv->rows);
        for (int32_t i = 0; i < q->q_len; i++)
            row[q->q_start + i] = q->k_start + q->k_len - q->q_len + i;
    }
    return row;
}

static int not_finite(const struct engine *e)
{
    return err_set(EXIT_NUMERIC,
                   "the logits are not finite numbers; is the adapter sound, and the model?%s",
                   float16_advice(e));
}

static int check_finite(const struct engine *e, const float *logits, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return not_finite(e);
    return 0;
}

/*
 * Makes the tail of B from those rows that OUT asks for, and what stands behind them in their
 * sequences; ROW gets where its rows are in B, AT (n) where those of OUT are in it.
 */
static void make_tail(struct batch *tail, int32_t *row, const struct batch *b, const int32_t *out,
                      int64_t n, int32_t *at)
{
    int32_t *wanted = xcalloc((size_t)b->tokens, sizeof *wanted);

    for (int64_t i = 0; i < n; i++)
        wanted[out[i]] = 1;
    for (int64_t s = 0; s < b->seqs; s++) {
        const struct seq *q = &b->seq[s];
        const int32_t end = q->q_start + q->q_len;
        int32_t r = q->q_start;

        while (r < end && !wanted[r])
            r++;
        if (r < end)
            batch_add_cached(tail, (const uint32_t *)b->ids + r, end - r, b->pos[r], q);
        for (int32_t to = (int32_t)tail->tokens - (end - r); r < end; r++, to++) {
            row[to] = r;
            wanted[r] = to;
        }
    }
    for (int64_t i = 0; i < n; i++)
        at[i] = wanted[out[i]];
    free(wanted);
}

/* Where the parts of what a piece of M picks is asked for and worth are in acts.select. */
struct said {
    struct dev *logp, *best, *ids; /* best right behind logp, so that one download fetches both */
};

static struct said said_of(const struct pass *p, const struct selected *s, int64_t M)
{
    const struct ops *ops = p->e->ops;
    struct dev *room = p->e->acts.select;
    struct dev *best = ops->slice(room, (size_t)(M * s->n) * sizeof *s->logp);

    return (struct said){ room, best, ops->slice(best, (size_t)M * sizeof *s->best) };
}

static int64_t select_rows(const struct selected *s)
{
    return ACTS_SELECT / (s->n * (int64_t)(sizeof *s->logp + sizeof *s->ids) + 4);
}

/* Picks FIRST + FROM.. (M): their ids to the device, */
static int put_ids(const struct pass *p, const struct selected *s, int64_t from, int64_t M)
{
    if (s->n == 0)
        return 0;
    return p->e->ops->put(said_of(p, s, M).ids, s->ids + from * s->n,
                          (size_t)(M * s->n) * sizeof *s->ids);
}

/* the head, */
static int queue_select(const struct pass *p, int64_t first, const struct selected *s, int64_t from,
                        int64_t M)
{
    const struct said at = said_of(p, s, M);
    const bool none = s->n == 0;

    return block_head_select(p, first + from, M, none ? NULL : at.logp, at.best,
                             none ? NULL : at.ids, s->n);
}

/* and what it said. */
static int fetch_said(const struct pass *p, const struct selected *s, int64_t from, int64_t M)
{
    const struct said at = said_of(p, s, M);
    const size_t logp = (size_t)(M * s->n) * sizeof *s->logp, best = (size_t)M * sizeof *s->best;

    if (s->n == 0)
        return p->e->ops->get(s->best + from, at.best, best);
    char *both = xmalloc(logp + best);
    const int rc = p->e->ops->get(both, at.logp, logp + best);

    if (rc == 0) {
        memcpy(s->logp + from * s->n, both, logp);
        memcpy(s->best + from, both + logp, best);
    }
    free(both);
    return rc;
}

static int check_best(const struct engine *e, const struct selected *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (s->best[i] < 0)
            return not_finite(e);
    return 0;
}

/* All layers and, unless S is NULL, what S asks of all picks. */
static int queue_ops(struct pass *p, const struct selected *s)
{
    return pass_forward(p) < 0 || (s && queue_select(p, 0, s, 0, p->picks) < 0) ? -1 : 0;
}

/* The same as one pass, that the device may record and play again. */
static int run_pass(struct model *m, const struct pass *p, const struct selected *s)
{
    const struct ops *ops = m->e.ops;
    const uint64_t key = pass_key(p, s ? s->n + 1 : 0);
    int again;

    m->passes++;
    do {
        struct pass one = *p; /* the last layer narrows it */
        const int begun = ops->begin(key);

        if (begun < 0)
            return -1;
        const bool done = begun > 0 || queue_ops(&one, s) == 0;

        m->played += begun;
        again = ops->end(done);
        if (again > 0)
            note("a pass is queued op by op: %s", err_text());
        else if (!done)
            again = -1;
    } while (again > 0);
    return again;
}

static int fetch_logits(const struct pass *p, float *logits)
{
    const struct engine *e = p->e;
    const int64_t V = e->config->vocab, chunk = acts_logit_rows(e->acts.max_tokens);

    for (int64_t i = 0; i < p->picks; i += chunk) {
        const int64_t part = p->picks - i < chunk ? p->picks - i : chunk;

        if (block_head_logits(p, i, part) < 0 ||
            e->ops->get(logits + i * V, e->acts.logits, (size_t)(part * V) * sizeof *logits) < 0)
            return -1;
    }
    return check_finite(e, logits, p->picks * V);
}

int pass_select(const struct pass *p, int64_t first, const struct selected *s)
{
    const int64_t n = p->picks - first, chunk = select_rows(s);

    assert(chunk > 0);
    for (int64_t i = 0; i < n; i += chunk) {
        const int64_t M = n - i < chunk ? n - i : chunk;

        if (put_ids(p, s, i, M) < 0 || queue_select(p, first, s, i, M) < 0 ||
            fetch_said(p, s, i, M) < 0)
            return -1;
    }
    return check_best(p->e, s, n);
}

/* The pass, and then what S asks: in the pass itself where there is room for all of it. */
static int infer_select(struct model *m, const struct pass *p, const struct selected *s)
{
    if (p->picks > select_rows(s))
        return run_pass(m, p, NULL) < 0 ? -1 : pass_select(p, 0, s);
    if (put_ids(p, s, 0, p->picks) < 0 || run_pass(m, p, s) < 0 ||
        fetch_said(p, s, 0, p->picks) < 0)
        return -1;
    return check_best(p->e, s, p->picks);
}

/* One pass; then LOGITS, or what S asks for. */
static int infer(struct model *m, const struct batch *b, struct kv_cache *kv,
                 const int32_t *out_rows, int64_t n_out, float *logits, const struct selected *s)
{
    struct batch tail = BATCH_INIT;
    int32_t *at = xnmalloc((size_t)n_out, sizeof *at);
    int32_t *tail_row = xnmalloc((size_t)b->tokens, sizeof *tail_row);
    int32_t *kv_row = kv ? place_keys(kv, b) : NULL;
    struct pass p;

    assert(!m->e.acts.train);
    make_tail(&tail, tail_row, b, out_rows, n_out, at);
    int rc = pass_begin(&p, m, b, &(struct picked){ .n = n_out, .row = at },
                        &(struct extras){ kv_row, &tail, tail_row });

    p.kv = kv;
    if (rc == 0 && s)
        rc = infer_select(m, &p, s);
    else if (rc == 0)
        rc = run_pass(m, &p, NULL) < 0 ? -1 : fetch_logits(&p, logits);
    batch_free(&tail);
    free(at);
    free(tail_row);
    free(kv_row);
    return rc;
}

int model_infer(struct model *m, const struct batch *b, struct kv_cache *kv,
                const int32_t *out_rows, int64_t n_out, float *logits)
{
    return infer(m, b, kv, out_rows, n_out, logits, NULL);
}

int model_select(struct model *m, const struct batch *b, struct kv_cache *kv,
                 const int32_t *out_rows, int64_t n_out, const struct selected *s)
{
    return infer(m, b, kv, out_rows, n_out, NULL, s);
}
