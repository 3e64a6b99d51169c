/* census.h - what an archive holds, and which of it is the table or are the classes; for source.c. */
#ifndef CENSUS_H
#define CENSUS_H

#include "classes.h"
#include "mem.h"

/* Names for one line of text: the first few, and how many there are. */
struct names {
    struct buf text;
    int n;
};

/* Zero it to start. */
struct census {
    const char *member; /* the name that was asked for, or a pattern with * and ?; NULL: whatever has a table's */
    bool may_be_classes; /* several files may be the classes, where no table is there */
    struct names wanted, others;
    char *first;            /* of the wanted ones */
    struct classes classes; /* those that fit the pattern, or could be classes */
};

/* Counts the file NAME (copied) of the archive and says whether it is wanted. A hidden one is wanted only when MEMBER is its
 * very name; one that cannot be READ is no class. */
bool census_add(struct census *c, const char *name, bool read);
/* 0: there is one table; 1: there are the files of classes, labelled now; errors begin with ARCHIVE's name and list
 * what there is. */
MUST_USE int census_check(struct census *c, const char *archive);
void census_free(struct census *c);

#endif
