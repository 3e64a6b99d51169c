/* feed.h - where unpack.h and unarchive.h get the bytes of a file from: a file, a pipe, memory. */
#ifndef FEED_H
#define FEED_H

#include <stddef.h>
#include <stdint.h>

enum { FEED_FIRST = 512 }; /* the first read gives as many bytes, where the file has them */

struct feed {
    /* The next bytes, lent until the next call of any of these; *N is 0 at the end. -1 with an error. */
    int (*read)(void *from, const uint8_t **bytes, size_t *n);
    /* As lseek; -1 where it cannot, and no error is set. NULL: what was read cannot be read again. */
    int64_t (*seek)(void *from, int64_t offset, int whence);
    void *from;
    const char *name; /* for what is told under -v */
};

#endif
