/* whole.h - a sequence all of whose tokens go through the model, for tests that look at logits. */
#ifndef WHOLE_H
#define WHOLE_H

#include "run/batch.h"

static inline void add_whole(struct batch *b, const uint32_t *ids, int64_t n)
{
    const struct seq own = { .k_start = (int32_t)b->tokens, .k_len = (int32_t)n };

    (void)batch_add_cached(b, ids, n, 0, &own);
}

#endif
