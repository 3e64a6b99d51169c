/*
 * metrics.h - what is said about the steps: JSON lines for --metrics, one line at the end.
 */
#ifndef METRICS_H
#define METRICS_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics;

struct step_report {
    int64_t step;     /* from 1 */
    double epoch;     /* done after it */
    double lr;        /* that it used */
    double loss;      /* that was differentiated */
    double grad_norm; /* before clipping */
    int64_t tokens;   /* that it learned from, prompts included */
    double seconds;
};

/* PATH NULL: no lines are written. A line is written at every EVERY-th step; its loss is the mean
 * over the steps since the last line, its tokens are those of these steps. */
MUST_USE int metrics_open(struct metrics **m, const char *path, bool force, int64_t every);
MUST_USE int metrics_step(struct metrics *m, const struct step_report *r);
MUST_USE int metrics_evaluation(struct metrics *m, int64_t step, double epoch, double loss,
                                int64_t tokens);
/* "448 steps, 62420 tokens, loss 1.2345, eval loss 1.3456" on standard error. */
void metrics_summary(const struct metrics *m);
/* What can fail in writing fails here, before the adapter is put in place. */
MUST_USE int metrics_flush(struct metrics *m);
/* Closes the file, which is good only if this returns 0, and releases M either way. */
MUST_USE int metrics_commit(struct metrics *m);

#endif
