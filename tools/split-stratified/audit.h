/* audit.h - rows with the same text: what that means for the labels and for the parts. */
#ifndef AUDIT_H
#define AUDIT_H

#include "split_rows.h"
#include "sample.h"

/*
 * Returns the number of texts that are in more than one part. PRINT: says
 * on standard error which rows have the same text and label (duplicates), the same text and another
 * label (conflicts), and are in more than one part (overlap): the first few of each, then how many.
 */
int64_t audit(const struct rows *r, const struct sample *s, bool print);

#endif
