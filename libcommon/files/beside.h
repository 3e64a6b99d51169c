/*
 * beside.h - temporary files and folders beside what they will become, and who still writes them.
 *
 * What becomes DIR/NAME is DIR/.NAME.slmtools-N.tmp first, N from 0. Whoever makes it keeps it open
 * under flock for as long as it lives, so one whose lock is free was left by a process that was
 * killed: the next one that writes the same PATH takes it away. Where machines that do not see each
 * other's locks may share a file system, the name also says on which boot of which machine it was
 * made, and others' stay; so does one that cannot be locked. A person may remove any that is left.
 */
#ifndef BESIDE_H
#define BESIDE_H

#include "mem.h"

#include <dirent.h>

/* Takes away what killed processes left beside PATH. */
void beside_sweep(const char *path);

/* Makes an empty file (for writing), or an empty folder, beside PATH; its name in TEMP. Open and
 * locked, and closed by an exec; -1 with errno set. */
MUST_USE int beside_file(struct buf *temp, const char *path);
MUST_USE int beside_folder(struct buf *temp, const char *path);

/* Appends the folder that PATH is in, with a "/" at its end unless it is ".". */
void beside_folder_of(struct buf *b, const char *path);

/* The folder PATH, which is no link; NULL with errno set. */
DIR *beside_open_folder(const char *path);
/* Takes away the folder PATH, which is D, with the files in it; a folder in it stops that. Closes D. */
void beside_remove_folder(DIR *d, const char *path);

#endif
