/* stream_header.h - the first and the last map of a stream; used by reader.c, writer.c and chain.c only. */
#ifndef STREAM_HEADER_H
#define STREAM_HEADER_H

#include "item.h"
#include "stream.h"

enum {
    STREAM_VERSION = 1,
    STREAM_TAG = 55799, /* "this is CBOR", RFC 8949 section 3.4.6 */
    CHAIN_MAX = 1024,
};

struct stream_header {
    enum stream_kind kind;
    struct labels labels;
    struct buf chain; /* its entries as they came, oldest first, one behind the other */
    int chain_n;
};

/* Parses the N bytes of a header's map, which stands behind the tag; what it says is copied into H, which
 * is empty or a parsed one before, and which stream_header_free releases in either case. EXIT_DATA. */
MUST_USE int stream_header_parse(struct stream_header *h, const uint8_t *p, size_t n);
void stream_header_free(struct stream_header *h);
/* Appends those entries of FROM's chain that TO's does not have yet. */
void stream_header_join(struct stream_header *to, const struct stream_header *from);
/* The first digest of a tokenizer in H's chain that is not WANT, both hexadecimal: 1 and OTHER, 0 when
 * there is none, -1 when one is no digest. */
MUST_USE int stream_header_other_tokenizer(const struct stream_header *h, const char *want,
                                           char other[SHA256_HEX + 1]);
/* Appends the entry of this process as CBOR. */
void stream_entry_put(struct buf *b, const struct stream_entry *says);
/* Appends the header as CBOR. */
void stream_header_put(struct buf *b, const struct stream_header *h);

struct stream_end {
    uint64_t records;
    uint8_t digest[SHA256_BYTES]; /* of the uncompressed bytes before the end map */
};

/* Takes them from R, the end map, whose first name is empty. EXIT_DATA: it is none. */
MUST_USE int stream_end_read(struct stream_end *e, struct record *r);
void stream_end_put(struct buf *b, const struct stream_end *e, const struct stream_input *input,
                    int inputs);

#endif
