/*
 * lengths.h - errors by the length of a record, in ranges that hold about as many records each.
 */
#ifndef LENGTHS_H
#define LENGTHS_H

#include "scored_run.h"

enum { LENGTH_RANGES = 8 };

struct length_range {
    int64_t from, to; /* both belong to it */
    int64_t n, wrong;
};

/* The ranges of all records of N RUNS together, shortest first, without counts; returns how many, one
 * at least. Lengths that are equal are in one range. The runs have kept texts. */
int length_ranges(struct length_range r[LENGTH_RANGES], const struct scored_run *const *runs, int n);
/* Counts the records of RUN in N ranges. */
void length_count(struct length_range *r, int n, const struct scored_run *run);

#endif
