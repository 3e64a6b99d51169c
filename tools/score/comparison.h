/* comparison.h - two runs on the same records: how far apart they are, and whether that means anything. */
#ifndef COMPARISON_H
#define COMPARISON_H

#include "assess.h"

enum conclusion {
    UNDECIDED, /* the interval of the difference contains zero, or McNemar's p is 0.05 or more */
    B_BETTER,
    B_WORSE,
};

struct comparison { /* of one slice */
    struct assessment a, b;
    int64_t both_right, only_a, only_b, both_wrong; /* records */
    double mcnemar_p; /* of the exact test */
    struct boot boot; /* of both, drawn together */
    enum conclusion conclusion; /* about accuracy */
};

/* OTHER: pair_runs of A and B. SLICE is one of A's. */
MUST_USE int compare_runs(struct comparison *c, const struct scored_run *a,
                          const struct scored_run *b, const int64_t *other, int slice,
                          const struct labels *chosen, const struct resampling *how);
void comparison_free(struct comparison *c);

/* Whether both runs have figure F. */
static inline bool comparison_has(const struct comparison *c, int f)
{
    return metrics_has(&c->a.m, f) && metrics_has(&c->b.m, f);
}
/* B minus A. */
double comparison_difference(const struct comparison *c, enum figure f);

/* The forms of the report, in comparison_report.c; FIELD as in report.h. */
void comparison_text(struct buf *b, const struct comparison *c);
/* Parts of that: what is compared; the figures of both and their differences, NARROW in two lines each;
 * the rest. */
void comparison_head(struct buf *b, const struct comparison *c);
void comparison_table(struct buf *b, const struct comparison *c, bool narrow);
void comparison_words(struct buf *b, const struct comparison *c);
void comparison_json(struct buf *b, const struct comparison *c, const char *field);
void comparison_tsv(struct buf *b, const struct comparison *c);

#endif
