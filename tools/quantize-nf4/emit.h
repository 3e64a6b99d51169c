/*
 * emit.h - the tensors of the quantised model, in the order of the file, to a file or against one.
 */
#ifndef EMIT_H
#define EMIT_H

#include "quant_plan.h"
#include "quant_report.h"

/* Writes model.safetensors into OUT, with plan_scan where one pass is not enough. REPORT NULL: none
 * is wanted. */
MUST_USE int emit_file(struct quant_plan *p, struct pack_writer *out, struct report *report,
                       struct progress *progress);
/* Compares with MADE, after plan_scan: -1 and EXIT_UNMET name the first tensor that differs. */
MUST_USE int emit_compare(struct quant_plan *p, const struct tensors *made, struct report *report,
                          struct progress *progress);

#endif
