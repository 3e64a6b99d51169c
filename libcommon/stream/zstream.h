/*
 * zstream.h - the compressed layer of a record stream: zstd frames with content checksums (ours
 * write one), and a seal behind the last one.
 *
 * A few bits of a zstd frame mean nothing to the decoder (spare header bits, the window size, the
 * padding of tables), so that no checksum of the content notices when they change. The seal is a
 * skippable frame that holds the SHA-256 of every byte of the file before it. Other programs skip
 * it; ours find any changed bit. That it must be there says the first block, which holds three
 * bytes and no more: so its absence is noticed, and yet a stream may be compressed anew by any
 * program.
 */
#ifndef ZSTREAM_H
#define ZSTREAM_H

#include "err.h"
#include "outfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zin;
struct zout;

/* PATH "-" is standard input; what input_peek saw of it is read again. EXIT_USAGE when that is a terminal, else
 * as input_open. */
MUST_USE int zin_open(struct zin **z, const char *path);
/* Up to ROOM uncompressed bytes; *GOT is 0 only at the end of the file, when all frames were whole
 * and the seal, if there has to be one, fits. Errors begin with the name of the file and the byte. */
MUST_USE int zin_read(struct zin *z, uint8_t *to, size_t room, size_t *got);
/* What to do about a stream that ends too early: ADVICE, but in a pipe only the first cause is told
 * at length, by the program that wrote it. */
const char *zin_advice(const struct zin *z, const char *advice);
bool zin_can_reopen(const struct zin *z);  /* an ordinary file, no pipe */
void zin_close(struct zin *z);             /* NULL is fine */

/* A frame goes to F, which stays the caller's and must outlive Z, compressed by THREADS threads beside
 * the caller (0: as many as the machine has, 8 at most). The bytes depend on content, LEVEL and flushes
 * alone. */
struct zout *zout_new(struct outfile *f, int level, int64_t threads);
/* The first call gives at least three bytes. This and the next two: -1 when F cannot be written. */
MUST_USE int zout_write(struct zout *z, const void *bytes, size_t n);
/* Ends the block, so that a reader gets all there is so far. */
MUST_USE int zout_flush(struct zout *z);
/* Ends the frame and puts the seal behind it. */
MUST_USE int zout_end(struct zout *z);
void zout_free(struct zout *z); /* NULL is fine */

#endif
