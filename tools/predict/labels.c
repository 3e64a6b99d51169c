/*
 * labels.c - probabilities over a set of labels.
 *
 * A label is scored by the tokens of its answer in the header, as promptify writes completions
 * (without answers: of a space and its name): the sum of log P(token | prompt, tokens before). The
 * prompts of a batch go through the model once; first tokens are read off there, further ones are
 * run as branches that share the prompt's keys.
 */
#include "predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BRANCH_ROWS = 64 }; /* rows of logits that are on the host at a time */

struct answer { /* tokens of one label */
    uint32_t *ids;
    int64_t n;
};

struct label_state {
    int n;
    struct answer *answer; /* (n) */
    double *prior;   /* (n) log-probability without a prompt; zeros unless --normalize prior */
    int64_t longest; /* tokens of the longest answer */
};

struct branch { /* an answer of several tokens after one prompt */
    int item, label;
};

static int64_t tokens(const struct predictor *p, const struct item *item)
{
    return item->n_prompt + ((const struct label_state *)p->state)->longest;
}

/* Log of the sum of exponentials, in double: logits[id] less this is log P(id). */
static double log_sum(const float *logits, int64_t vocab)
{
    double top = (double)logits[0], sum = 0;

    for (int64_t i = 1; i < vocab; i++)
        top = fmax(top, (double)logits[i]);
    for (int64_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - top);
    return top + log(sum);
}

/* One pass over the prompts: log-probabilities of the first tokens, into SCORE (n, labels). */
static int score_first_tokens(struct predictor *p, const struct item *items, int n, double *score,
                              bool cached)
{
    const struct label_state *s = p->state;
    const int64_t V = model_config(p->model)->vocab;
    int32_t *row = xnmalloc((size_t)n, sizeof *row);
    int32_t start = 0;

    batch_clear(&p->batch);
    for (int i = 0; i < n; i++) {
        const int32_t len = (int32_t)items[i].n_prompt;

        batch_add_cached(&p->batch, items[i].ids, len, 0,
                         &(struct seq){ .k_start = start, .k_len = len });
        start += len;
        row[i] = start - 1;
    }
    const int rc = predict_infer(p, cached, row, n);

    for (int i = 0; rc == 0 && i < n; i++) {
        const float *logits = p->logits + i * V;
        const double whole = log_sum(logits, V);

        for (int l = 0; l < s->n; l++)
            score[i * s->n + l] = (double)logits[s->answer[l].ids[0]] - whole;
    }
    free(row);
    return rc;
}

/* Runs the branches that were collected in the batch and adds what they say to SCORE. */
static int score_branches(struct predictor *p, const struct branch *branches, int n, double *score)
{
    const struct label_state *s = p->state;
    const int64_t V = model_config(p->model)->vocab;
    int32_t *row = xnmalloc((size_t)p->batch.tokens, sizeof *row);

    for (int32_t i = 0; i < (int32_t)p->batch.tokens; i++)
        row[i] = i;
    const int rc = predict_infer(p, true, row, p->batch.tokens);
    const float *at = p->logits;

    for (int i = 0; rc == 0 && i < n; i++) {
        const struct answer *a = &s->answer[branches[i].label];
        double *sum = &score[branches[i].item * s->n + branches[i].label];

        for (int64_t t = 1; t < a->n; t++, at += V)
            *sum += (double)at[a->ids[t]] - log_sum(at, V);
    }
    free(row);
    return rc;
}

/* The tokens behind the first, on the cache whose first ROWS score_first_tokens filled. */
static int score_later_tokens(struct predictor *p, const struct item *items, int n, double *score,
                              int32_t rows)
{
    const struct label_state *s = p->state;
    struct branch branches[BRANCH_ROWS];
    int32_t shared = 0;
    int waiting = 0, rc = 0;

    batch_clear(&p->batch);
    for (int i = 0; rc == 0 && i < n; shared += (int32_t)items[i++].n_prompt)
        for (int l = 0; rc == 0 && l < s->n; l++) {
            const struct answer *a = &s->answer[l];
            const int32_t len = (int32_t)a->n - 1;

            if (len == 0)
                continue;
            if (waiting && p->batch.tokens + len > BRANCH_ROWS) {
                rc = score_branches(p, branches, waiting, score);
                batch_clear(&p->batch);
                waiting = 0;
            }
            batch_add_cached(&p->batch, a->ids, len, items[i].n_prompt,
                             &(struct seq){ .k_start = rows + (int32_t)p->batch.tokens,
                                            .k_len = len,
                                            .shared_start = shared,
                                            .shared_len = (int32_t)items[i].n_prompt });
            branches[waiting++] = (struct branch){ i, l };
        }
    if (rc == 0 && waiting)
        rc = score_branches(p, branches, waiting, score);
    return rc;
}

