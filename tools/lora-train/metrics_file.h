/*
 * metrics_file.h - a text that is there while it is written: every line goes out at once, in place,
 * and stays when the process is killed. It can be cut back to an earlier length and go on there.
 */
#ifndef METRICS_FILE_H
#define METRICS_FILE_H

#include "err.h"

#include "sha256.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics_file;

/* A new one, "-" standard output. A file that is there is replaced with FORCE, else an error
 * (EXIT_CREATE); an empty one may be there where SPARE_EMPTY says so. */
MUST_USE int metrics_file_open(struct metrics_file **f, const char *path, bool force,
                               bool spare_empty);
/* Goes on behind the first LENGTH bytes of PATH, whose digest is given in hexadecimal; what stands
 * behind them is cut off. EXIT_DATA when they are not there. A pipe or a device goes on where it is. */
MUST_USE int metrics_file_resume(struct metrics_file **f, const char *path, int64_t length,
                                 const char *digest);
MUST_USE int metrics_file_write(struct metrics_file *f, const void *bytes, size_t n);
/* All that was written is on the disk. */
MUST_USE int metrics_file_sync(struct metrics_file *f);
int64_t metrics_file_length(const struct metrics_file *f);
void metrics_file_digest(const struct metrics_file *f, char hex[SHA256_HEX + 1]);
void metrics_file_close(struct metrics_file *f); /* NULL is fine */

#endif
