/* pass.c - a batch onto the device, and through the layers. */
#include "run/model_parts.h"

#include "mem.h"

#include <assert.h>
#include <stdlib.h>

struct offsets { /* where the arrays are in the upload */
    size_t ids, pos, sample, seq, kv_row, tail_pos, tail_sample, tail_seq, tail_row, pick_row,
        target, weight;
};

/* Which sample each token belongs to; to be freed. */
static uint32_t *samples_of(const struct batch *b)
{
    uint32_t *sample = xnmalloc((size_t)b->tokens, sizeof *sample);

    for (int64_t s = 0; s < b->seqs; s++)
        for (int32_t i = 0; i < b->seq[s].q_len; i++)
            sample[b->seq[s].q_start + i] = b->seq[s].sample;
    return sample;
}

/* A loss is asked of some rows only: nothing behind the last attention is made of the others. */
static bool narrows(const struct batch *b, const struct picked *k)
{
    return k->target && k->n < b->tokens;
}

/* The rows with a loss as a tail, all of which the head looks at. */
static void add_rows(struct upload *u, const struct batch *b, const struct picked *k,
                     const uint32_t *sample, struct offsets *at)
{
    const size_t n = (size_t)k->n;
    int32_t *pos = xnmalloc(n, sizeof *pos), *pick = xnmalloc(n, sizeof *pick);
    uint32_t *of = xnmalloc(n, sizeof *of);

    for (size_t i = 0; i < n; i++) {
        pos[i] = b->pos[k->row[i]];
        of[i] = sample[k->row[i]];
        pick[i] = (int32_t)i;
    }
    at->tail_pos = upload_add(u, pos, n * sizeof *pos);
    at->tail_sample = upload_add(u, of, n * sizeof *of);
    at->tail_row = upload_add(u, k->row, n * sizeof *k->row);
    at->pick_row = upload_add(u, pick, n * sizeof *pick);
    free(pos);
    free(pick);
    free(of);
}

static struct offsets fill(struct upload *u, const struct batch *b, const struct picked *k,
                           const struct extras *x)
{
    const size_t words = (size_t)b->tokens * 4, picks = (size_t)k->n * 4;
    uint32_t *sample = samples_of(b);
    struct offsets at = { 0 };

    u->n = 0;
    at.ids = upload_add(u, b->ids, words);
    at.pos = upload_add(u, b->pos, words);
    at.sample = upload_add(u, sample, words);
    at.seq = upload_add(u, b->seq, (size_t)b->seqs * sizeof *b->seq);
    if (narrows(b, k))
        add_rows(u, b, k, sample, &at);
    else
        at.pick_row = upload_add(u, k->row, picks);
    if (k->target)
        at.target = upload_add(u, k->target, picks);
    if (k->weight)
        at.weight = upload_add(u, k->weight, picks);
    if (x && x->kv_row)
        at.kv_row = upload_add(u, x->kv_row, words);
    if (x && x->tail) {
        at.tail_row = upload_add(u, x->tail_row, (size_t)x->tail->tokens * 4);
        at.tail_pos = upload_add(u, x->tail->pos, (size_t)x->tail->tokens * 4);
        at.tail_seq = upload_add(u, x->tail->seq, (size_t)x->tail->seqs * sizeof *x->tail->seq);
    }
    free(sample);
    return at;
}

static const struct dev *part(const struct model *m, size_t offset)
{
    return m->e.ops->slice_const(m->e.acts.batch, offset);
}

static void describe(struct pass *p, const struct model *m, const struct batch *b,
                     const struct offsets *at)
{
    *p = (struct pass){ .e = &m->e,
                        .rows = { .tokens = b->tokens,
                                  .seqs = b->seqs,
                                  .seq = b->seq,
                                  .seq_dev = part(m, at->seq),
                                  .pos = part(m, at->pos),
                                  .sample = part(m, at->sample) },
                        .ids = part(m, at->ids) };
    p->all = p->rows;
}

static int64_t last_position(const struct batch *b)
{
    int32_t last = 0;

    for (int64_t i = 0; i < b->tokens; i++)
        last = b->pos[i] > last ? b->pos[i] : last;
    return last;
}

