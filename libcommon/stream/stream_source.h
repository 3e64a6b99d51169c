/*
 * stream_source.h - one stream file being read: bytes, header, records, end map, and the checks
 * that tell a whole stream from a broken one. reader.c strings several together; nobody else uses
 * it.
 */
#ifndef STREAM_SOURCE_H
#define STREAM_SOURCE_H

#include "record.h"
#include "stream_header.h"
#include "zstream.h"

struct stream_source {
    const char *path;
    struct stream_header header;
    struct buf header_bytes, end_bytes; /* as they came */
    uint8_t digest[SHA256_BYTES];       /* of all uncompressed bytes; after the end */

    struct zin *in; /* NULL: not open */
    uint8_t *bytes; /* hashed up to HASHED, used up to POS, there up to END */
    size_t hashed, pos, end, cap;
    struct sha256 *sha;
    int64_t position; /* of the next record */
};

/* Opens S->path, which the caller has set in a struct of zeros, and reads the header. Every error names
 * the file, and the record where there is one; stream_source_close is due in either case. */
MUST_USE int stream_source_open(struct stream_source *s);
/* Gives back file and memory until the next stream_source_next, where the file can be opened again. */
void stream_source_rest(struct stream_source *s);
/* 1 with REC filled from memory of S, good until the next call; 0 after the end map was checked. */
MUST_USE int stream_source_next(struct stream_source *s, struct record *rec);
const char *stream_source_name(const struct stream_source *s);
void stream_source_close(struct stream_source *s);

#endif
