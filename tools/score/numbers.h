/* numbers.h - the numbers of a report by name: what JSON and TSV print and a condition asks for. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include "assess.h"

struct number {
    const char *name;
    double value;
    bool whole;
};

/* Those about all records, in the order in which they are printed; returns how many. */
enum { NUMBERS_MAX = 12 };
int list_numbers(struct number *v, const struct metrics *m);
/* Those about label I. */
enum { LABEL_NUMBERS = 5 };
void list_label_numbers(struct number v[LABEL_NUMBERS], const struct confusion *c, int i);

/* Gives every number with its full name ("per_label.up.f1") to TAKE until that says true; what it said
 * last. */
bool each_number(const struct assessment *a,
                 bool (*take)(void *user, const char *name, const struct number *v), void *user);
/* The value of NAME; false: there is none. */
bool number_find(const struct assessment *a, const char *name, double *value);

#endif
