/* report.h - the forms in which a tally is printed; each appends to a buffer. */
#ifndef REPORT_H
#define REPORT_H

#include "assess.h"
#include "mem.h"

/* Ours: for people, for programs, for spreadsheets. FIELD (may be NULL) has A's slice's value in all
 * records. */
void report_text(struct buf *b, const struct assessment *a);
/* The last part of that: how sure the numbers are. */
void report_text_intervals(struct buf *b, const struct assessment *a);
void report_json(struct buf *b, const struct assessment *a, const char *field);
/* The members of that object, without braces and FIELD. */
void report_json_members(struct buf *b, const struct assessment *a);
/* For other objects: "by": {FIELD: VALUE} and a comma, nothing where FIELD is NULL; [LOW, HIGH]. */
void report_json_by(struct buf *b, const char *field, const char *value);
void report_json_interval(struct buf *b, struct interval v);
void report_tsv(struct buf *b, const struct assessment *a);

/* print(classification_report(y_true, y_pred, digits=DIGITS)) and print(confusion_matrix(y_true,
 * y_pred)) of scikit-learn 1.2.1 on labels as strings, none being one of them; CHOSEN, which may be
 * NULL, is labels= of both. */
void report_sklearn(struct buf *b, const struct tally *t, const struct labels *l,
                    const struct labels *chosen, int digits);

/* The article's evaluate(): positive is 2, neutral and none are 1, negative is 0. -1: other labels.
 */
MUST_USE int report_seed(struct buf *b, const struct tally *t, const struct labels *l);

/* Code points of the longest name in C, LEAST at least. */
int text_widest(const struct confusion *c, int least);
/* Appends S at the right of WIDTH code points, which is what Python pads by. */
void text_right(struct buf *b, const char *s, int width);

#endif
