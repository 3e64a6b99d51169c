/*
 * job.h - a run from its first step, or from where its checkpoint has it, to the adapter in its place.
 */
#ifndef JOB_H
#define JOB_H

#include "trainer.h"

/* T, without its checkpoint, is ready to train; FILES are those of the model. OUT NULL: the output
 * has its name already, which is fine for a run that is resumed and was finished. OUT is released
 * when this returns 0. */
MUST_USE int job_run(struct trainer *t, const struct pack *files, struct pack_writer *out);

#endif
