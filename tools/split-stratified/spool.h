/*
 * spool.h - bytes that are put one behind the other and read again: the first few MiB are in memory,
 * more of them in a temporary file.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "mem.h"

struct spool {
    struct buf memory; /* all of it, while there is no file */
    int fd;            /* when in_file > 0 */
    size_t in_file;    /* bytes */
    struct buf block;  /* a piece of the file, which begins at block_at */
    size_t block_at;
};

/* A spool of zeros is an empty one. */
MUST_USE int spool_add(struct spool *s, const void *bytes, size_t n);
/* The N bytes at AT, lent until the next call. Fast in ascending order. */
MUST_USE int spool_read(struct spool *s, size_t at, size_t n, const uint8_t **bytes);
void spool_free(struct spool *s);

/* The same bytes once more, for another thread that reads them while nobody adds any. */
struct spool spool_reader(const struct spool *s);
void spool_reader_free(struct spool *reader);

#endif
