/* lines.h - an input as lines of bounded length. */
#ifndef LINES_H
#define LINES_H

#include "input.h"
#include "sha256.h"

struct lines;

MUST_USE int lines_open(struct lines **l, const char *path);
/* 1 and a line without its newline, and the first one without a byte order mark, lent until the
 * next call: behind its N bytes is a newline or a 0; 0 at the end; -1 on failure. */
MUST_USE int lines_next(struct lines *l, const char **line, size_t *n);
long long lines_number(const struct lines *l); /* of the line last given, from 1 */
const char *lines_name(const struct lines *l);
void lines_digest(const struct lines *l, uint8_t out[SHA256_BYTES]); /* of all bytes read so far */
void lines_close(struct lines *l);

#endif
