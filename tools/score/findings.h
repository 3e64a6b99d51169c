/*
 * findings.h - what only the records tell, not their counts: computed once, for the page and for JSON.
 */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "coverage.h"
#include "lengths.h"
#include "twins.h"

enum { COVERAGES = 6 };
extern const double coverage_share[COVERAGES]; /* from 1 down */

struct findings {
    bool scored;
    struct coverage coverage[COVERAGES]; /* that keeps each share of the records; where SCORED */
    struct length_range length[LENGTH_RANGES];
    int n_lengths;
    struct twins twins;
};

/* Fills F (n) from RUNS, which have kept texts; ranges of length are the same for all of them. */
void findings_init(struct findings *f, const struct scored_run *const *runs, int n);
void findings_free(struct findings *f, int n);
/* Appends further members to an object: "coverage": [...], "lengths": [...], "twins": {...}. */
void findings_json(struct buf *b, const struct findings *f);

#endif
