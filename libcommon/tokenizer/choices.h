/*
 * choices.h - the labels of a data set as what a model may answer: each by the tokens of its
 * answer, as promptify writes completions; without answers of a space and its name.
 */
#ifndef CHOICES_H
#define CHOICES_H

#include "tokenizer.h"

struct choice {
    uint32_t *ids;
    int64_t n; /* at least 1 */
};

struct choices {
    int n;
    struct choice *of; /* (n) in the order of the labels */
    int64_t longest;   /* tokens */
};

/* N labels and their answers (NULL: they have none). T NULL: the model has no tokenizer
 * (EXIT_NOINPUT). EXIT_DATA names the label whose answer has no tokens, or the same as another's.
 * *C is the caller's to free, also when this fails. */
MUST_USE int choices_encode(struct choices *c, char *const *name, char *const *answer, int n,
                            const struct tokenizer *t);
void choices_free(struct choices *c);

#endif
