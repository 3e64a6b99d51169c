/*
 * batch.h - records on their way into the model: packed end to end, no padding.
 */
#ifndef BATCH_H
#define BATCH_H

#include "kernels.h"

struct batch { /* host side; grows, is reused */
    int64_t tokens, seqs;
    int32_t *ids;    /* (tokens) */
    int32_t *pos;    /* (tokens) */
    int32_t *target; /* (tokens) next token where it counts for the loss, else -1 */
    float *weight;   /* (tokens) what its nll is multiplied by in the gradient */
    struct seq *seq; /* (seqs) */
    int64_t cap_tokens, cap_seqs;
};

#define BATCH_INIT                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }
void batch_clear(struct batch *b); /* no tokens; keeps the memory */
void batch_free(struct batch *b);

/*
 * Appends a training or scoring sequence: IDS (n >= 1); targets are the next tokens of positions
 * first_target-1 .. n-2 (first_target >= 1: the first token that is predicted), each with WEIGHT.
 * SAMPLE names it to dropout. The last token is a target only: nothing depends on what the model
 * makes of it, so that batch_rows(n) of them become rows of the batch. Returns its index.
 */
int64_t batch_rows(int64_t n);
int64_t batch_add(struct batch *b, const uint32_t *ids, int64_t n, int64_t first_target,
                  float weight, uint32_t sample);

/* Appends N tokens that follow the first SEEN of sequence SEQ of this batch, without targets: they
 * see those and each other, and nobody sees them. For passes forward. */
int64_t batch_add_branch(struct batch *b, int64_t seq, int64_t seen, const uint32_t *ids,
                         int64_t n);

/* Appends new tokens of a sequence that has keys in a cache (generation, label scoring): positions
 * go on from first_pos; struct seq's key rows are given. */
int64_t batch_add_cached(struct batch *b, const uint32_t *ids, int64_t n, int64_t first_pos,
                         const struct seq *keys);

#endif
