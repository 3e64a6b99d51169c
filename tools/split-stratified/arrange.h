/*
 * arrange.h - the records of the chosen rows, in the order of the sample.
 *
 * They come out of the spool in the order of the input. Each is dealt onto the pile of its stretch of
 * the output; then one pile after the other is put into order, in memory. So every record is read and
 * written twice, one behind the other, and none is fetched from afar. Where there is much of them the
 * piles are a temporary file.
 */
#ifndef ARRANGE_H
#define ARRANGE_H

#include "split_rows.h"
#include "sample.h"

struct arrange;

/* Takes the records from ROWS, which has none any more. S is lent. THREADS as in behind.h. */
MUST_USE int arrange_new(struct arrange **a, struct rows *rows, const struct sample *s,
                         int64_t threads);
/* Appends the next records to TO, whole ones, and returns how many; 0 at the end. */
MUST_USE int64_t arrange_next(struct arrange *a, struct buf *to);
void arrange_free(struct arrange *a); /* NULL is fine */

#endif