static int score_items(struct predictor *p, const struct item *items, int n, double *score)
{
    const struct label_state *s = p->state;
    int64_t rows = 0;

    if (s->longest == 1)
        return score_first_tokens(p, items, n, score, false);
    for (int i = 0; i < n; i++)
        rows += items[i].n_prompt;
    if (predict_need_cache(p, rows + (s->longest > BRANCH_ROWS ? s->longest : BRANCH_ROWS)) < 0 ||
        score_first_tokens(p, items, n, score, true) < 0)
        return -1;
    return score_later_tokens(p, items, n, score, (int32_t)rows);
}

/* Softmax of the normalised scores of one record, and the first label with the largest. */
static void set_fields(const struct predictor *p, struct item *item, double *score)
{
    const struct label_state *s = p->state;
    const bool by_length = !strcmp(p->opt->normalize, "length");
    float *prob = xnmalloc((size_t)s->n, sizeof *prob);
    double sum = 0;
    int best = 0;

    for (int l = 0; l < s->n; l++) {
        score[l] = by_length ? score[l] / (double)s->answer[l].n : score[l] - s->prior[l];
        if (score[l] > score[best])
            best = l;
    }
    for (int l = 0; l < s->n; l++)
        sum += exp(score[l] - score[best]);
    for (int l = 0; l < s->n; l++)
        prob[l] = (float)(exp(score[l] - score[best]) / sum);
    record_set_text(item->rec, "pred", p->labels->name[best], strlen(p->labels->name[best]));
    record_set_f32(item->rec, "scores", prob, (size_t)s->n);
    free(prob);
}

static int run(struct predictor *p, struct item *items, int n)
{
    const struct label_state *s = p->state;
    double *score = xnmalloc((size_t)n * (size_t)s->n, sizeof *score);
    const int rc = score_items(p, items, n, score);

    for (int i = 0; rc == 0 && i < n; i++)
        set_fields(p, &items[i], score + i * s->n);
    free(score);
    return rc;
}

static int encode_label(struct predictor *p, int l)
{
    struct label_state *s = p->state;
    struct answer *a = &s->answer[l];
    struct buf text = BUF_INIT;
    const uint32_t *ids;
    size_t n;

    if (p->labels->answer)
        buf_puts(&text, p->labels->answer[l]);
    else
        buf_printf(&text, " %s", p->labels->name[l]);
    const int rc = tokenizer_encode(p->tok, p->scratch, text.p, text.n, &ids, &n);

    buf_free(&text);
    if (rc == 0 && n == 0)
        return err_set(EXIT_DATA, "its answer has no tokens");
    if (rc < 0 || model_check_ids(p->model, ids, (int64_t)n, 0) < 0)
        return -1;
    a->n = (int64_t)n;
    a->ids = xnmalloc(n, sizeof *a->ids);
    memcpy(a->ids, ids, n * sizeof *ids);
    if (a->n > s->longest)
        s->longest = a->n;
    for (int i = 0; i < l; i++)
        if (s->answer[i].n == a->n && !memcmp(s->answer[i].ids, a->ids, n * sizeof *ids))
            return err_set(EXIT_DATA, "has the same tokens as label '%s'", p->labels->name[i]);
    return 0;
}

/* Mutual information instead of probability: what the label has without a prompt, after the token
 * that begins a text alone, is taken off (acc_mutual_info of lm-evaluation-harness). */
static int find_prior(struct predictor *p)
{
    struct label_state *s = p->state;
    const int64_t bos = model_config(p->model)->bos;
    uint32_t id = (uint32_t)bos;
    const struct item empty = { .ids = &id, .n = 1, .n_prompt = 1 };

    if (bos < 0)
        return err_set(EXIT_DATA, "--normalize prior: config.json names no bos_token_id");
    if (model_check_ids(p->model, &id, 1, s->longest) < 0)
        return err_in("bos_token_id");
    return score_items(p, &empty, 1, s->prior);
}

static int begin(struct predictor *p)
{
    const int n = p->labels->n;
    struct label_state *s = xcalloc(1, sizeof *s);

    p->state = s;
    if (n == 0)
        return err_set(EXIT_DATA,
                       "the stream names no labels, so there is nothing to choose from; use "
                       "--mode generate, or give it labels with split-stratified or peek --labels");
    if (!p->tok)
        return err_set(
            EXIT_NOINPUT,
            "the model has no tokenizer, which labels need; copy tokenizer.json beside its "
            "config.json");
    s->n = n;
    s->answer = xcalloc((size_t)n, sizeof *s->answer);
    s->prior = xcalloc((size_t)n, sizeof *s->prior);
    for (int l = 0; l < n; l++)
        if (encode_label(p, l) < 0)
            return err_in("label '%s'", p->labels->name[l]);
    return strcmp(p->opt->normalize, "prior") == 0 ? find_prior(p) : 0;
}

static void end(struct predictor *p)
{
    struct label_state *s = p->state;

    for (int l = 0; l < s->n; l++)
        free(s->answer[l].ids);
    free(s->answer);
    free(s->prior);
    free(s);
}

const struct mode mode_labels = {
    .name = "labels", .begin = begin, .tokens = tokens, .run = run, .end = end
};
