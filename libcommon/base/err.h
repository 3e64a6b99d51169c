/*
 * err.h - how code in this project fails.
 *
 * A library function returns 0 (or a count) when it succeeds and -1 when it fails, and leaves one
 * line of text and an exit code here. Its caller passes the -1 on, adding where it was (err_in), or
 * is a tool's own file and stops (die_err). Running out of host memory is the one exception: mem.h
 * stops the process itself, so nobody tests a host pointer for NULL.
 *
 * What a function makes behind its first argument (X **x) is set only when it succeeds, and is the
 * caller's to give back with the X_close, X_free or X_abort beside it; these take NULL. A const pointer
 * that is given out is lent: its header says until when, or it is good as long as what it came from.
 *
 * The text is kept per thread and replaced by the next err_set. It starts in lower case, puts its
 * subject in 'single quotes', says what is wrong and, after a semicolon, what to do; no full stop.
 * A user sees one line:   TOOL: error: FILE:RECORD: what is wrong; what to do
 */
#ifndef ERR_H
#define ERR_H

#include <stdbool.h>
#include <sysexits.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_USE __attribute__((warn_unused_result))

/* Exit codes beside 0 and those of <sysexits.h> that ARCHITECTURE fixes. */
enum {
    EXIT_UNMET = 1,             /* done, but a condition that was asked for does not hold */
    EXIT_USAGE = 2,             /* wrong option or operand */
    EXIT_DATA = EX_DATAERR,     /* 65: the input is not what it should be */
    EXIT_NOINPUT = EX_NOINPUT,  /* 66: an input is not there or cannot be opened */
    EXIT_NODEVICE = EX_UNAVAILABLE, /* 69: device or feature not there */
    EXIT_NUMERIC = EX_SOFTWARE, /* 70: not a number, or a failure of our own */
    EXIT_MEMORY = EX_OSERR,     /* 71 */
    EXIT_CREATE = EX_CANTCREAT, /* 73: the output cannot be created */
    EXIT_IO = EX_IOERR,         /* 74 */
    EXIT_STOPPED = EX_TEMPFAIL, /* 75: interrupted; running again may go on */
};

/* Keeps the line and CODE (an exit code from above). Returns -1, always. */
int err_set(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "FMT: " in front of the line that is there, unless it begins so. Returns -1, always. */
int err_in(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* For a call of the system that failed: EXIT_MEMORY where errno says so, else CODE. */
int err_cause(int code);

const char *err_text(void); /* "" when nothing has failed */
int err_code(void);         /* exit code of the last err_set; EXIT_NUMERIC when nothing was set */

/* The name in front of every message: the last part of argv[0]. cli_parse sets it. */
void err_set_tool(const char *name);
const char *err_tool(void);

/* Prints "TOOL: error: err_text" on standard error and exits with err_code. What to do is added by
 * the code where the text has no semicolon. Of several threads the first one speaks and exits. */
_Noreturn void die_err(void);

/* err_set and die_err in one. */
_Noreturn void die(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* EXIT_UNMET, for a main that returns it or a die with it. */
int err_unmet(void);

/* Libraries that end the process when they get no memory or no thread (libgomp, libarchive) do so with
 * exit(1), which is EXIT_UNMET here: from now on that is EXIT_MEMORY unless err_unmet was called. What
 * is called at exit and was registered later still runs. cli_parse calls it. */
void err_prepare(void);
/* For die_err: this thread ends the process, with CODE; where another one does already it waits for
 * its end. */
void err_last(int code);

/* Prints "TOOL: warning: ..." unless -q was given (err_quiet). */
void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Prints "TOOL: ..." only under -v. */
void note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Whether standard error stands in the middle of a line (the progress line): then the next message
 * begins a new one. */
void err_set_open_line(bool open);

/* 0 quiet, 1 normal, 2 verbose. */
void err_set_talk(int level);

#endif
