#include "watch.h"

#include "mem.h"
#include "stop.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Never freed: a signal handler may look at any moment. */
struct watched {
    struct watched *next;
    char *path; /* NULL: standard input */
    const char *at;
    size_t n; /* 0: not read any more */
    struct stat was;
    bool changed;
};

static struct watched *volatile watched;

static bool look(const struct watched *w, struct stat *now)
{
    return (w->path ? stat(w->path, now) : fstat(STDIN_FILENO, now)) == 0;
}

static bool has_changed(const struct watched *w)
{
    struct stat now;

    return !look(w, &now) || now.st_dev != w->was.st_dev || now.st_ino != w->was.st_ino ||
           now.st_size != w->was.st_size || now.st_mtim.tv_sec != w->was.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != w->was.st_mtim.tv_nsec;
}

/* ---- SIGBUS: only calls that a signal handler may make ---- */

static void say(const char *s)
{
    const ssize_t ignored = write(STDERR_FILENO, s, strlen(s));

    (void)ignored;
}

static void on_bus(int sig, siginfo_t *info, void *context)
{
    const uintptr_t at = (uintptr_t)info->si_addr;
    const struct watched *w = watched;
    struct stat now;

    (void)context;
    while (w && (at < (uintptr_t)w->at || at - (uintptr_t)w->at >= w->n))
        w = w->next;
    if (!w) { /* not ours: what would have happened happens when this returns */
        (void)signal(sig, SIG_DFL);
        return;
    }
    stop_clean();
    say(err_tool());
    say(": error: ");
    say(w->path ? w->path : "standard input");
    say(look(w, &now) && now.st_size >= w->was.st_size
            ? ": cannot be read; check the disk\n"
            : ": became shorter while it was read; run it again when the file is whole\n");
    _exit(EXIT_IO);
}

static void catch_bus(void)
{
    struct sigaction act = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

    (void)sigfillset(&act.sa_mask);
    (void)sigaction(SIGBUS, &act, NULL);
}

/* ---- watching ---- */

void watch_begin(const char *path, int fd, const void *at, size_t n)
{
    struct watched *w = xcalloc(1, sizeof *w);

    if (!watched)
        catch_bus();
    w->path = path ? xstrdup(path) : NULL;
    w->at = at;
    w->n = n;
    w->changed = fstat(fd, &w->was) < 0 || (uint64_t)w->was.st_size != n;
    w->next = watched;
    watched = w;
}

void watch_end(const void *at)
{
    for (struct watched *w = watched; w; w = w->next)
        if (w->n && w->at == at) {
            w->changed |= has_changed(w);
            w->n = 0;
        }
}

int watch_check(void)
{
    for (const struct watched *w = watched; w; w = w->next)
        if (w->changed || (w->n && has_changed(w)))
            return err_set(EXIT_IO,
                           "%s: changed while it was read: the results would fit neither what it "
                           "was nor what it is; run it again",
                           w->path ? w->path : "standard input");
    return 0;
}
