/*
 * outfile.h - output files that appear whole or not at all.
 *
 * A file is written beside its final name under a temporary one and renamed by outfile_commit.
 * Whatever ends the process before that (die, a signal as stop.h has it, return from main) removes
 * it. SIGPIPE is ignored, so a closed pipe, and a file that outgrows the shell's limit, is an ordinary
 * write error (EXIT_IO). "-" is standard output.
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

/* FORCE false: an existing PATH is an error (EXIT_CREATE, "use --force"), at once and not at the
 * end. BINARY true: a terminal is refused. Installs the signal handlers on first use. */
MUST_USE int outfile_open(struct outfile **f, const char *path, bool force, bool binary);
MUST_USE int outfile_write(struct outfile *f, const void *bytes, size_t n);
/* The bytes from OFFSET on, beside those that outfile_write puts from the beginning; several
 * threads may do so at once. Only where a regular file is being made. */
MUST_USE int outfile_write_at(struct outfile *f, uint64_t offset, const void *bytes, size_t n);
/* Sets BYTES of the disk aside for F, where its file system can, until outfile_commit gives back what
 * was not used; where it cannot, only looks whether they are free. EXIT_IO when they are not.
 * Standard output, pipes and devices have room. */
MUST_USE int outfile_reserve(struct outfile *f, uint64_t bytes);
/* Writes out what is buffered: a full disk shows now, before another output is put in place. */
MUST_USE int outfile_flush(struct outfile *f);
/* Flushes, checks every earlier write, renames. Releases F on success and on failure. */
MUST_USE int outfile_commit(struct outfile *f);
/* Throws the unfinished file away. NULL is fine. */
void outfile_abort(struct outfile *f);
/* What messages call it: the path, or "standard output". */
const char *outfile_name(const struct outfile *f);

/* Whether BYTES are free where PATH (a file, or a folder that a "/" may end) is or will be; EXIT_IO
 * with how many there are when they are not. Sets nothing aside. */
MUST_USE int outfile_room(const char *path, uint64_t bytes);

/* The same for a folder: made as a temporary sibling of PATH, renamed by outdir_commit. TEMP gets
 * the path to write files into; owned by D. With FORCE a folder that holds a config.json or an
 * adapter_config.json is replaced, any other one that is not empty never. */
struct outdir;
MUST_USE int outdir_open(struct outdir **d, const char *path, bool force, const char **temp);
MUST_USE int outdir_commit(struct outdir *d);
void outdir_abort(struct outdir *d);

/* Takes away a file, or a folder with what is in it, that this process has put in place. A "/" may
 * end PATH. */
void outfile_remove(const char *path);

#endif
