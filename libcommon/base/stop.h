/*
 * stop.h - being asked to stop: SIGINT (Ctrl-C), SIGTERM and SIGHUP; and SIGPIPE.
 *
 * Each prints one line and exits with EXIT_STOPPED, unless it was ignored when the process began
 * (nohup). A program that can do better defers it: the first signal is only noted, and the program,
 * which asks now and then, saves what it has and exits with EXIT_STOPPED itself; a second signal, a
 * tenth of a second later or more, ends it as before. On a terminal the line begins below "^C" and the
 * progress line.
 *
 * SIGPIPE is ignored, so that a closed standard error stops nothing. Who cannot write an output
 * because its reader has ended calls stop_pipe.
 */
#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

/* Installs the handlers. They call CLEAN before they exit, which may only do what a signal handler
 * may; where it returns false there is nothing left to stop, and the signal is ignored. */
void stop_prepare(bool (*clean)(void));

/* CLEAN, for another handler that ends the process. */
void stop_clean(void);

/* From now on the first signal is only noted; there is no way back. */
void stop_defer(void);
bool stop_asked(void); /* whether one was noted */

/* Cleans up and ends the process by SIGPIPE, silently, as other tools do. Returns where SIGPIPE was
 * ignored when the process began: then a closed pipe is an error like others. */
void stop_pipe(void);

#endif
