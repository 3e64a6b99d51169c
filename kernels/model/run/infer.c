/* infer.c - the cache of keys and values, and logits at chosen rows. */
#include "run/model_parts.h"

#include "mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

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

static int not_finite(void)
{
    return err_set(EXIT_NUMERIC,
                   "the logits are not finite numbers; is the adapter sound, and the model?");
}

static int check_finite(const float *logits, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return not_finite();
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

static int run_forward(struct pass *p)
{
    const struct ops *ops = p->e->ops;

    return ops->begin() < 0 || pass_forward(p) < 0 || ops->end() < 0 ? -1 : 0;
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
    return check_finite(logits, p->picks * V);
}

/* Picks FIRST + FROM.. (M): ids to the device, what they are worth behind them, best ids last. */
static int select_some(const struct pass *p, int64_t first, const struct selected *s, int64_t from,
                       int64_t M)
{
    const struct ops *ops = p->e->ops;
    struct dev *room = p->e->acts.select;
    const size_t values = (size_t)(M * s->n);
    struct dev *best = ops->slice(room, values * sizeof *s->logp);
    struct dev *ids = ops->slice(best, (size_t)M * sizeof *s->best);

    if (s->n == 0) {
        if (block_head_select(p, first + from, M, NULL, best, NULL, 0) < 0)
            return -1;
        return ops->get(s->best + from, best, (size_t)M * sizeof *s->best);
    }
    if (ops->put(ids, s->ids + from * s->n, values * sizeof *s->ids) < 0 ||
        block_head_select(p, first + from, M, room, best, ids, s->n) < 0 ||
        ops->get(s->logp + from * s->n, room, values * sizeof *s->logp) < 0)
        return -1;
    return ops->get(s->best + from, best, (size_t)M * sizeof *s->best);
}

int pass_select(const struct pass *p, int64_t first, const struct selected *s)
{
    const int64_t n = p->picks - first,
                  row = s->n * (int64_t)(sizeof *s->logp + sizeof *s->ids) + 4;
    const int64_t chunk = ACTS_SELECT / row;

    assert(chunk > 0);
    for (int64_t i = 0; i < n; i += chunk)
        if (select_some(p, first, s, i, n - i < chunk ? n - i : chunk) < 0)
            return -1;
    for (int64_t i = 0; i < n; i++)
        if (s->best[i] < 0)
            return not_finite();
    return 0;
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
    if (rc == 0)
        rc = run_forward(&p);
    if (rc == 0)
        rc = s ? pass_select(&p, 0, s) : fetch_logits(&p, logits);
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
