/*
 * chain.h - the programs that made an adapter. Its file keeps them as JSON text, where a stream has
 * them in its header (share/doc/stream-format.md, "Adapters").
 */
#ifndef CHAIN_H
#define CHAIN_H

#include "stream.h"

/* Appends the chain of what this process makes of the records of R, which has been read to its end:
 * BEFORE, a chain as JSON (NULL: none), that of R, and an entry of this process with the N inputs
 * and the streams that R has read. EXIT_DATA: no reader takes what is in BEFORE, or that much. */
MUST_USE int chain_put(struct buf *json, const char *before, const struct reader *r,
                       const struct stream_input *input, int n);
/* Appends a chain as a CBOR array of its entries, those keys of each that stream-format.md names.
 * EXIT_DATA: it is none. */
MUST_USE int chain_parse(struct buf *cbor, const char *json);

#endif
