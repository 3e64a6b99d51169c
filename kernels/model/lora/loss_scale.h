/*
 * loss_scale.h - how much larger than the loss is what a run in float16 differentiates, so that
 * gradients are not lost below the least float16; as torch.amp.GradScaler chooses it (NUMERICS
 * D.3).
 */
#ifndef LOSS_SCALE_H
#define LOSS_SCALE_H

#include <stdbool.h>
#include <stdint.h>

struct loss_scale {
    double now;      /* a power of two: scaling rounds nothing */
    int64_t good;    /* steps since it changed or one was skipped */
    int64_t skipped; /* steps of the run whose gradient was not finite */
};

#define LOSS_SCALE_INIT                                                                            \
    {                                                                                              \
        .now = 65536                                                                               \
    }

/* After a step under S->now: halved where the gradient was not FINITE, which skips the step, and
 * doubled after 2000 in a row where it was, as long as a float can hold it. */
void loss_scale_next(struct loss_scale *s, bool finite);

#endif
