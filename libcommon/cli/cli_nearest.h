/* cli_nearest.h - which option was meant; used by cli.c only. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the N bytes at WORD are NAME; '_' is taken for '-', as Hugging Face's scripts write it. */
bool cli_is_name(const char *word, size_t n, const char *name);

/* The one of COUNT names that the N bytes at WORD are most like: the only one that they begin, or
 * the one fewest slips of the pen away (Levenshtein distance), if these are few for its length;
 * NULL when none is. Of two that are equally like the first counts. */
const char *cli_nearest(const char *word, size_t n, const char *const *names, int count);

#endif
