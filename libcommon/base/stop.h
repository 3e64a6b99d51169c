/*
 * stop.h - being asked to stop: SIGINT (Ctrl-C), SIGTERM and SIGHUP.
 *
 * Each prints one line and exits with EXIT_STOPPED, unless it was ignored when the process began
 * (nohup). A program that can do better defers it: the first signal is only noted, and the program,
 * which asks now and then, saves what it has and exits with EXIT_STOPPED itself; a second signal ends
 * it as before. On a terminal a new line is begun, behind "^C" and the progress line.
 */
#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

/* Installs the handlers. They call CLEAN before they exit: it may only do what a signal handler may. */
void stop_prepare(void (*clean)(void));

void stop_defer(void);
bool stop_asked(void); /* a signal has come since stop_defer */

#endif
