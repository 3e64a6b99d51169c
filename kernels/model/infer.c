/* infer.c - the cache of keys and values, and logits at chosen rows. */
#include "mem.h"
#include "pass.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static size_t part_bytes(const struct config *c, int64_t rows)
{
    return ((size_t)(rows * c->kv_heads * c->head_dim) * sizeof(float) + 255) / 256 * 256;
}

int kv_cache_new(struct kv_cache **out, const struct model *m, int64_t kept, int64_t rows)
{
    const struct config *c = &m->config;
    struct kv_cache *kv = xcalloc(1, sizeof *kv);
    const size_t stride = part_bytes(c, kept), layers = stride * 2 * (size_t)c->layers;
    const size_t all = kept < rows ? part_bytes(c, rows) : 0;

    assert(kept <= rows);
    kv->ops = m->ops;
    kv->kept = kept;
    kv->rows = rows;
    kv->k = xnmalloc((size_t)c->layers, sizeof *kv->k);
    kv->v = xnmalloc((size_t)c->layers, sizeof *kv->v);
    kv->memory = m->ops->alloc(layers + 2 * all);
    if (!kv->memory) {
        kv_cache_free(kv);
        return err_in("keys and values of %lld tokens", (long long)rows);
    }
    for (size_t i = 0; i < (size_t)c->layers; i++) {
        kv->k[i] = m->ops->slice(kv->memory, stride * 2 * i);
        kv->v[i] = m->ops->slice(kv->memory, stride * (2 * i + 1));
    }
    if (all) {
        kv->all_k = m->ops->slice(kv->memory, layers);
        kv->all_v = m->ops->slice(kv->memory, layers + all);
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

/* Tells the device where the keys and values of the new tokens go. */
static int place_keys(struct pass *p, const struct batch *b)
{
    const struct model *m = p->model;
    int32_t *row = xnmalloc((size_t)b->tokens, sizeof *row);

    for (int64_t s = 0; s < b->seqs; s++) {
        const struct seq *q = &b->seq[s];

        assert(q->q_len <= q->k_len && q->k_start + q->k_len <= p->kv->rows);
        for (int32_t i = 0; i < q->q_len; i++)
            row[q->q_start + i] = q->k_start + q->k_len - q->q_len + i;
    }
    /* rows of the head and rows of the cache are never wanted at the same time */
    const int rc = m->ops->put(m->acts.target, row, (size_t)b->tokens * sizeof *row);

    p->kv_rows = m->acts.target;
    free(row);
    return rc;
}

/* Rows of one layer: those KEPT and, in ALL, those of the batch behind them. */
static int place(const struct pass *p, struct dev *kept, struct dev *all, const struct dev *fresh)
{
    const struct ops *ops = p->model->ops;
    const struct config *c = &p->model->config;
    const int64_t width = c->kv_heads * c->head_dim;
    const size_t bytes = (size_t)(p->kv->kept * width) * sizeof(float);

    if (!all)
        return ops->scatter_rows(kept, fresh, width, p->kv_rows, p->rows.tokens, width);
    if (ops->copy(all, kept, bytes) < 0 ||
        ops->scatter_rows(all, fresh, width, p->kv_rows, p->rows.tokens, width) < 0)
        return -1;
    return ops->copy(kept, all, bytes);
}

int pass_cache(const struct pass *p, int layer, const struct dev **k, const struct dev **v)
{
    const struct layer_acts *l = &p->model->acts.layer[layer];
    const struct kv_cache *kv = p->kv;

    *k = kv->all_k ? kv->all_k : kv->k[layer];
    *v = kv->all_v ? kv->all_v : kv->v[layer];
    return place(p, kv->k[layer], kv->all_k, l->k) < 0 ||
                   place(p, kv->v[layer], kv->all_v, l->v) < 0
               ? -1
               : 0;
}

static int check_finite(const float *logits, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return err_set(
                EXIT_NUMERIC,
                "the logits are not finite numbers; is the adapter sound, and the model?");
    return 0;
}

/*
 * Makes the tail of P from those rows of B that OUT asks for, and what stands behind them in their
 * sequences; AT (n) gets where they are among its rows. TAIL has its positions and sequences.
 */
static int make_tail(struct pass *p, struct batch *tail, const struct batch *b, const int32_t *out,
                     int64_t n, int32_t *at)
{
    const struct ops *ops = p->model->ops;
    const struct acts *a = &p->model->acts;
    int32_t *wanted = xcalloc((size_t)b->tokens, sizeof *wanted);
    int32_t *row = xnmalloc((size_t)b->tokens, sizeof *row);

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
    p->tail = (struct packed){ .tokens = tail->tokens,
                               .seqs = tail->seqs,
                               .seq = tail->seq,
                               .seq_dev = a->tail_seq,
                               .pos = a->tail_pos };
    p->tail_row = a->tail_row;
    const size_t words = (size_t)tail->tokens * 4;
    const int rc =
        ops->put(a->tail_row, row, words) < 0 || ops->put(a->tail_pos, tail->pos, words) < 0 ||
                ops->put(a->tail_seq, tail->seq, (size_t)tail->seqs * sizeof *tail->seq) < 0
            ? -1
            : 0;

    free(wanted);
    free(row);
    return rc;
}

static int infer(struct pass *p, const struct batch *b, const int32_t *row, int64_t n,
                 float *logits)
{
    const struct model *m = p->model;
    const int64_t V = m->config.vocab, chunk = acts_logit_rows(m->acts.max_tokens);

    if ((p->kv && place_keys(p, b) < 0) || m->config.arch->forward(p) < 0)
        return -1;
    for (int64_t i = 0; i < n; i += chunk) {
        const int64_t part = n - i < chunk ? n - i : chunk;

        if (head_logits_pass(p, row + i, part) < 0 ||
            m->ops->get(logits + i * V, m->acts.logits, (size_t)(part * V) * sizeof *logits) < 0)
            return -1;
    }
    return check_finite(logits, n * V);
}

int model_infer(struct model *m, const struct batch *b, struct kv_cache *kv,
                const int32_t *out_rows, int64_t n_out, float *logits)
{
    struct batch tail = BATCH_INIT;
    int32_t *row = xnmalloc((size_t)n_out, sizeof *row);
    struct pass p;
    int rc = pass_begin(&p, m, b);

    assert(!m->acts.train);
    p.kv = kv;
    if (rc == 0)
        rc = make_tail(&p, &tail, b, out_rows, n_out, row);
    if (rc == 0)
        rc = infer(&p, b, row, n_out, logits);
    batch_free(&tail);
    free(row);
    return rc;
}
