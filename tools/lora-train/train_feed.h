/*
 * train_feed.h - sends records through the model in packed batches of a bounded number of tokens.
 *
 * How records are put into batches depends on their lengths and on the model's shape alone, so the
 * sums come out the same on any machine and for any number of threads. On a device it also depends on
 * the size of its memory, and with it the order of sums.
 */
#ifndef TRAIN_FEED_H
#define TRAIN_FEED_H

#include "label_eval.h"
#include "train_records.h"

struct train_feed {
    struct model *model;
    int64_t budget; /* tokens of a batch; a longer record is a batch by itself */
    uint64_t seed;  /* of dropout */
    double scale;   /* gradients are so many times larger */
    struct batch batch;
    float *nll;                         /* (tokens of the batch) */
    struct label_eval *labels;          /* NULL: accuracy is not asked for */
    int64_t right;                      /* records without WEIGHT whose label would be chosen */
    const struct train_record *culprit; /* whose loss is not finite; NULL: nobody's */
};

/* Tokens that the kept activations of about one GB have room for: 256 to 1024; on a device up to
 * 16384, whose activations take a quarter of the memory that model and optimiser leave. */
int64_t feed_budget(const struct model *m, const struct lora_set *l);

/* Tokens of the largest batch that feed_run makes of these records under BUDGET, each with MORE
 * rows beside its own; 0 when N is 0. */
int64_t feed_largest(const struct train_set *set, const int64_t *record, int64_t n, int64_t more,
                     int64_t budget);

void feed_init(struct train_feed *f, struct model *m, int64_t budget, uint64_t seed,
               struct label_eval *labels);
void feed_free(struct train_feed *f);

/*
 * SUM[i] = summed nll of record RECORD[i] of SET, i < N (RECORD NULL: record i). With WEIGHT, the
 * gradients of sum(WEIGHT[i] * SUM[i]), times F->scale, are added to the model's lora_set, under
 * dropout, where record i is sample FIRST_SAMPLE + i; without it nothing is learned, F->right is
 * counted, and 1 is returned, SUM half done, when the process is asked to stop meanwhile.
 * EXIT_NUMERIC: a loss is not finite; feed_blame says whose. The model has room for the budget and
 * for the longest record.
 */
MUST_USE int feed_run(struct train_feed *f, const struct train_set *set, const int64_t *record,
                      int64_t n, const double *weight, int64_t first_sample, double *sum);

/* Puts FILE:RECORD in front of the error when one record is to blame. Returns -1, always. */
int feed_blame(const struct train_feed *f);

#endif
