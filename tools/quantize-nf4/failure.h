/* failure.h - what went wrong first when several threads work: err.h keeps a line a thread. */
#ifndef QUANTIZE_FAILURE_H
#define QUANTIZE_FAILURE_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct failure {
    int64_t at; /* the first step that failed */
    int code;
    char line[1024];
};

/* No step of N has failed. */
void failure_none(struct failure *f, int64_t n);
/* Whether a step before I failed, so that I need not be taken. */
bool failure_before(struct failure *f, int64_t i);
/* Step I has failed, in this thread and just now. */
void failure_note(struct failure *f, int64_t i);
/* 0, or -1 and the line of the first of N steps that failed. */
MUST_USE int failure_raise(const struct failure *f, int64_t n);

#endif
