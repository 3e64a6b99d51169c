/*
 * metrics.h - what is said about the steps: JSON lines for --metrics, one line at the end.
 */
#ifndef METRICS_H
#define METRICS_H

#include "history.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics;

struct step_report {
    int64_t step;     /* from 1 */
    double epoch;     /* done after it */
    double lr;        /* that it used */
    double loss;      /* that was differentiated */
    double grad_norm; /* before clipping; NAN: the step was skipped */
    double scale;     /* of the loss; 0: it is not scaled, and no step is skipped */
    int64_t skipped;  /* steps so far */
    int64_t tokens;   /* that it learned from, prompts included */
    double seconds;
    bool last; /* or it may be the last one */
};

struct eval_report {
    int64_t step; /* behind which it was, from 1 */
    double epoch, loss;
    int64_t tokens;         /* that have a loss */
    int64_t records, right; /* whose label would be chosen; RIGHT -1: nobody asked */
};
double eval_accuracy(const struct eval_report *r); /* where RIGHT is not -1 */

/*
 * PATH NULL: no lines are written. A line is written at every EVERY-th step and at the last;
 * its loss is the mean over the steps since the last line, its tokens are those of these steps. It is
 * in the file when the call returns. FROM: what metrics_put_state said in an earlier process; the file
 * is cut to what it was then. NULL: begins, see metrics_file_open for FORCE and SPARE_EMPTY.
 */
struct metrics_options {
    const char *path;
    bool force, spare_empty;
    int64_t every;
};
MUST_USE int metrics_open(struct metrics **m, const struct metrics_options *o, const cJSON *from);
MUST_USE int metrics_step(struct metrics *m, const struct step_report *r);
MUST_USE int metrics_evaluation(struct metrics *m, const struct eval_report *r);
/* "448 steps, 62420 tokens, loss 1.2345, eval loss 1.3456, eval accuracy 0.9000 (45 of 50)" on
 * standard error. */
void metrics_summary(const struct metrics *m);
/* Of all steps, whether lines are written or not. */
const struct history *metrics_history(const struct metrics *m);
/* Appends what metrics_open wants for FROM, a JSON object. What it counts is on the disk then. */
MUST_USE int metrics_put_state(const struct metrics *m, struct buf *b);
/* What can fail in writing fails here, before the adapter is put in place. */
MUST_USE int metrics_sync(struct metrics *m);
void metrics_close(struct metrics *m); /* NULL is fine */

#endif
