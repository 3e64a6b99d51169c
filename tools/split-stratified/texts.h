/*
 * texts.h - which rows have the same text.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>
#include <stdint.h>

struct texts;

struct texts *texts_new(void);
/* The text of the next row, of which a hash is kept. */
void texts_add(struct texts *t, const void *text, size_t n);
/* For every row the first one that has its text, which mostly is the row itself; free it. SAME, asked
 * where two hashes are the same, says whether rows A and B have one text: 1 or 0, and -1 ends the search
 * with NULL. Releases T. */
int64_t *texts_first(struct texts *t, int (*same)(void *user, int64_t a, int64_t b), void *user);

#endif
