/* field.h - what the value of a field says, out of its CBOR; for record.c. */
#ifndef FIELD_H
#define FIELD_H

#include "item.h"
#include "record.h"

/* Fills in what F says of its value, the item FIRST whose content and head are LEN bytes at P. -1 when it
 * has the tag of a typed array and is none (EXIT_DATA). */
MUST_USE int field_read(struct field *f, const struct item *first, const uint8_t *p, size_t len);
/* "a text", "a uint16 array", for messages. */
const char *field_type_name(enum field_type t);
/* The RFC 8746 tag of a typed array, whose elements are SIZE bytes. */
uint64_t field_array_tag(enum field_type t, size_t *size);
/* OUT (n) = the elements of a uint8, uint16 or uint32 array. */
void field_ids(const struct field *f, uint32_t *out);

#endif
