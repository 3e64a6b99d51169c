/*
 * behind.h - a thread that takes chunks of bytes, one after another, while its caller makes the next.
 */
#ifndef BEHIND_H
#define BEHIND_H

#include "mem.h"

struct behind;

/* Whether a second thread is of use when THREADS are wanted (0: as many as the machine has). */
bool behind_helps(int64_t threads);
/* TAKE is called for one chunk at a time, in their order; -1 is an error (err.h), behind which
 * nothing is taken any more. NULL when no thread can be had: then do it yourself. */
struct behind *behind_new(int (*take)(void *user, const void *bytes, size_t n), void *user);
/* Waits for the chunk before, then hands over what CHUNK holds and leaves it empty. -1 with the error
 * of an earlier chunk. */
MUST_USE int behind_give(struct behind *b, struct buf *chunk);
/* Waits until all is taken. */
MUST_USE int behind_wait(struct behind *b);
/* Waits, and ends the thread; NULL is fine. */
void behind_free(struct behind *b);

#endif
