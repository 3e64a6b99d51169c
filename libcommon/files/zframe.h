/*
 * zframe.h - zstd frames as they come from others: windows of up to 2 GiB ('zstd --long=31'), and
 * skippable frames, as pzstd and the seekable format put them before, between and behind the others.
 */
#ifndef ZFRAME_H
#define ZFRAME_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

/* Whether a frame begins with these N bytes, or a skippable one. */
bool zframe_begins(const void *p, size_t n);
bool zframe_is_skippable(const void *p, size_t n);

/* Takes the largest window that zstd can make: its memory is taken as content comes, whatever the
 * header says. Release with ZSTD_freeDCtx. */
ZSTD_DCtx *zframe_decoder(void);
/* One call of the decoder. *LEFT is 0 at the end of a frame. -1: the data are broken (EXIT_DATA), or
 * there is no memory for the window (EXIT_MEMORY). FIRST: IN is at the beginning of a frame, whose
 * window is told under -v when it is large; NAME is for that. */
MUST_USE int zframe_decode(ZSTD_DCtx *zstd, ZSTD_outBuffer *out, ZSTD_inBuffer *in, size_t *left,
                           bool first, const char *name);

/* What the zstd file at PATH ("-": standard input, of which nothing is lost) uncompresses to in the
 * beginning: *N bytes, ROOM at most; 0 when it is no zstd. Errors as input_peek. */
MUST_USE int zframe_peek(const char *path, uint8_t *to, size_t room, size_t *n);

/* -1 with a name for what zstd says in CODE: out of memory (EXIT_MEMORY), or a failure of ours. */
int zframe_fail(size_t code);

#endif
