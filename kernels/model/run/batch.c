/* batch.c - packs sequences end to end. */
#include "run/batch.h"

#include "mem.h"

#include <assert.h>
#include <stdlib.h>

static int64_t grown(int64_t cap, int64_t need)
{
    const int64_t twice = cap < 64 ? 64 : 2 * cap;

    return twice < need ? need : twice;
}

static void reserve_tokens(struct batch *b, int64_t more)
{
    if (b->tokens + more <= b->cap_tokens)
        return;
    b->cap_tokens = grown(b->cap_tokens, b->tokens + more);
    b->ids = xnrealloc(b->ids, (size_t)b->cap_tokens, sizeof *b->ids);
    b->pos = xnrealloc(b->pos, (size_t)b->cap_tokens, sizeof *b->pos);
    b->target = xnrealloc(b->target, (size_t)b->cap_tokens, sizeof *b->target);
    b->weight = xnrealloc(b->weight, (size_t)b->cap_tokens, sizeof *b->weight);
}

static struct seq *new_seq(struct batch *b)
{
    if (b->seqs == b->cap_seqs) {
        b->cap_seqs = grown(b->cap_seqs, b->seqs + 1);
        b->seq = xnrealloc(b->seq, (size_t)b->cap_seqs, sizeof *b->seq);
    }
    return &b->seq[b->seqs++];
}

/* The N tokens IDS behind those that are there, without targets. */
static void append_tokens(struct batch *b, const uint32_t *ids, int64_t n, int64_t first_pos)
{
    assert(n >= 1 && b->tokens + n <= INT32_MAX);
    reserve_tokens(b, n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = b->tokens + i;

        b->ids[at] = (int32_t)ids[i];
        b->pos[at] = (int32_t)(first_pos + i);
        b->target[at] = -1;
        b->weight[at] = 0;
    }
    b->tokens += n;
}

int64_t batch_rows(int64_t n)
{
    return n > 1 ? n - 1 : n;
}

int64_t batch_add(struct batch *b, const uint32_t *ids, int64_t n, int64_t first_target,
                  float weight, uint32_t sample)
{
    const int64_t start = b->tokens, rows = batch_rows(n);

    assert(first_target >= 1);
    append_tokens(b, ids, rows, 0);
    for (int64_t i = first_target - 1; i < n - 1; i++) {
        b->target[start + i] = (int32_t)ids[i + 1];
        b->weight[start + i] = weight;
    }
    *new_seq(b) = (struct seq){ .q_start = (int32_t)start,
                                .q_len = (int32_t)rows,
                                .k_start = (int32_t)start,
                                .k_len = (int32_t)rows,
                                .sample = sample };
    return b->seqs - 1;
}

int64_t batch_add_cached(struct batch *b, const uint32_t *ids, int64_t n, int64_t first_pos,
                         const struct seq *keys)
{
    const int64_t start = b->tokens;
    struct seq s = *keys;

    s.q_start = (int32_t)start;
    s.q_len = (int32_t)n;
    append_tokens(b, ids, n, first_pos);
    *new_seq(b) = s;
    return b->seqs - 1;
}

int64_t batch_add_branch(struct batch *b, int64_t seq, int64_t seen, const uint32_t *ids, int64_t n)
{
    const struct seq *const trunk = &b->seq[seq];

    assert(seen <= trunk->q_len && !trunk->shared_len);
    return batch_add_cached(b, ids, n, seen,
                            &(struct seq){ .k_start = (int32_t)b->tokens,
                                           .k_len = (int32_t)n,
                                           .shared_start = trunk->q_start,
                                           .shared_len = (int32_t)seen });
}

void batch_clear(struct batch *b)
{
    b->tokens = 0;
    b->seqs = 0;
}

void batch_free(struct batch *b)
{
    free(b->ids);
    free(b->pos);
    free(b->target);
    free(b->weight);
    free(b->seq);
    *b = (struct batch)BATCH_INIT;
}
