/*
 * behind.h - a thread that takes chunks of bytes, one after another, while its caller makes the next.
 */
#ifndef BEHIND_H
#define BEHIND_H

#include "mem.h"

struct behind;

/* Whether a second thread is of use when THREADS are wanted (0: as many as the machine has). */
bool behind_helps(int64_t threads);
/* TAKE is called in the new thread with USER and one chunk at a time, in their order. When it gives -1
 * (err.h) no chunk after that one is taken. NULL when no thread can be had (no error is set): the caller
 * then calls TAKE itself. */
struct behind *behind_new(int (*take)(void *user, const void *bytes, size_t n), void *user);
/* Waits until the chunk before is taken, then hands over what CHUNK holds and leaves it empty. -1 with
 * TAKE's error of an earlier chunk. */
MUST_USE int behind_give(struct behind *b, struct buf *chunk);
/* Waits until all is taken; -1 with TAKE's error of any chunk. */
MUST_USE int behind_wait(struct behind *b);
/* Waits, and ends the thread; an error that nobody waited for is lost. NULL is fine. */
void behind_free(struct behind *b);

#endif
