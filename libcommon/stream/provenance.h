/* provenance.h - where a stream comes from, for people: what its header and its end map tell. */
#ifndef PROVENANCE_H
#define PROVENANCE_H

#include "stream.h"

/* After reader_next gave 0. Appends a line "TOOL VERSION OPTION OPTION ..." for each program that made
 * the stream, oldest first, and a line "input WHAT SHA256" for each input of the last one; a word with
 * a blank is a JSON string. EXIT_DATA, naming R's file, when the header or the end map is not so. */
MUST_USE int provenance_put(struct buf *b, const struct reader *r);

#endif
