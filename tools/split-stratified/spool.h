/*
 * spool.h - bytes that are put one behind the other and read again: the last few MiB are in memory,
 * what was before them in a temporary file that has no name any more.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "mem.h"

/* Zero it to start. */
struct spool {
    struct buf last;  /* not in the file */
    size_t in_file;   /* bytes */
    int fd;           /* of the file, when in_file > 0 */
    struct buf block; /* a piece of the file, which begins at block_at */
    size_t block_at;
};

MUST_USE int spool_add(struct spool *s, const void *bytes, size_t n);
size_t spool_size(const struct spool *s);
/* The N bytes at AT, which were added at once, lent until the next call. Fast in ascending order. */
MUST_USE int spool_read(struct spool *s, size_t at, size_t n, const void **bytes);
void spool_free(struct spool *s);

#endif
