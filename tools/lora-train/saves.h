/*
 * saves.h - the adapter as it is after every so many steps, beside the one that the run ends with:
 * "tuned.tar.zst" after 50 steps is "tuned.step-50.tar.zst", "tuned/" is "tuned.step-50/".
 */
#ifndef SAVES_H
#define SAVES_H

#include "files/adapter.h"
#include "train_options.h"

/* Whether all names are free that a run of STEPS will want, so that none fails in the middle. */
MUST_USE int saves_check(const struct train_options *o, int64_t steps);

/* After STEP, counted from 1: writes it where --save-steps says so, and takes away the oldest of
 * this run behind the newest --save-total-limit. FROM as lora_save has it. REPLACE: one may be
 * there, of this run when it was stopped behind STEP. Where --checkpoint is given too, --save-steps
 * speaks of that, and adapters are saved only if --save-total-limit asks for some. */
MUST_USE int saves_step(const struct train_options *o, const struct lora_set *lora,
                        const struct weights *on, const struct lora_origin *from, int64_t step, bool replace);

#endif
