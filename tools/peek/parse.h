/* parse.h - one line of JSON as a record. */
#ifndef PARSE_H
#define PARSE_H

#include "record.h"

/*
 * Fills REC from the JSON object in LINE; of a doubled key the last value counts. Numbers without
 * '.', 'e' and 'E' become integers and have to fit in 64 bits, all others floats. An array of
 * integers that are not negative becomes a typed array, uint16 where all fit, else uint32 where all
 * fit; the fields scores and logits are float32 typed arrays, loss is a float. Where there is no
 * id, POSITION is it.
 */
MUST_USE int parse_record(struct record *rec, const char *line, size_t n, int64_t position);

/*
 * The line that peek --with-header writes in front of the records, an object with the one key "": 1 and
 * the header, a map, as CBOR appended to B; 0 when LINE is another one; -1 when it is no JSON.
 */
MUST_USE int parse_header_line(struct buf *b, const char *line, size_t n);

#endif
