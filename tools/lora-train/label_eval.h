/*
 * label_eval.h - which label the model would choose for eval records, out of the pass that gives
 * their losses (--eval-labels): what the answers have behind their first tokens goes through it as
 * branches of each record's prompt.
 *
 * It is the choice of predict --mode labels, made of the same bytes: the first label with the
 * largest sum of log P(token of its answer | prompt, tokens before).
 */
#ifndef LABEL_EVAL_H
#define LABEL_EVAL_H

#include "train_records.h"

struct label_eval;

/* For the labels and the eval records of S. EXIT_DATA: an answer is none that M can give
 * (choices.h), all of them have more tokens than a batch takes, or a record has no room for one. */
MUST_USE int label_eval_new(struct label_eval **e, const struct train_sets *s,
                            const struct model *m);
void label_eval_free(struct label_eval *e); /* NULL is fine */

/* Rows of a batch that each record takes beside its own. */
int64_t label_eval_rows(const struct label_eval *e);

/* B holds the records V (n) alone and gets their branches; NLL (its tokens then) is as
 * model_loss_batch has it. *RIGHT grows by the records whose label is chosen. */
MUST_USE int label_eval_run(struct label_eval *e, struct model *m, struct batch *b,
                            const struct train_record *v, int64_t n, float *nll, int64_t *right);

#endif
