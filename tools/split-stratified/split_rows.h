/*
 * split_rows.h - all rows of the input: what label each has, and its record as it will be written, but
 * for the value of the field split.
 *
 * Records are in memory one behind the other; what is too much for that is in a temporary file.
 */
#ifndef SPLIT_ROWS_H
#define SPLIT_ROWS_H

#include "examples.h"
#include "mem.h"
#include "progress.h"
#include "texts.h"

struct row {
    size_t at;                 /* where its record begins among all of them */
    uint32_t bytes;            /* of the record, */
    uint32_t split;            /* where in it the value of split is, which stands for any, */
    uint32_t text, text_bytes; /* and where the text is */
};

struct rows {
    int64_t n, cap, most; /* bytes of memory for them, about */
    struct row *row;      /* (n) */
    int *class_of;        /* (n) index into labels */
    int64_t *first;       /* (n) the first row with the same text */
    struct labels labels;
    bool had_split;      /* the first of them came with one */
    struct texts *texts; /* while they are read */
    struct buf records;  /* those that are in memory, which come after */
    size_t in_file;      /* bytes of those in the file */
    int fd;              /* of the file, when in_file > 0 */
    struct buf again[2]; /* room for what comes back from there */
};

/* MOST bytes of memory for the rows: records that are more go to a file, and rows that want more even
 * so are an error (EXIT_MEMORY). */
void rows_init(struct rows *r, int64_t most);
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
/* Appends the record of row I with the value SPLIT to TO. -1 when it cannot be read again (EXIT_IO). */
MUST_USE int rows_put(struct rows *r, int64_t i, const char *split, struct buf *to);
/* Row SOON will be wanted soon, and LATER after it. */
void rows_expect(const struct rows *r, int64_t soon, int64_t later);
void rows_free(struct rows *r);

#endif
