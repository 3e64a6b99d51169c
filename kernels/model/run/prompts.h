/*
 * prompts.h - prompts on their way through a model: what they begin with in common goes through it
 * once, and its keys and values stay for the batches to come.
 *
 * The results are the same bytes as those of each prompt alone, because no row of a forward pass
 * depends on the rows of others (kernels.h).
 */
#ifndef PROMPTS_H
#define PROMPTS_H

#include "run/model.h"

struct prompt {
    const uint32_t *ids;
    int64_t n;       /* at least 1 */
    struct seq keys; /* where its keys are; set by prompts_add */
    void *owner;     /* the caller's */
};

struct prompts {
    const struct model *model;
    struct kv_cache *kv;
    int64_t kept, rows; /* of kv */
    uint32_t *ids;      /* (n) whose keys and values stand in the first rows of KV */
    int64_t n, cap;
};

void prompts_free(struct prompts *p);

/* Room for the keys and values of ROWS tokens, of which the first KEPT last; P may hold more, and
 * what stands there stays if it has enough already. */
MUST_USE int prompts_reserve(struct prompts *p, int64_t kept, int64_t rows);

/*
 * How many of the N prompts, in this order, make a batch of at most ROOM tokens with MORE to come
 * after each; at least one. SHARED gets the length of the beginning that prompts_add is to compute
 * once; NULL: nothing will be shared. In lexicographic order prompts that begin alike are
 * neighbours.
 */
int prompts_fit(const struct prompt *prompt, int n, int64_t room, int64_t more, int64_t *shared);

/*
 * Makes B the pass that leads through all N prompts; ROW (n) gets the row of the last token of
 * each. All begin with the same SHARED ids, fewer than any of them has. With MORE > 0 their keys
 * stay until the next call, and up to MORE tokens may follow each; with 0 they are forgotten after
 * the pass.
 */
MUST_USE int prompts_add(struct prompts *p, struct batch *b, struct prompt *prompt, int n,
                         int64_t shared, int64_t more, int32_t *row);

/* Adds to B the N tokens IDS that follow prompt Q and SEEN tokens more. */
void prompts_extend(struct batch *b, const struct prompt *q, int64_t seen, const uint32_t *ids,
                    int64_t n);

#endif
