/* again.h - the command that goes on where this one was stopped. */
#ifndef AGAIN_H
#define AGAIN_H

/* Appends --resume to what was said, unless it was, quoted for a shell. Free it. */
char *again_command(char *const *argv);

#endif
