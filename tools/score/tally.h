/*
 * tally.h - what a stream of predictions comes to: counts and sums, not records, so memory does not
 * grow with their number.
 */
#ifndef TALLY_H
#define TALLY_H

#include "record.h"
#include "stream.h"

enum { ECE_BINS = 15 };

struct tally {
    int cap; /* labels there is room for */
    int64_t n;
    int64_t *count;         /* (cap, cap): [true][predicted] */
    int64_t *none;          /* (cap): [true], predictions that are no label */
    int64_t scored;         /* records with scores: none or all */
    double log_loss, brier; /* sums over them */
    struct {                /* (i/15, (i+1)/15]: records whose largest probability lies there */
        int64_t n, right;
        double confidence;
    } bin[ECE_BINS];
};

struct judged {      /* one record */
    int truth, pred; /* indices of labels; pred -1: none */
    double p;        /* the probability of pred; NaN where that is none */
    double log_loss, brier;
    /* all three NaN without scores */
    bool apart; /* another label than pred has the largest score */
};

/* *J gets what was counted. LABELS are the stream's. When it has none (GROW) they are collected as they come. */
MUST_USE int tally_add(struct tally *t, struct labels *labels, bool grow, struct record *rec,
                       struct judged *j);
static inline int64_t tally_count(const struct tally *t, int truth, int pred)
{
    return truth < t->cap && pred < t->cap ? t->count[truth * t->cap + pred] : 0;
}
static inline int64_t tally_none(const struct tally *t, int truth)
{
    return truth < t->cap ? t->none[truth] : 0;
}

/* A bin: as sklearn.calibration.calibration_curve(right, confidence, n_bins=15) has it, where n > 0. */
struct calibration {
    double low, high; /* confidence is above LOW, at most HIGH; the first bin has 0 too */
    int64_t n;
    double confidence, accuracy; /* means; NaN where n is 0 */
};
struct calibration calibration_bin(const struct tally *t, int i);
void tally_free(struct tally *t);

#endif
