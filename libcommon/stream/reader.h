/* reader.h - what the writer takes over from the reader it follows; used by writer.c and chain.c only. */
#ifndef READER_H
#define READER_H

#include "stream_header.h"

/* Kind, labels and chain of all files together; lent until reader_close. */
const struct stream_header *reader_joined(const struct reader *r);
/* Number of files, or -1 while they are not read to their ends. */
int reader_digests(const struct reader *r);
/* SHA-256 of all uncompressed bytes of file I, below reader_digests; lent until reader_close. */
const uint8_t *reader_digest(const struct reader *r, int i);

#endif
