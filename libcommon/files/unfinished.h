/*
 * unfinished.h - outputs that have not got their name yet, and must go when the process ends.
 *
 * exit and the signals of stop.h remove them. What changes names here is never seen half-done by a
 * signal: it waits, also in another thread, until the step is over. A signal that comes when an
 * output has its name, and the others of the command need nothing but theirs, is ignored: all that
 * was asked for is done.
 */
#ifndef UNFINISHED_H
#define UNFINISHED_H

#include "err.h"

#include <stdbool.h>

struct unfinished;

/* Installs the above; more than once does nothing. */
void unfinished_prepare(void);

/* An empty file, or folder, beside PATH, which it may become (beside.h); what killed processes left
 * there is swept. -1 with errno set. */
MUST_USE int unfinished_file(struct unfinished **u, const char *path);
MUST_USE int unfinished_folder(struct unfinished **u, const char *path);
/* The empty file NAME in FOLDER, with which it goes or stays. */
MUST_USE int unfinished_inside(struct unfinished **u, struct unfinished *folder, const char *name);
/* An output that is written in place (standard output): it counts as unfinished, nothing is removed. */
void unfinished_in_place(struct unfinished **u);
int unfinished_fd(const struct unfinished *u); /* open while U is there */

/* Brings U to the disk, a folder with its files: from now on only the name is missing. -1 with errno
 * set. */
MUST_USE int unfinished_sync(struct unfinished *u);
/* Gives it the name PATH, in place of a file, or of an empty folder, that is there; with FRESH an
 * existing PATH is EEXIST, where the file system can tell in the same step. -1 with errno set. */
MUST_USE int unfinished_rename(struct unfinished *u, const char *path, bool fresh);
/* Gives the folder U the name of the folder PATH. *OLD is a name that nobody has, for the latter where the
 * file system cannot exchange names in one step; where it can, *OLD becomes the name that U had. */
MUST_USE int unfinished_exchange(struct unfinished *u, const char *path, const char **old);
/* What was written in place is whole. */
void unfinished_done(struct unfinished *u);

/* Removes what has not got its name; releases U, and the files inside. NULL is fine. */
void unfinished_free(struct unfinished *u);

#endif
