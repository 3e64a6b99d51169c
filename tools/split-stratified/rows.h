/*
 * rows.h - all rows of the input: what label and which text each has in memory, whole records in a
 * spool. So memory grows with the number of rows, not with their length.
 */
#ifndef ROWS_H
#define ROWS_H

#include "examples.h"
#include "mem.h"
#include "progress.h"
#include "spool.h"
#include "texts.h"

struct rows {
    int64_t n, cap;
    struct spool records; /* as the stream has them */
    size_t *at;           /* (n) where each begins */
    int *class_of;        /* (n) index into labels */
    text_key *key;        /* (n) of the text */
    struct labels labels;
    struct buf batch; /* the records that were fetched, ascending */
    size_t *batch_at; /* where the first, second, ... that was asked for is in it */
};

/*
 * Reads all of E. LABELS (may be NULL) is the label set, and a row with another label an error that
 * names the row. Else the labels are those that occur: in the order of share/labels/SET where that
 * has the same ones, else by code point.
 */
MUST_USE int rows_read(struct rows *r, struct examples *e, const struct labels *labels,
                       const char *set, struct progress *progress);
/* Fetches the records of the rows ROW (n), or as many of the first of them as are wanted in memory
 * at once, at least one; returns how many. What was fetched before is gone. */
MUST_USE int64_t rows_fetch(struct rows *r, const int64_t *row, int64_t n);
/* The I-th that was fetched, as a record that borrows R's memory. */
void rows_get(const struct rows *r, int64_t i, struct record *rec);
/* For when nobody compares texts any more, and when nobody fetches. */
void rows_forget_keys(struct rows *r);
void rows_forget_records(struct rows *r);
void rows_free(struct rows *r);

#endif
