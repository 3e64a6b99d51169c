/* audit.h - what --audit says about the rows and about what the parts share. */
#ifndef AUDIT_H
#define AUDIT_H

#include "rows.h"
#include "sample.h"

/*
 * Prints on standard error: rows with the same text and label (duplicates), with the same text and
 * another label (conflicts), and texts that are in more than one part (overlap), each with its row
 * ids, the first few in full. Returns the number of texts in more than one part.
 */
int64_t audit(const struct rows *r, const struct sample *s);

#endif
