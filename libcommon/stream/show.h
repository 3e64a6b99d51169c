/* show.h - records and CBOR values as JSON. */
#ifndef SHOW_H
#define SHOW_H

#include "mem.h"
#include "record.h"

/* Appends the N bytes of one well-formed CBOR item as JSON: byte strings in base64, typed arrays as
 * arrays, tags as what they hold, keys that are no texts as the text of their JSON. */
void show_item(struct buf *b, const uint8_t *p, size_t n);
void show_field(struct buf *b, const struct field *f);
/* The record as one JSON object, fields in order, without a newline. */
void show_record(struct buf *b, const struct record *r);

#endif
