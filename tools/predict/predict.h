/*
 * predict.h - what the modes of predict share: the model, the options, and records in batches.
 */
#ifndef PREDICT_H
#define PREDICT_H

#include "model/model.h"
#include "stream.h"
#include "tokenizer.h"

struct predict_options {
    struct cli_common common;
    const char *model;
    struct cli_list adapters;
    const char *mode;           /* NULL: by the header */
    const char *preset;         /* NULL, or "seed" */
    const char *normalize;      /* none|length|prior */
    int64_t max_new_tokens;
    const char *stop;           /* NULL: none */
    bool stream;
    const char *loss;           /* completion|all */
    int64_t batch_tokens;
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
struct item {
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

    /* Reused from batch to batch. */
    struct batch batch;
    struct kv_cache *kv;
    int64_t kv_rows;
    float *logits; /* (logits_cap, V) */
    int64_t logits_cap;
    void *state; /* of the mode */
};

/* One way of predicting. Functions give 0, or -1 with the error set. */
struct mode {
    const char *name;
    int (*begin)(struct predictor *p);
    /* How many tokens of the model's positions ITEM takes; its share of a batch. */
    int64_t (*tokens)(const struct predictor *p, const struct item *item);
    /* Sets the fields of N records. */
    int (*run)(struct predictor *p, struct item *items, int n);
    void (*end)(struct predictor *p);
};

extern const struct mode mode_labels, mode_generate, mode_loss, mode_logits;

/* Room for at least ROWS keys and values, or rows of logits; what was there is lost. */
MUST_USE int predict_need_cache(struct predictor *p, int64_t rows);
float *predict_need_logits(struct predictor *p, int64_t rows);
/* Runs the batch that is there: logits (n, V) at its rows ROW. CACHED: over the cache. */
MUST_USE int predict_infer(struct predictor *p, bool cached, const int32_t *row, int64_t n);

#endif
