/*
 * digests.h - digests of packs, which a thread of its own computes while the caller works with
 * them: that of a large model takes as long as a few prompts.
 */
#ifndef DIGESTS_H
#define DIGESTS_H

#include "pack.h"

struct digests;

/* Of the N packs at P, which are lent. THREADS as in byte_worker.h: 1 computes them when they are
 * wanted. */
struct digests *digests_new(struct pack *const *p, int n, int64_t threads);
/* Of pack I, lent; waits for all of them. */
const uint8_t *digests_at(struct digests *d, int i);
void digests_free(struct digests *d); /* waits, too */

#endif
