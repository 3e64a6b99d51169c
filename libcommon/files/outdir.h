/*
 * outdir.h - output folders that appear whole or not at all, as files do (outfile.h).
 *
 * A folder is made beside PATH and gets its name when all files in it are on the disk. One that is
 * there is replaced with FORCE only, and only when it holds nothing but files that the program would
 * write there: others are the user's. The two change their names in one step, so that at every moment
 * PATH is the old folder or the new one, whole, whatever ends the process. Where the file system
 * cannot do that (NFS), the old one stands for a moment as "PATH.old" and is there still when the
 * process is killed then. Behind a link, the folder that it leads to is replaced. Its permissions stay.
 */
#ifndef OUTDIR_H
#define OUTDIR_H

#include "outfile.h"

struct outdir;

/* NAMES: what the program writes there, patterns of the shell; NULL behind the last. A folder
 * without a file of the first name was not written by the program, and is never replaced. NAMES is
 * copied. EXIT_CREATE: PATH is taken, or cannot be made. */
MUST_USE int outdir_open(struct outdir **d, const char *path, bool force, const char *const *names);
/* As outfile_reserve, for all files together, until the first one is opened. */
MUST_USE int outdir_reserve(struct outdir *d, uint64_t bytes);
/* Opens the new file NAME in it. outfile_commit leaves it in the folder; it has no name for others
 * before outdir_commit. */
MUST_USE int outdir_file(struct outdir *d, struct outfile **f, const char *name);
/* All is on the disk: only the name is missing. */
MUST_USE int outdir_sync(struct outdir *d);
/* Syncs and gives the name. Releases D on success and on failure. */
MUST_USE int outdir_commit(struct outdir *d);
void outdir_abort(struct outdir *d); /* NULL is fine */

#endif
