/* numbers.h - the numbers of a report by name: what TSV prints and a condition asks for. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include "comparison.h"

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

/* Gets every number with its full name, "per_label.up.f1", until it says true. */
typedef bool take_number(void *user, const char *name, const struct number *v);
/* What TAKE said last. */
bool each_number(const struct assessment *a, take_number *take, void *user);
/* Those of both runs behind "a." and "b.", then those that compare them. */
bool each_comparison_number(const struct comparison *c, take_number *take, void *user);
/* The value of NAME among those of A, or of C where A is NULL; false: there is none. */
bool number_find(const struct assessment *a, const struct comparison *c, const char *name,
                 double *value);

void number_put(struct buf *b, const struct number *v);
/* Name and value for people, in 26 columns; NaN is '-'. */
void number_put_columns(struct buf *b, const struct number *v);
/* A take_number: a line NAME, tab, value to the struct buf USER. */
bool number_put_line(void *user, const char *name, const struct number *v);

#endif
