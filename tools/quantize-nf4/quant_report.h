/* quant_report.h - how far the quantised weights are from what they were, a line per tensor. */
#ifndef QUANT_REPORT_H
#define QUANT_REPORT_H

#include "outfile.h"
#include "quant_plan.h"

struct report;

struct report_sums {               /* over the pieces of one tensor, in their order */
    double largest, error, signal; /* largest difference; sums of squares */
};

/* PATH "-" is standard output. */
MUST_USE int report_open(struct report **r, const char *path, bool force);
/* The piece whose codes plan_piece has just left in ROOM; after plan_scan. */
MUST_USE int report_piece(struct report *r, struct report_sums *sums, const struct quant_plan *p,
                          const struct piece_buffers *room, const struct quant_piece *piece);
void report_tensor(struct report *r, const struct tensor *t, const struct report_sums *sums);
/* Writes the rows, to the disk. The file appears with report_commit, else not. */
MUST_USE int report_write(struct report *r);
MUST_USE int report_commit(struct report *r);
void report_free(struct report *r); /* NULL is fine */

#endif
