/* census.h - what an archive holds, and which of it is the table; for source.c. */
#ifndef CENSUS_H
#define CENSUS_H

#include "mem.h"

/* Names for one line of text: the first few, and how many there are. */
struct names {
    struct buf text;
    int n;
};

/* Zero it to start. */
struct census {
    const char *member; /* the name that was asked for; NULL: whatever has a table's */
    struct names wanted, others;
    char *first; /* of the wanted ones */
};

/* Counts the file NAME; whether it is wanted. Hidden ones are only wanted by their names. */
bool census_add(struct census *c, const char *name);
/* That there is one table; errors begin with ARCHIVE's name and list what there is. */
MUST_USE int census_check(const struct census *c, const char *archive);
void census_free(struct census *c);

#endif
