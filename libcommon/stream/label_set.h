/*
 * label_set.h - the labels of a data set in their order, and the answers that stand for them.
 */
#ifndef LABEL_SET_H
#define LABEL_SET_H

#include "cli.h"
#include "mem.h"

enum { LABELS_MAX = 4096 };

struct labels {             /* label names in the header's order; n 0: the stream has none */
    char **name;
    char **answer;          /* (n) the completion that stands for each; NULL: a space and the name */
    int n;
};
int labels_find(const struct labels *l, const char *text, size_t n);   /* index or -1 */
void labels_add(struct labels *l, const char *text, size_t n);         /* copies TEXT */
/* Gives label I its answer; to be called for all of them. */
void labels_set_answer(struct labels *l, int i, const char *text, size_t n);
bool labels_same(const struct labels *a, const struct labels *b);      /* names and order */
bool labels_answered_alike(const struct labels *a, const struct labels *b); /* of the same labels */
void labels_copy(struct labels *to, const struct labels *from);        /* TO is filled anew, and to be freed */
void labels_free(struct labels *l);     /* L is empty then, and may be used again */
/* This and the next fill L anew, to be freed; after a failure it is empty.
 * The label set share/labels/NAME: 1; 0 when there is no such set (the error lists those there
 * are); -1 when nobody can tell (EXIT_NOINPUT), or it is no list of names without doubles (EXIT_DATA). */
MUST_USE int labels_of_set(struct labels *l, const char *name);
/* What --labels was given: one value is the name of such a set, or the path of a file like it, else
 * labels with commas between them (without a comma: one label); each of several values is one label,
 * commas and all. EXIT_DATA where a label is empty or there twice. */
MUST_USE int labels_load(struct labels *l, const struct cli_list *given);
/* -1 when L has another label than the article's three, which --preset seed is about; WHAT names the
 * stream for the message. */
MUST_USE int labels_check_seed(const struct labels *l, const char *what);
/* A warning where L, of labels that are to be scored, has no answers. */
void labels_warn_guessed(const struct labels *l);
/* "a, b, c" for a message, cut off where it gets long. */
void labels_list(const struct labels *l, struct buf *b);

#endif
