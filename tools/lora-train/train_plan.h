/*
 * train_plan.h - what a run would do and take: --plan, and the memory that -v prints.
 */
#ifndef TRAIN_PLAN_H
#define TRAIN_PLAN_H

#include "train_records.h"
#include "order.h"
#include "schedule.h"

/* JSON lines: one per optimiser step (step, epoch, lr, ids), after it one per evaluation (step,
 * epoch, eval_records, eval_tokens), a last one with steps, warmup_steps and the memory in bytes.
 */
MUST_USE int plan_write(const char *path, bool force, const struct order *order,
                        const struct schedule *schedule, const struct train_sets *sets,
                        const struct memory_plan *memory, int64_t batch_tokens);

/* One line under -v. */
void plan_note(const struct memory_plan *memory, int64_t batch_tokens);

#endif
