/*
 * tempfile.h - a file in $TMPDIR that has no name any more, for what is too much for memory.
 */
#ifndef TEMPFILE_H
#define TEMPFILE_H

#include "err.h"

#include <stddef.h>

/* *FD is the caller's to close. */
MUST_USE int tempfile_open(int *fd);
/* Fails before the file system is full. */
MUST_USE int tempfile_write(int fd, const void *bytes, size_t n, size_t at);
/* All N bytes at AT. */
MUST_USE int tempfile_read(int fd, void *to, size_t n, size_t at);

#endif
