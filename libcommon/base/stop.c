#include "stop.h"

#include "err.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static void (*clean)(void);
static bool terminal;                          /* standard error is one */
static volatile sig_atomic_t deferring, asked; /* the first signal only sets ASKED */

static void say(const char *s)
{
    const ssize_t ignored = write(STDERR_FILENO, s, strlen(s));

    (void)ignored;
}

static void on_signal(int sig)
{
    if (terminal)
        say("\n");
    if (deferring && !asked) {
        asked = 1;
        return;
    }
    clean();
    say(err_tool());
    say(sig == SIGINT    ? ": error: interrupted"
        : sig == SIGTERM ? ": error: terminated"
                         : ": error: hung up");
    say("; the output was not finished, run it again\n");
    _exit(EXIT_STOPPED);
}

void stop_prepare(void (*cleaner)(void))
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

    clean = cleaner;
    terminal = isatty(STDERR_FILENO);
    (void)sigfillset(&act.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
            (void)sigaction(signals[i], &act, NULL);
}

void stop_defer(void)
{
    deferring = 1;
}

bool stop_asked(void)
{
    return asked;
}
