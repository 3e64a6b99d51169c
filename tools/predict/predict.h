/*
 * predict.h - what the modes of predict share: the model, the options, and records in batches.
 */
#ifndef PREDICT_H
#define PREDICT_H

#include "run/prompts.h"
#include "progress.h"
#include "stream.h"
#include "tokenizer.h"

struct predict_options {
    struct cli_common common;
    const char *model;
    struct cli_list adapters;
    const char *mode;      /* NULL: by the header */
    const char *preset;    /* NULL, or "seed" */
    const char *normalize; /* none|length|prior */
    int64_t max_new_tokens;
    const char *stop; /* NULL: none */
    bool stream;
    bool skip_special; /* special tokens are no part of a text */
    const char *loss; /* completion|all */
    int64_t batch_tokens;
    bool trust_tokens, trust_adapter, partial_adapter;
    bool normalize_given, max_new_tokens_given, loss_given;
    /* Sampling and arithmetic that later versions will know: checked to be greedy and float32. */
    double temperature, top_p;
    int64_t top_k;
    const char *compute;
};

/* Parses and checks, or exits. Gives the operands. */
const char *const *options_parse(struct predict_options *o, int argc, char **argv);
/* Exits when an option was given that MODE would not look at. */
void options_suit(const struct predict_options *o, const char *mode);

/* A record on its way: a copy, because the reader lends its own only until the next. */
struct pending {
    struct record *rec;
    uint32_t *ids;
    int64_t n, n_prompt;
    int64_t cap; /* of ids */
};

struct predictor {
    const struct predict_options *opt;
    struct model *model;
    struct tokenizer *tok; /* NULL: the model has none */
    struct tokenizer_scratch *scratch;
    const struct labels *labels;
    int64_t more; /* tokens that the mode lets follow each prompt; set by its begin */

    /* Reused from batch to batch. */
    struct batch batch;
    struct prompts prompts;
    struct selected said; /* of the last pass: (said_cap) best, (said_cap, n) logp */
    int64_t said_cap;
    void *state; /* of the mode */
    bool warned; /* that a field of the user's was replaced */
    struct progress *progress;
};

/* One way of predicting. Functions give 0, or -1 with the error set. */
struct mode {
    const char *name;
    bool whole; /* looks at the completion too, and not at what the batch begins with */
    int (*begin)(struct predictor *p);
    /* Sets the fields of N records, the owners of PROMPTS, all of which begin with the same SHARED
     * ids. */
    int (*run)(struct predictor *p, struct prompt *prompts, int n, int64_t shared);
    void (*end)(struct predictor *p);
};

extern const struct mode mode_labels, mode_generate, mode_loss, mode_logits;

/* Reads all records of R, runs them in batches, and writes them to W in the order they came in. */
MUST_USE int window_run(struct predictor *p, const struct mode *mode, struct reader *r,
                        struct writer *w);

/* Takes the memory of a device, as far as --batch-tokens says how much it will be; the host's is
 * taken as batches come. */
MUST_USE int predict_reserve(struct predictor *p, const struct mode *mode);

/* Makes p->batch the pass through the prompts; ROW (n) gets the row of the last token of each. */
MUST_USE int predict_begin(struct predictor *p, struct prompt *prompts, int n, int64_t shared,
                           int32_t *row);
/* Runs the batch that is there: p->said at its rows ROW (n), the log-probabilities of IDS (n, k),
 * and the most likely ones. IDS may be NULL, K 0. */
MUST_USE int predict_select(struct predictor *p, const int32_t *row, int64_t n, const int32_t *ids,
                            int64_t k);

#endif
