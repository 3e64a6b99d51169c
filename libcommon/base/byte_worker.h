/*
 * byte_worker.h - a thread that takes chunks of bytes, one after another, while its caller makes
 * the next. Threads that compute numbers are OpenMP's; one that hashes or copies beside them is
 * this.
 */
#ifndef BYTE_WORKER_H
#define BYTE_WORKER_H

#include "mem.h"

struct byte_worker;

/* Whether a second thread is of use when THREADS are wanted (0: as many as the machine has). */
bool byte_worker_helps(int64_t threads);
/* TAKE is called in the new thread with USER, which is lent until byte_worker_free, and one chunk
 * at a time, in their order. NULL when no thread can be had (no error is set): the caller then
 * calls TAKE itself. */
struct byte_worker *byte_worker_new(void (*take)(void *user, const void *bytes, size_t n),
                                    void *user);
/* Waits until the chunk before is taken, then hands over what CHUNK holds and leaves it empty. */
void byte_worker_give(struct byte_worker *w, struct buf *chunk);
/* Waits until all is taken, and ends the thread. NULL is fine. */
void byte_worker_free(struct byte_worker *w);

#endif
