/* shell.h - words of commands for people to paste. */
#ifndef SHELL_H
#define SHELL_H

#include "mem.h"

/* Appends WORD as a POSIX shell takes it for one word: as it is where nothing in it is special, else in single quotes. */
void shell_put_word(struct buf *b, const char *word);

#endif
