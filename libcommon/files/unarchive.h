/*
 * unarchive.h - the files of a tar or zip, also of one in gzip or zstd, one after another; or, of what
 * is no archive, its bytes out of the gzip or zstd that they may be in. Nothing is extracted to disk.
 *
 * An archive is whole or an error: also one that was cut between two files, or has something behind
 * its end. Names come as UTF-8 whatever the locale is. Errors do not name the file; but those of the
 * feed are passed on as they are (EXIT_IO), and out of memory is EXIT_MEMORY.
 */
#ifndef UNARCHIVE_H
#define UNARCHIVE_H

#include "err.h"
#include "feed.h"

#include <stdbool.h>

enum unarchive_form { UNARCHIVE_BARE, UNARCHIVE_TAR, UNARCHIVE_ZIP };

struct unarchive;

struct packed_file {
    const char *name; /* as the archive has it; good until the next */
    int64_t size;     /* -1: known only when it was read */
    bool folder;
    const char *refusal; /* NULL, or why it cannot be read: "is a link; ..." */
};

/* Whether a file that begins with these bytes is an archive, or in gzip or zstd. */
bool unarchive_wants(const void *bytes, size_t n);
/* F is copied; what its FROM points to stays the caller's, and must outlive U. *U is to be closed also after
 * a failure. */
MUST_USE int unarchive_open(struct unarchive **u, const struct feed *f);
enum unarchive_form unarchive_form(const struct unarchive *u);
bool unarchive_is_packed(const struct unarchive *u);      /* in gzip or zstd, or a zip */
bool unarchive_feed_failed(const struct unarchive *u);    /* the error is the feed's */
/* Of an archive: 1 and the next file or folder; 0 after the last one, when the end was read and is
 * whole: for a pipe, all of it was read. */
MUST_USE int unarchive_next(struct unarchive *u, struct packed_file *f);
/* The next bytes of the present file, lent until the next call; *N is 0 at its end only. */
MUST_USE int unarchive_read(struct unarchive *u, const uint8_t **bytes, size_t *n);
void unarchive_close(struct unarchive *u); /* NULL is fine */

/* What a Mac adds beside people's files, and what else is hidden: '__MACOSX/', '._x', '.DS_Store'. */
bool unarchive_is_hidden(const char *name);

#endif
