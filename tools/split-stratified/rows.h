/* rows.h - all rows of the input in memory: whole records, and what label each one has. */
#ifndef ROWS_H
#define ROWS_H

#include "examples.h"
#include "mem.h"
#include "progress.h"

struct rows {
    int64_t n, cap;
    struct buf bytes; /* records as the stream has them, one behind the other */
    size_t *at;       /* (n) where each begins */
    int *class_of;    /* (n) index into labels */
    struct labels labels;
};

/*
 * Reads all of E. LABELS (may be NULL) is the label set, and a row with another label an error that
 * names the row. Else the labels are those that occur: in the order of share/labels/SET where that
 * has the same ones, else by code point.
 */
MUST_USE int rows_read(struct rows *r, struct examples *e, const struct labels *labels,
                       const char *set, struct progress *progress);
/* Row I as a record that borrows R's memory. */
void rows_get(const struct rows *r, int64_t i, struct record *rec);
void rows_free(struct rows *r);

#endif
