/*
 * unpack.h - what a feed gives, out of the gzip or zstd that it may be in.
 *
 * A bomb is no surprise: past UNPACK_FREE bytes, more than UNPACK_RATIO times what was read is refused.
 * Errors do not name the file; but those of the feed are passed on as they are.
 */
#ifndef UNPACK_H
#define UNPACK_H

#include "err.h"
#include "feed.h"

#include <stdbool.h>

enum { UNPACK_FREE = 1 << 30, UNPACK_RATIO = 250 };

struct unpack;

/* Whether a file that begins with these bytes is in gzip or zstd. */
bool unpack_wants(const void *bytes, size_t n);
/* F is copied; what its FROM points to stays the caller's, and must outlive U. -1 with the feed's error, or
 * EXIT_DATA. */
MUST_USE int unpack_open(struct unpack **u, const struct feed *f);
/* As the feed's: with bytes that are not packed it is the feed itself, also in the first call. At the
 * end all of it was whole. */
MUST_USE int unpack_read(struct unpack *u, const uint8_t **bytes, size_t *n);
/* Of what is not packed, as lseek. */
int64_t unpack_seek(struct unpack *u, int64_t offset, int whence);
bool unpack_can_seek(const struct unpack *u);
bool unpack_is_packed(const struct unpack *u);
bool unpack_feed_failed(const struct unpack *u); /* the error is the feed's, and names its file */
uint64_t unpack_taken(const struct unpack *u);   /* bytes that were read from the feed */
void unpack_close(struct unpack *u);             /* NULL is fine */

/* -1 with an error when N bytes are too many to come out of PACKED. */
MUST_USE int unpack_bound(uint64_t packed, uint64_t n);

#endif
