/* pairing.h - which record of one run is which of another. */
#ifndef PAIRING_H
#define PAIRING_H

#include "scored_run.h"

/* For each record of A, in its order, the index of the one with the same id in B. Both have kept their
 * records. NULL with EXIT_DATA, naming file and id, when a record has no id or one that came before, when
 * an id is in one run alone, when the true labels or the values of BY (may be NULL) of an id differ, or the
 * labels of the headers. The caller frees it. */
int64_t *pair_runs(const struct scored_run *a, const struct scored_run *b, const char *by);

#endif
