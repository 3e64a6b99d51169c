/*
 * spool.h - bytes that are put one behind the other and read again: the last few MiB are in memory,
 * what was before them in a temporary file that has no name any more, which a thread of its own writes.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "behind.h"
#include "mem.h"

struct spool {
    struct buf last;       /* not given to be written */
    size_t in_file;        /* bytes that are */
    int fd;                /* of the file, when in_file > 0 */
    size_t written;        /* of them, so far: for whoever writes */
    struct behind *behind; /* writes; NULL: nothing does */
    bool alone;            /* no thread is wanted */
    struct buf block;      /* a piece of the file, which begins at block_at */
    size_t block_at;
};

void spool_init(struct spool *s, int64_t threads); /* 0: as many as the machine has */
/* Room for N bytes more, which are the caller's to fill in; *TO is lent until the next call. */
MUST_USE int spool_add(struct spool *s, size_t n, uint8_t **to);
size_t spool_size(const struct spool *s);
/* The N bytes at AT, which were added at once, lent until the next call. Fast in ascending order. */
MUST_USE int spool_read(struct spool *s, size_t at, size_t n, const uint8_t **bytes);
void spool_free(struct spool *s);

#endif
