/* texts.h - which rows have the same text. */
#ifndef TEXTS_H
#define TEXTS_H

#include "rows.h"

/* For every row the first row that has its text, which mostly is the row itself; free it. */
int64_t *first_of_text(const struct rows *r);

#endif
