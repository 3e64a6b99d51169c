/*
 * progress.h - a line on standard error that says how far we are; only on a terminal that can take it
 * back (term.h), and no wider than that, or JSON lines under --progress json. Never in a log by accident,
 * never on standard output.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "cli.h"

struct progress;

/* TOTAL < 0: unknown. UNIT: "records", "steps", "tensors". NULL when nothing is to be shown; all
 * functions take NULL. */
struct progress *progress_open(const struct cli_common *common, const char *unit, int64_t total);
/* DONE were there before: they do not make this process look faster. */
void progress_from(struct progress *p, int64_t done);
/* Whether anything would be shown: what costs time only to know TOTAL is left out else. */
bool progress_wanted(const struct cli_common *common);
void progress_to(struct progress *p, int64_t done);     /* at most ten updates a second */
/* The same with a short remark, "loss 1.234". */
void progress_say(struct progress *p, int64_t done, const char *remark);
void progress_close(struct progress *p);

#endif
