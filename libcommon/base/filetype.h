/*
 * filetype.h - what a file is when it is not what its name says: for the message of a parser that is about
 * to refuse it, and for programs that would take any text.
 *
 * A web page saved under a table's name, a pointer that git-lfs left where the weights should be, a
 * pickle, an archive that must be unpacked first: whoever has one of these needs to hear its name, not
 * that a digit is missing at column 1.
 */
#ifndef FILETYPE_H
#define FILETYPE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

enum { FILETYPE_LOOK = 512 }; /* bytes from the beginning that tell all of them apart */

/* What a file that begins with these N bytes is and what to do about it, to be put behind "is":
 * "a git-lfs pointer; fetch the file itself with 'git lfs pull'". NULL: nothing that is known here,
 * which is what every JSON text, and nearly every table and template is. */
const char *filetype_of(const void *bytes, size_t n);

/* Whether they begin a safetensors file, whatever its name. */
bool filetype_is_safetensors(const void *bytes, size_t n);

/* -1 with "is ..." set as bad data where filetype_of knows it, else 0 and no error. */
MUST_USE int filetype_refuse(const void *bytes, size_t n);

#endif
