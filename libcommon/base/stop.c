#include "stop.h"

#include "err.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool (*clean)(void);
static bool terminal;                          /* standard error is one */
static bool pipe_ignored;                      /* from the start */
static volatile sig_atomic_t deferring, asked; /* the first signal only sets ASKED */

static void say(const char *s)
{
    const ssize_t ignored = write(STDERR_FILENO, s, strlen(s));

    (void)ignored;
}

static int64_t milliseconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whoever stops a program and its process group, as timeout(1) does, sends the same signal twice.
 */
static bool is_echo(void)
{
    enum { ECHO_MILLISECONDS = 100 };
    static int64_t at; /* of the first signal; no handler interrupts another */

    if (!asked)
        at = milliseconds();
    return asked && milliseconds() - at < ECHO_MILLISECONDS;
}

static void on_signal(int sig)
{
    const bool echo = is_echo(), first = deferring && !asked;

    asked = 1;
    if (deferring && echo)
        return;
    if (!first && !clean())
        return;
    if (terminal)
        say("\n");
    if (first)
        return;
    say(err_tool());
    say(sig == SIGINT    ? ": error: interrupted"
        : sig == SIGTERM ? ": error: terminated"
                         : ": error: hung up");
    say("; the output was not finished, run it again\n");
    _exit(EXIT_STOPPED);
}

void stop_prepare(bool (*cleaner)(void))
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

    clean = cleaner;
    terminal = isatty(STDERR_FILENO);
    (void)sigfillset(&act.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
            (void)sigaction(signals[i], &act, NULL);
    pipe_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
}

void stop_clean(void)
{
    if (clean)
        (void)clean();
}

void stop_defer(void)
{
    deferring = 1;
}

bool stop_asked(void)
{
    return asked;
}

void stop_pipe(void)
{
    sigset_t all, one;

    if (pipe_ignored || !clean)
        return;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL); /* CLEAN is for one at a time */
    (void)clean();
    (void)signal(SIGPIPE, SIG_DFL);
    (void)raise(SIGPIPE);
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGPIPE);
    (void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}
