/*
 * score_metrics.h - numbers from a tally, each as scikit-learn 1.2.1 computes it, in the same order of
 * floating-point operations where the last printed digit could tell.
 *
 * "none" is a class that can be predicted but is never true: it counts in accuracy, MCC and kappa,
 * and it is not a label, so macro and weighted means are over labels only. Labels that are neither
 * true nor predicted anywhere are left out of macro_f1, labels that are never true out of
 * balanced_accuracy. A quotient whose divisor is 0 is 0; kappa of a single class is NaN.
 */
#ifndef SCORE_METRICS_H
#define SCORE_METRICS_H

#include "tally.h"

enum { LABEL_NONE = -1, LABEL_NOWHERE = -2 }; /* in place of an index of labels */

/* Counts of the labels that are reported, in their order. COUNT is of these; what was predicted or
 * true beside them is in SUPPORT and PREDICTED alone. */
struct confusion {
    int n;
    const char **name;  /* (n) */
    int *at;            /* (n) index in the tally's labels; LABEL_NONE, LABEL_NOWHERE */
    int64_t *right;     /* (n): true and predicted, the diagonal of COUNT */
    int64_t *count;     /* (n, n): [true][predicted] */
    int64_t *none;      /* (n): [true] */
    int64_t *support;   /* (n): true; with none */
    int64_t *predicted; /* (n) */
};

struct label_metrics {
    double precision, recall, f1;
};

/* Numbers that are between 0 and 1 or nearly so, in the order of reports. */
enum figure { ACCURACY, BALANCED, MACRO_F1, WEIGHTED_F1, MCC, KAPPA, LOG_LOSS, BRIER, ECE, FIGURES };
extern const char *const figure_name[FIGURES];

struct metrics {
    int64_t n, none, right;
    bool scored;
    double figure[FIGURES]; /* NaN: there is none */
};
/* Whether figure F is reported: those from LOG_LOSS on are made of scores. */
static inline bool metrics_has(const struct metrics *m, int f)
{
    return f < LOG_LOSS || m->scored;
}

enum order {
    ORDER_GIVEN,   /* all labels as they are */
    ORDER_NAME,    /* all labels by code point */
    ORDER_SKLEARN, /* by code point, those that occur only, and none as one of them */
};
/* CHOSEN: these labels in this order, whatever ORDER says; one that occurs nowhere has zeros. NULL:
 * all of L. */
void confusion_init(struct confusion *c, const struct tally *t, const struct labels *l,
                    enum order order, const struct labels *chosen);
void confusion_free(struct confusion *c);

struct confused {
    int truth, pred; /* places in a struct confusion; PRED its N: none */
    int64_t times;
};
/* What is taken for what, the most frequent first; *N of them. Free it. */
struct confused *confusion_list(const struct confusion *c, size_t *n);

struct label_metrics label_metrics(const struct confusion *c, int label);
/* C holds all labels; COUNT is not looked at. Of T: how many records, and what their scores add up to. */
void metrics_compute(struct metrics *m, const struct confusion *c, const struct tally *t);
/* macro_f1 and weighted_f1 over the labels of C alone, as with scikit-learn's labels=. */
void metrics_restrict(struct metrics *m, const struct confusion *c);

/* numpy's sum of float64, which adds in pairs of blocks. */
double pairwise_sum(const double *v, int64_t n);

#endif
