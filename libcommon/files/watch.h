/*
 * watch.h - files that are mapped while a program works: whether they stay what they were.
 *
 * A model that is written to meanwhile gives results that fit neither the old nor the new one, and one
 * that becomes shorter ends the process with a signal. So every output asks, before it gets its name,
 * whether a file that it may have been made from has another size, time or inode; and SIGBUS says
 * which file it was, and exits with EXIT_IO.
 */
#ifndef WATCH_H
#define WATCH_H

#include "err.h"

#include <stddef.h>

/* FD, a regular file, is mapped: N bytes at AT. PATH is copied; NULL: it is standard input. */
void watch_begin(const char *path, int fd, const void *at, size_t n);
/* AT, which watch_begin was given, is about to be unmapped: its file is looked at for the last time. */
void watch_end(const void *at);
/* -1 (EXIT_IO) with the name of a file that changed while it was watched. */
MUST_USE int watch_check(void);

#endif
