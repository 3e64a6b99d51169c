/* field.h - what the value of a field says, out of its CBOR; for record.c. */
#ifndef FIELD_H
#define FIELD_H

#include "item.h"
#include "record.h"

/* Fills in F's type and value from its CBOR: LEN bytes at P, which F points into from now on, and which
 * begin with the item FIRST. -1 when they have the tag of a typed array and are none (EXIT_DATA). */
MUST_USE int field_read(struct field *f, const struct item *first, const uint8_t *p, size_t len);
/* "a text", "a uint16 array", for messages. */
const char *field_type_name(enum field_type t);
/* The RFC 8746 tag of a typed array, whose elements are SIZE bytes. */
uint64_t field_array_tag(enum field_type t, size_t *size);
/* OUT (F->n) = the elements of F, a uint8, uint16 or uint32 array (asserted). */
void field_ids(const struct field *f, uint32_t *out);

#endif
