/*
 * input.h - a file or standard input as bytes, with a look at its beginning before it is opened.
 *
 * Whoever reads a path that a user gave (stream.h, table.h) opens it here. So a tool may look at
 * the first bytes with input_peek, decide what they are, and still hand over the path: what was
 * looked at on standard input or another pipe is read again by the next input_open of that path.
 */
#ifndef INPUT_H
#define INPUT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input;

enum {
    INPUT_PEEK = 4096,        /* tells most things apart */
    INPUT_PEEK_MAX = 1 << 18, /* holds the first block of any zstd frame */
};

/* The first bytes of PATH ("-" is standard input), at most CAP of them and INPUT_PEEK_MAX; fewer
 * only where the input is shorter. Waits for as many: ask for few, then for more if need be.
 * EXIT_NOINPUT when it cannot be opened or is a folder, EXIT_IO when it cannot be read. */
MUST_USE int input_peek(const char *path, uint8_t *bytes, size_t cap, size_t *n);

/* PATH ("-" is standard input) is copied. EXIT_NOINPUT when it cannot be opened or is a folder, EXIT_CREATE
 * when an output of this command would replace it (claim.h). */
MUST_USE int input_open(struct input **in, const char *path);
/* At most CAP bytes into BYTES; *N is 0 only at the end. EXIT_IO when reading fails. */
MUST_USE int input_read(struct input *in, void *bytes, size_t cap, size_t *n);
/* As lseek: the new position, or -1 for standard input and pipes, which cannot (no error is set). */
int64_t input_seek(struct input *in, int64_t offset, int whence);
/* Whether another program is writing it: where it ends too early, that program has said why. */
bool input_is_pipe(const struct input *in);
/* What messages call it, lent until input_close: the path, or "standard input". */
const char *input_name(const struct input *in);
void input_close(struct input *in); /* NULL is fine */

#endif
