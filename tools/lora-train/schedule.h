/*
 * schedule.h - the learning rate of each step, as transformers' schedules give it (NUMERICS D.5).
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdint.h>

enum schedule_kind {
    SCHEDULE_COSINE,
    SCHEDULE_LINEAR,
    SCHEDULE_CONSTANT,
    SCHEDULE_CONSTANT_WARMUP
};

struct schedule {
    enum schedule_kind kind;
    double peak;           /* --learning-rate */
    int64_t warmup, steps; /* optimiser steps */
};

/* NAME is one of --lr-scheduler-type's choices. */
enum schedule_kind schedule_kind_of(const char *name);

/* --warmup-steps where it is above 0, else the ratio's share of STEPS, rounded up. */
int64_t schedule_warmup(int64_t warmup_steps, double warmup_ratio, int64_t steps);

/* The rate that the next step uses when TAKEN steps are done: the first step of a warm-up has rate
 * 0. Computed in double in transformers' order of operations, so that it is equal to the last bit.
 */
double schedule_rate(const struct schedule *s, int64_t taken);

#endif
