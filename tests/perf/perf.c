/* The question and answer loop and the clock of the measuring programs. */
#include "perf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS = 16 };

static const char *reason;

double perf_cannot(const char *why)
{
    reason = why;
    return -1;
}

int64_t perf_arg(int argc, char **argv, int i)
{
    const int64_t n = i < argc ? strtoll(argv[i], NULL, 10) : 1;

    return n < 1 ? 1 : n;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* By its name callgrind knows where to count: it must stay a function of its own. */
__attribute__((noinline)) void perf_once(void (*step)(void *), void *context);

void perf_once(void (*step)(void *), void *context)
{
    step(context);
}

double perf_rate(void (*step)(void *), void *context, double work)
{
    double start, took;
    int n = 0;

    if (!getenv("PERF_ONCE"))
        step(context);
    start = now();
    do {
        perf_once(step, context);
        n++;
        took = now() - start;
    } while (took < 0.1 && !getenv("PERF_ONCE"));
    return work * n / took;
}

static double answer(const struct perf_case *cases, char *line)
{
    char *words[WORDS];
    int n = 0;

    for (char *w = strtok(line, " \n"); w && n < WORDS; w = strtok(NULL, " \n"))
        words[n++] = w;
    for (; n && cases->name; cases++)
        if (strcmp(cases->name, words[0]) == 0)
            return cases->run(n, words);
    return perf_cannot("no such measurement");
}

int perf_main(const struct perf_case *cases)
{
    char line[1024];

    while (fgets(line, sizeof line, stdin)) {
        const double rate = answer(cases, line);

        if (rate < 0)
            printf("- %s\n", reason);
        else
            printf("%.6g\n", rate);
        fflush(stdout);
    }
    return 0;
}
