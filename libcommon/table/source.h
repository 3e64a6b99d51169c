/*
 * source.h - the bytes of one table: a file or standard input, bare, in gz or zst, or one member of
 * a zip or tar; or of several members one after another, which are the lines of one class each. Read as a
 * stream; nothing is extracted to disk.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "err.h"
#include "sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

/*
 * MEMBER names a file of an archive by its whole path; NULL: the only .csv, .tsv, .jsonl or .ndjson
 * file there is. None or two are an error that lists them. An archive on a pipe can only be read
 * once: there a second table is found by source_read, after the first one's end. MAY_BE_CLASSES: where MEMBER is a
 * pattern that several files fit, or there is no table and the names say so (classes.h), these are read, from the
 * first on; not on a pipe. THREADS 1: none but the caller's; 0: as many as the machine has. EXIT_NOINPUT:
 * it cannot be opened, or MEMBER is not in it; EXIT_IO: it cannot be read; EXIT_DATA: it is damaged, or not one
 * table; EXIT_USAGE: MEMBER, and it is no archive.
 */
MUST_USE int source_open(struct source **s, const char *path, const char *member, bool may_be_classes,
                         int64_t threads);
/* The classes, NULL: this is one table; and which of them is read. */
const struct classes *source_classes(const struct source *s);
int source_class(const struct source *s);
/* Goes on to the next class: 1, 0 after the last one, -1 when the archive cannot be read on. */
MUST_USE int source_next_class(struct source *s);
/* The next block, lent until the next call; *N is 0 only at the end of the table, or of the class. -1 when the
 * file cannot be read or unpacked. */
MUST_USE int source_read(struct source *s, const uint8_t **bytes, size_t *n);
/* Whether another program writes it: that program has said then why it ends too early. */
bool source_is_pipe(const struct source *s);
/* For messages: "news.csv", "archive.zip/news.csv", "standard input". */
const char *source_name(const struct source *s);
/* Of the file's bytes as they are stored, the whole archive; after the end. */
MUST_USE int source_digest(struct source *s, uint8_t out[SHA256_BYTES]);
void source_close(struct source *s); /* NULL is fine */

#endif
