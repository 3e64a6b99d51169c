/*
 * split_rows.h - all rows of the input: what label each has, and which text, in memory, whole records in a
 * spool. So memory grows with the number of rows, not with their length.
 */
#ifndef SPLIT_ROWS_H
#define SPLIT_ROWS_H

#include "behind.h"
#include "examples.h"
#include "mem.h"
#include "progress.h"
#include "spool.h"
#include "texts.h"

/* What is before each record in the spool. */
struct kept {
    uint32_t bytes;            /* of the record, */
    uint32_t open;             /* before as many of them the value of split goes in, */
    uint32_t text, text_bytes; /* and where the text is in them */
};

struct rows {
    int64_t n, cap, most; /* bytes of memory for them, about */
    struct spool records; /* each a struct kept, and encoded but for the value of the field split */
    uint32_t *bytes;      /* (n) of each, without the struct */
    int *class_of;        /* (n) index into labels */
    int64_t *first;       /* (n) the first row with the same text */
    struct labels labels;
    bool had_split; /* the first of them came with one */

    /* while they are read */
    struct buf piece;      /* records that are not kept yet */
    struct texts *texts;   /* which finds first */
    bool helps;            /* a thread is wanted */
    struct behind *behind; /* and keeps the pieces */
};

/* MOST bytes of memory for the rows, above which reading them is an error (EXIT_MEMORY). THREADS 0: as
 * many as the machine has. */
void rows_init(struct rows *r, int64_t most, int64_t threads);
/* Which labels there may be. */
struct label_rule {
    const struct labels *known; /* these; another one is an error; NULL: those that occur, in */
    const char *set;            /* the order of share/labels/SET where that has the same ones, else by
                                   code point */
    const char *refusal;        /* what to do about another one than the known, for the message */
    bool none;                  /* there are none: all rows are of one class, "(none)" */
};
/* Reads all of E. A label that is not known, or is "none", is an error that names the row. */
MUST_USE int rows_read(struct rows *r, struct examples *e, const struct label_rule *rule,
                       struct progress *progress);
/* For when nobody wants them any more. */
void rows_forget_records(struct rows *r);
void rows_free(struct rows *r);

#endif
