/*
 * outfile.h - output files that appear whole or not at all.
 *
 * A file is written beside its final name under a temporary one (beside.h), brought to the disk and
 * renamed by outfile_commit: whoever looks finds the old file or the new one, also after a power
 * cut. Whatever ends the process before that (die, a signal as stop.h has it, return from main)
 * removes it. What is there is replaced with FORCE only, and never when it is an input or another
 * output of the same command (claim.h). "-" is standard output; it, pipes and devices are written
 * in place.
 *
 * A link stays a link: the file behind it is replaced, in its own folder; permissions stay. A link
 * to nothing is an error. A file that outgrows the shell's limit is an ordinary write error
 * (EXIT_IO); a pipe whose reader has ended ends the process by SIGPIPE.
 */
#ifndef OUTFILE_H
#define OUTFILE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outfile;

/* What the first lines promise about signals and exit, and no standard stream left closed. Called
 * by cli_parse and by every open below; more than once does nothing. */
void outfile_prepare(void);

/* FORCE false: an existing PATH is an error (EXIT_CREATE, "use --force"). BINARY true: a terminal
 * is refused. All that can be known of the place is checked at once and not at the end. */
MUST_USE int outfile_open(struct outfile **f, const char *path, bool force, bool binary);
/* What outfile_open would say, for who opens it after long work. Leaves nothing. */
MUST_USE int outfile_try(const char *path, bool force, bool binary);
/* PATH is a link that leads to nothing, or longer than names may be: -1 (EXIT_CREATE). Else 0,
 * whether it is there or not. */
MUST_USE int outfile_check_name(const char *path);
/* BYTES are copied or written. This and the next: EXIT_IO when they cannot be; F is then good for
 * outfile_abort alone. */
MUST_USE int outfile_write(struct outfile *f, const void *bytes, size_t n);
/* The bytes from OFFSET on, beside those that outfile_write puts from the beginning; several
 * threads may do so at once. Only where a regular file is being made. */
MUST_USE int outfile_write_at(struct outfile *f, uint64_t offset, const void *bytes, size_t n);
/* Sets BYTES of the disk aside for F, where its file system can, until outfile_commit gives back
 * what was not used; where it cannot, only looks whether they are free. EXIT_IO when they are not.
 * Standard output, pipes and devices have room. */
MUST_USE int outfile_reserve(struct outfile *f, uint64_t bytes);
/* Brings all that was written to the disk: only the name is missing. Who writes several outputs
 * syncs all of them before the first one gets its name. */
MUST_USE int outfile_sync(struct outfile *f);
/* Syncs, and renames. Releases F on success and on failure. After it a signal no longer says that
 * the output was not finished. */
MUST_USE int outfile_commit(struct outfile *f);
/* Throws the unfinished file away. NULL is fine. */
void outfile_abort(struct outfile *f);
/* What messages call it, lent as long as F: the path, or "standard output". */
const char *outfile_name(const struct outfile *f);

/* Takes away a file, or a folder with the files in it, that this process has put in place. A "/"
 * may end PATH. */
void outfile_remove(const char *path);

#endif
