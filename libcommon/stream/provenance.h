/* provenance.h - where a stream or an adapter comes from, for people: what its chain and its end map tell. */
#ifndef PROVENANCE_H
#define PROVENANCE_H

#include "stream.h"

/* After reader_next gave 0. Appends a line "TOOL VERSION OPTION OPTION ..." for each program that made
 * the stream, oldest first, and a line "input WHAT SHA256" for each input of the last one; a word with
 * a blank is a JSON string. In front of a program that used adapters stands, for each of them, a line
 * "adapter N", and the same of its chain, two blanks in front of each line. EXIT_DATA, naming R's file,
 * when the header or the end map is not so. */
MUST_USE int provenance_put(struct buf *b, const struct reader *r);

/* The same lines for the chain that an adapter's file keeps (chain.h), where more than the last program
 * may have inputs. EXIT_DATA when JSON is no chain. */
MUST_USE int provenance_put_chain(struct buf *b, const char *json);

#endif
