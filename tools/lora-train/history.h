/*
 * history.h - the curves of a run, for its picture: all of it, also what an earlier process did.
 *
 * A curve has a point for each step, or evaluation; where there are more than HISTORY_MAX, each two
 * neighbours become one, their mean, so that a long run stays small. What a run leaves does not depend
 * on where it was stopped.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "json.h"

enum history_curve { HISTORY_LOSS, HISTORY_EVAL_LOSS, HISTORY_RATE, HISTORY_CURVES };

enum {
    HISTORY_MAX = 1024,
    HISTORY_BYTES = HISTORY_CURVES * 2 * HISTORY_MAX * 25, /* history_put appends no more, about */
};

struct history {
    struct history_points {
        int64_t n;
        int64_t each; /* values in a point, but for the last one */
        int64_t open; /* values in the last one */
        double step[HISTORY_MAX], value[HISTORY_MAX];
    } curve[HISTORY_CURVES];
};

void history_add(struct history *h, enum history_curve curve, int64_t step, double value);
/* Appends "history": {...}, for history_take. */
void history_put(const struct history *h, struct buf *b);
/* FROM: the object that has it. Where it has none the history begins now. */
MUST_USE int history_take(struct history *h, const cJSON *from);

#endif
