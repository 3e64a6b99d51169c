/* train_picture.h - --plot: the loss, the loss of evaluations and the rate that was used over the steps of a run. */
#ifndef TRAIN_PICTURE_H
#define TRAIN_PICTURE_H

#include "history.h"
#include "outfile.h"

/* An SVG file. BASE: the model's name, or "". */
MUST_USE int train_picture_write(struct outfile *f, const struct history *h, const char *base);
/* The loss as a small curve on standard error, where that is a terminal. */
void train_picture_say(const struct history *h);

#endif
