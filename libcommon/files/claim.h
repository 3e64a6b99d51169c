/*
 * claim.h - no output takes the place of an input, or of another output, of the same command.
 *
 * Files are told apart by device and inode, so that links, symbolic or hard, and other ways to write
 * a path do not hide it. Whoever opens an input notes it here, whoever opens an output claims its
 * place; whichever comes second fails with EXIT_CREATE. Pipes and devices are nobody's.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include "err.h"

/* FD, open, is an input that messages call NAME. It stays noted after it is closed: it is still the
 * user's. */
MUST_USE int claim_input(int fd, const char *name);
/* The file PATH may be replaced by an output though it was read: for tests, whose process is one
 * command after another. */
void claim_spare(const char *path);

struct claim;
/* PATH, which messages call NAME, is an output, whether it is there or not. */
MUST_USE int claim_output(struct claim **c, const char *path, const char *name);
/* The same for what is open at FD already (standard output). */
MUST_USE int claim_output_fd(struct claim **c, int fd, const char *name);
/* The file FILE of the folder that is claimed goes when the folder is replaced. */
MUST_USE int claim_inside(struct claim *c, const char *file);
void claim_release(struct claim *c); /* NULL is fine */

#endif
