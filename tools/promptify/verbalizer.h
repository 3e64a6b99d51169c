/* verbalizer.h - which answer stands for each label: lines of label, tab, answer. */
#ifndef VERBALIZER_H
#define VERBALIZER_H

#include "err.h"
#include "stream.h"

struct verbalizer {
    struct labels labels, answers; /* in the order of the lines */
};

/* Parses N bytes; NAME is for messages. */
MUST_USE int verbalizer_parse(struct verbalizer *v, const char *name, const char *text, size_t n);
/* The answer for a label; NULL and an error that names it when there is none. */
const char *verbalizer_answer(const struct verbalizer *v, const char *label, size_t n);
void verbalizer_free(struct verbalizer *v);

#endif