int pass_begin(struct pass *p, struct model *m, const struct batch *b, const struct picked *k,
               const struct extras *x)
{
    assert(b->tokens > 0 && b->tokens <= m->e.acts.max_tokens && k->n <= b->tokens);
    const struct offsets at = fill(&m->upload, b, k, x);

    describe(p, m, b, &at);
    p->picks = k->n;
    p->pick_row = part(m, at.pick_row);
    p->pick_target = k->target ? part(m, at.target) : NULL;
    p->pick_weight = k->weight ? part(m, at.weight) : NULL;
    if (x && x->kv_row)
        p->kv_rows = part(m, at.kv_row);
    if (x && x->tail) {
        p->tail = (struct packed){ .tokens = x->tail->tokens,
                                   .seqs = x->tail->seqs,
                                   .seq = x->tail->seq,
                                   .seq_dev = part(m, at.tail_seq),
                                   .pos = part(m, at.tail_pos) };
        p->tail_row = part(m, at.tail_row);
    } else if (narrows(b, k)) {
        p->tail = (struct packed){ .tokens = k->n,
                                   .pos = part(m, at.tail_pos),
                                   .sample = part(m, at.tail_sample) };
        p->tail_row = part(m, at.tail_row);
    }
    return rotary_reach(m, last_position(b) + 1) < 0
               ? -1
               : m->e.ops->put(m->e.acts.batch, m->upload.host, m->upload.n);
}

static int32_t longest(const struct packed *rows)
{
    int32_t most = 0;

    for (int64_t s = 0; s < rows->seqs; s++)
        most = rows->seq[s].q_len > most ? rows->seq[s].q_len : most;
    return most;
}

static uint64_t mixed(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* All that the host decides by: what blocks and ops look at, and where the device's arrays are. */
uint64_t pass_key(const struct pass *p, int64_t asked)
{
    const struct engine *e = p->e;
    const uint64_t words[] = {
        (uint64_t)asked,
        (uintptr_t)e,
        (uintptr_t)e->lora,
        (uintptr_t)e->cos,
        (uintptr_t)e->acts.memory,
        (uintptr_t)p->kv,
        (uint64_t)p->rows.tokens,
        (uint64_t)p->rows.seqs,
        (uint64_t)longest(&p->rows),
        (uint64_t)p->tail.tokens,
        (uint64_t)p->tail.seqs,
        (uint64_t)longest(&p->tail),
        (uint64_t)p->picks,
        (uintptr_t)p->ids,
        (uintptr_t)p->rows.pos,
        (uintptr_t)p->rows.seq_dev,
        (uintptr_t)p->kv_rows,
        (uintptr_t)p->tail.pos,
        (uintptr_t)p->tail.seq_dev,
        (uintptr_t)p->tail_row,
        (uintptr_t)p->pick_row,
    };
    uint64_t h = 0;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        h = mixed(h, words[i]);
    return h ? h : 1;
}

int pass_forward(struct pass *p)
{
    const struct engine *e = p->e;
    const int layers = (int)e->config->layers;

    if (block_embed(p) < 0)
        return -1;
    for (int i = 0; i < layers; i++)
        if (e->config->arch->order->forward(
                p, i, i + 1 < layers ? e->acts.layer[i + 1].x : e->acts.x_out) < 0)
            return err_in("layer %d", i);
    return 0;
}

/* The lowest layer that carries LoRA: nothing below it needs a gradient. */
static int first_adapted(const struct pass *p)
{
    const struct lora_set *lora = p->e->lora;
    int first = (int)p->e->config->layers;

    for (int i = 0; lora && i < lora->n; i++)
        if (lora->tensor[i].layer < first)
            first = lora->tensor[i].layer;
    return first;
}

int pass_backward(struct pass *p)
{
    const int first = first_adapted(p);

    for (int i = (int)p->e->config->layers - 1; i >= first; i--)
        if (p->e->config->arch->order->backward(p, i, i == first) < 0)
            return err_in("layer %d", i);
    return 0;
}

int pass_find_bad_layer(const struct pass *p, int *layer)
{
    const struct engine *e = p->e;
    const int layers = (int)e->config->layers;
    int64_t bad = -1;

    for (*layer = 0; *layer <= layers; ++*layer) {
        const struct dev *x = *layer < layers ? e->acts.layer[*layer].x : e->acts.x_out;

        const int64_t rows = *layer < layers ? p->all.tokens : p->rows.tokens;

        if (e->ops->find_nonfinite(&bad, x, e->ops->act, rows * e->config->dim) < 0)
            return -1;
        if (bad >= 0)
            break;
    }
    return 0;
}

const char *float16_advice(const struct engine *e)
{
    return e->float16 ? " (float16 ends at 65504: try --compute-dtype float32)" : "";
}
