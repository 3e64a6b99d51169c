/*
 * answers.h - whether labels, template and verbalizer fit each other; all are known before the first
 * record, and an error here names the labels that do not.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "stream.h"

/* Every one of LABELS has to have an answer in the verbalizer NAME, which has them for KNOWN. */
MUST_USE int answers_of_verbalizer(const struct labels *labels, const struct labels *known,
                                   const char *name);
/* Every one of LABELS has to be one that the template NAME is made for; KNOWN.n 0: for any. */
MUST_USE int answers_of_template(const struct labels *labels, const struct labels *known,
                                 const char *name);
/* No two labels have the same answer. Warns where one begins with another. */
MUST_USE int answers_differ(const struct labels *l);

#endif
