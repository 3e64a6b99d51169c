/*
 * perf.h - what the measuring programs share. Each reads lines "NAME ARG..." and answers every line
 * with one number: how much was done in a second, or "- WHY" when it cannot be done here. Who asks
 * (tests/perf/bench) takes turns between programs, so that all meet the same machine.
 *
 * With PERF_ONCE in the environment the work is done exactly once inside perf_once, which is what
 * tests/perf/count has callgrind look at.
 */
#ifndef PERF_H
#define PERF_H

#include <stdint.h>

struct perf_case {
    const char *name;
    /* What is done in a second, or a negative number after perf_cannot. ARGC counts the name. */
    double (*run)(int argc, char **argv);
};

/* Answers the lines of standard input until it ends; CASES end with a NULL name. */
int perf_main(const struct perf_case *cases);
/* WORK units each time STEP is done: does it for a tenth of a second at least, and once before. */
double perf_rate(void (*step)(void *), void *context, double work);
/* Says why and returns what RUN then has to return. */
double perf_cannot(const char *why);
/* Argument I as a number, at least 1; 1 when there are fewer. */
int64_t perf_arg(int argc, char **argv, int i);

#endif
