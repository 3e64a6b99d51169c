/*
 * twins.h - records of a run that have the same text, byte for byte, and those among them whose labels
 * disagree.
 */
#ifndef TWINS_H
#define TWINS_H

#include "scored_run.h"

struct twins_text { /* a text that several records have */
    int64_t first;  /* of its records, in the order of the stream */
    size_t at;      /* where they begin in the list of records */
    int64_t n;
    bool conflict;  /* they have not all the same label */
};

struct twins {
    int64_t *record;         /* indices of records, those of one text side by side */
    struct twins_text *text; /* in the order of their first records */
    int64_t n;               /* texts */
    int64_t records;         /* that have a text which an earlier record has */
    int64_t conflicts;       /* texts */
};

/* RUN has kept texts; records without a text have no twins. */
void twins_find(struct twins *t, const struct scored_run *run);
void twins_free(struct twins *t);

#endif
