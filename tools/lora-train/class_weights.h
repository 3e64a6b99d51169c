/*
 * class_weights.h - how much the loss of a record counts by its label (--class-weights).
 */
#ifndef CLASS_WEIGHTS_H
#define CLASS_WEIGHTS_H

#include "stream.h"

/*
 * *WEIGHT (labels, to be freed) from what the option was GIVEN: "balanced" is n / (k COUNT[label])
 * with n records of k labels that have any (scikit-learn's compute_class_weight; 0 of the others);
 * else each text is NAME=WEIGHT or several with commas between them, and labels that are not named
 * have 1.
 * COUNT (labels): records that are learned from. EXIT_USAGE says what is wrong with a text.
 */
MUST_USE int class_weights_find(double **weight, const struct cli_list *given,
                                const struct labels *labels, const int64_t *count);

#endif
