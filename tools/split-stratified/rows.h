/*
 * rows.h - all rows of the input: what label each has, and which text, in memory, whole records in a
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
    struct spool records; /* encoded but for the value of the field split, and where that goes */
    uint32_t *bytes;      /* (n) of each there */
    int *class_of;        /* (n) index into labels */
    int64_t *first;       /* (n) the first row with the same text */
    struct texts *texts;  /* which finds it */
    struct labels labels;
    int32_t *wish; /* (n) for each row the first place where it is wanted, -1: none ... */
    int32_t *next; /* and for each place the next one that wants the same row */
    size_t *to;    /* where the place begins in what is fetched */
};

void rows_init(struct rows *r, int64_t threads); /* 0: as many as the machine has */
/*
 * Reads all of E. LABELS (may be NULL) is the label set, and a row with another label an error that
 * names the row. Else the labels are those that occur: in the order of share/labels/SET where that
 * has the same ones, else by code point.
 */
MUST_USE int rows_read(struct rows *r, struct examples *e, const struct labels *labels,
                       const char *set, struct progress *progress);
/* Puts into TO the records of the rows ROW (n), in this order and with the field split SPLIT, or as
 * many of the first of them as are wanted in memory at once, at least one; returns how many. */
MUST_USE int64_t rows_fetch(struct rows *r, const int64_t *row, int64_t n, const char *split,
                            struct buf *to);
/* For when nobody fetches any more. */
void rows_forget_records(struct rows *r);
void rows_free(struct rows *r);

#endif
