/* texts.h - which rows have the same text. */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>
#include <stdint.h>

/* Two texts with the same key are taken for the same: 128 bits, of which a table of 10^12 texts has
 * a pair in common once in 10^14 tables. */
__extension__ typedef unsigned __int128 text_key;

text_key text_key_of(const void *text, size_t n); /* FNV-1a */

/* For every one of N rows the first row that has its key, which mostly is the row itself; free it. */
int64_t *first_of_text(const text_key *key, int64_t n);

#endif
