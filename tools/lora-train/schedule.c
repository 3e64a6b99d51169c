/* schedule.c - learning rates: transformers 4.36 optimization.py, get_*_schedule*. */
#include "schedule.h"

#include <math.h>
#include <string.h>

enum schedule_kind schedule_kind_of(const char *name)
{
    if (!strcmp(name, "linear"))
        return SCHEDULE_LINEAR;
    if (!strcmp(name, "constant"))
        return SCHEDULE_CONSTANT;
    if (!strcmp(name, "constant_with_warmup"))
        return SCHEDULE_CONSTANT_WARMUP;
    return SCHEDULE_COSINE;
}

int64_t schedule_warmup(int64_t warmup_steps, double warmup_ratio, int64_t steps)
{
    return warmup_steps > 0 ? warmup_steps : (int64_t)ceil((double)steps * warmup_ratio);
}

static int64_t at_least_one(int64_t n)
{
    return n > 1 ? n : 1;
}

static double factor(const struct schedule *s, int64_t taken)
{
    const double rest = (double)at_least_one(s->steps - s->warmup);

    if (s->kind == SCHEDULE_CONSTANT)
        return 1;
    if (taken < s->warmup)
        return (double)taken / (double)at_least_one(s->warmup);
    if (s->kind == SCHEDULE_CONSTANT_WARMUP)
        return 1;
    if (s->kind == SCHEDULE_LINEAR)
        return fmax(0, (double)(s->steps - taken) / rest);
    return fmax(0, 0.5 * (1 + cos(M_PI * ((double)(taken - s->warmup) / rest))));
}

double schedule_rate(const struct schedule *s, int64_t taken)
{
    return s->peak * factor(s, taken);
}
