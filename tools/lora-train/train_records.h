/*
 * train_records.h - the records that are learned from and those that are evaluated, in memory.
 */
#ifndef TRAIN_RECORDS_H
#define TRAIN_RECORDS_H

#include "run/model.h"
#include "stream.h"
#include "train_options.h"

struct train_record {
    uint64_t id;          /* field id, else the position in the stream */
    size_t at;            /* first token in struct train_set' ids */
    int64_t n;            /* tokens, after --max-length */
    int64_t first_target; /* first token that is predicted, 1 .. n-1 */
    int64_t unshifted;    /* tokens that would count if the first one could be predicted too */
    int64_t prompt;       /* tokens in front of the completion; 0: nobody asked for it */
    int label;            /* index in struct train_sets' labels; -1: nobody asked for it */
    const char *source;   /* file it came from, for messages */
};

struct train_set {
    struct train_record *v;
    int64_t n;
    uint32_t *ids;
    size_t n_ids, cap_ids;
    int64_t cut;     /* records that --max-length made shorter */
    int64_t open;    /* records without a completion */
    int64_t unsplit; /* records without a split */
};

struct train_sets {
    struct train_set train, eval;
    struct labels labels; /* of the header */
    double *class_weight; /* (labels) by which a record's loss is multiplied; NULL: by nothing */
    bool splits; /* some record has a split */
    char **source;
    int sources;
    struct reader *from; /* read to its end: chain and digests of what the records came from */
};

/*
 * Reads all input streams. Records whose split is train, and records without one, are learned from;
 * eval ones are for evaluation, others are passed over. When the user picked splits with --only,
 * all that he picked are learned from. Every record is checked against M: EXIT_DATA names it.
 */
MUST_USE int train_sets_read(struct train_sets *s, const struct train_options *o,
                             const struct model *m);
void train_sets_free(struct train_sets *s);

static inline const uint32_t *train_record_ids(const struct train_set *e,
                                               const struct train_record *x)
{
    return e->ids + x->at;
}

/* Tokens of X that have a loss. */
static inline int64_t train_record_targets(const struct train_record *x)
{
    return x->n - x->first_target;
}

#endif
