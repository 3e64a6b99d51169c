#include "stop.h"

#include "err.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
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

static void on_signal(int sig)
{
    const bool first = deferring && !asked;

    asked = 1;
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
