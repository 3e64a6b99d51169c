/* err_exit.c - the end of the process, when a library ends it or several threads do at once. */
#include "err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_flag dying = ATOMIC_FLAG_INIT;
static bool unmet; /* exit(1) is what a tool means */

int err_unmet(void)
{
    unmet = true;
    return EXIT_UNMET;
}

void err_last(int code)
{
    while (atomic_flag_test_and_set(&dying)) /* another thread ends the process */
        (void)pause();
    unmet = unmet || code == EXIT_UNMET;
}

static void at_exit(int code, void *unused)
{
    (void)unused;
    if (code != EXIT_UNMET || unmet)
        return;
    (void)on_exit(at_exit, NULL); /* for another thread that comes here meanwhile */
    err_last(EXIT_MEMORY);
    (void)fprintf(stderr,
                  "%s: error: out of memory or threads; end other programs, or use fewer -j\n",
                  err_tool());
    _exit(EXIT_MEMORY);
}

void err_prepare(void)
{
    static bool done;

    if (!done)
        (void)on_exit(at_exit, NULL);
    done = true;
}
