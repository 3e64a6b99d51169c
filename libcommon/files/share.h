/*
 * share.h - finds the files under share/: prompt templates, label sets, verbalizers; and plug-ins.
 *
 * Looked for, in order: $SLMTOOLS_SHARE, PREFIX/share/slmtools beside the running program's bin,
 * and share/ of a source tree the program was built in (build/CONFIG/bin -> ../../../share).
 */
#ifndef SHARE_H
#define SHARE_H

#include "mem.h"

/*
 * The path of share/KIND/NAME+SUFFIX, KIND "templates", "labels", ...: 1 and *PATH, to be freed; 0
 * when there is no such file (an error is set that lists the names there are, or NAME as a path); -1 when there is no
 * share folder at all, none where SLMTOOLS_SHARE says, or when it cannot be read: then nobody knows
 * whether there is such a file. A NAME with a '/' is none. Errors are EXIT_NOINPUT.
 */
MUST_USE int share_find(char **path, const char *kind, const char *name, const char *suffix);
/* The path of the plug-in NAME, to be freed: in $SLMTOOLS_LIB, else in ../lib/slmtools beside the running
 * program's bin, where builds and installations have it. 1; 0 and EXIT_NODEVICE when it is not there. */
MUST_USE int lib_find(char **path, const char *name);
/* A whole small file, at most MAX bytes; EXIT_NOINPUT when it cannot be opened. "-" is stdin. */
MUST_USE int read_file(struct buf *b, const char *path, size_t max);
/* The same for a file that people write, whatever system they wrote it on: as text_tidy leaves it. */
MUST_USE int read_text(struct buf *b, const char *path, size_t max);
/* Takes the byte order mark off, and makes every line end (CR LF, CR CR LF, CR) an LF. EXIT_DATA,
 * with line and byte, where it is no UTF-8 or holds a zero byte; NAME is what messages call it. */
MUST_USE int text_tidy(struct buf *b, const char *name);

#endif
