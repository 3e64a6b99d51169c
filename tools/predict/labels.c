/*
 * labels.c - probabilities over a set of labels.
 *
 * A label is scored by the tokens of its answer in the header, as promptify writes completions
 * (without answers: of a space and its name): the sum of log P(token | prompt, tokens before). The
 * prompts of a batch go through the model once, and then once through the tree of the answers'
 * tokens: what answers begin with in common is looked at once.
 */
#include "predict.h"

#include "choices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct label_state {
    int n;
    struct choices choices;
    const struct choice **path; /* (n) the same in lexicographic order */
    bool said;                  /* what is scored where the header has no answers */
    double *prior; /* (n) log-probability without a prompt; zeros unless --normalize prior */
};

/* How many tokens A and B begin with in common. */
static int64_t common(const struct choice *a, const struct choice *b)
{
    int64_t n = 0;

    while (n < a->n && n < b->n && a->ids[n] == b->ids[n])
        n++;
    return n;
}

static int by_ids(const void *a, const void *b)
{
    const struct choice *x = *(const struct choice *const *)a,
                        *y = *(const struct choice *const *)b;
    const int64_t n = common(x, y);

    if (n == x->n || n == y->n)
        return (x->n > y->n) - (x->n < y->n);
    return x->ids[n] < y->ids[n] ? -1 : 1;
}

/* IDS (labels): of every label that begins like the first DEPTH tokens of answer A, its next; -1 of
 * the others. */
static void next_ids(const struct label_state *s, const struct choice *a, int64_t depth,
                     int32_t *ids)
{
    for (int l = 0; l < s->n; l++) {
        const struct choice *b = &s->choices.of[l];
        const bool goes_on = b->n > depth && common(a, b) >= depth;

        ids[l] = goes_on ? (int32_t)b->ids[depth] : -1;
    }
}

/* Adds what a row says of IDS to the SCORE of their labels. */
static void add_scores(const struct label_state *s, const int32_t *ids, const double *logp,
                       double *score)
{
    for (int l = 0; l < s->n; l++)
        if (ids[l] >= 0)
            score[l] += logp[l];
}

/* How many tokens of A the prompts have been led through for BEFORE: all that it begins with like
 * it, but not its last, which nothing follows. */
static int64_t depth_behind(const struct choice *before, const struct choice *a)
{
    const int64_t n = common(before, a);

    return n < before->n ? n : before->n - 1;
}

/* Leads N prompts through the tokens of A from DEPTH on, but the last, which nothing follows. */
static int score_path(struct predictor *p, const struct prompt *prompts, int n,
                      const struct choice *a, int64_t depth, double *score)
{
    const struct label_state *s = p->state;
    const int64_t len = a->n - 1 - depth;
    int32_t *row = xnmalloc((size_t)(n * len), sizeof *row);
    int32_t *ids = xnmalloc((size_t)(n * len) * (size_t)s->n, sizeof *ids);

    batch_clear(&p->batch);
    for (int i = 0; i < n; i++)
        prompts_extend(&p->batch, &prompts[i], depth, a->ids + depth, len);
    for (int32_t i = 0; i < (int32_t)p->batch.tokens; i++) {
        row[i] = i;
        next_ids(s, a, depth + 1 + i % len, ids + (int64_t)i * s->n);
    }
    const int rc = predict_select(p, row, p->batch.tokens, ids, s->n);

    for (int64_t i = 0; rc == 0 && i < n * len; i++)
        add_scores(s, ids + i * s->n, p->said.logp + i * s->n, score + i / len * s->n);
    free(row);
    free(ids);
    return rc;
}

/* The prompts themselves, and what they say of the first tokens. */
static int score_first(struct predictor *p, struct prompt *prompts, int n, int64_t shared,
                       double *score)
{
    const struct label_state *s = p->state;
    int32_t *row = xnmalloc((size_t)n, sizeof *row);
    int32_t *ids = xnmalloc((size_t)n * (size_t)s->n, sizeof *ids);
    int rc = predict_begin(p, prompts, n, shared, row);

    for (int i = 0; i < n; i++)
        next_ids(s, s->path[0], 0, ids + i * s->n);
    if (rc == 0)
        rc = predict_select(p, row, n, ids, s->n);
    for (int i = 0; rc == 0 && i < n; i++)
        add_scores(s, ids + i * s->n, p->said.logp + i * s->n, score + i * s->n);
    free(row);
    free(ids);
    return rc;
}

/*
 * The tree of the answers' tokens, path by path in lexicographic order: keys of the tokens that an
 * answer shares with the one before it are there, and what may follow them has been looked at.
 */
static int score_prompts(struct predictor *p, struct prompt *prompts, int n, int64_t shared,
                         double *score)
{
    const struct label_state *s = p->state;
    int rc;

    for (int i = 0; i < n * s->n; i++)
        score[i] = 0;
    rc = score_first(p, prompts, n, shared, score);
    for (int l = 0; rc == 0 && l < s->n; l++) {
        const struct choice *a = s->path[l];
        const int64_t depth = l ? depth_behind(s->path[l - 1], a) : 0, len = a->n - 1 - depth;
        const int most =
            len < p->opt->batch_tokens ? (int)(p->opt->batch_tokens / (len > 1 ? len : 1)) : 1;

        for (int i = 0; rc == 0 && len > 0 && i < n; i += most)
            rc =
                score_path(p, prompts + i, n - i < most ? n - i : most, a, depth, score + i * s->n);
    }
    return rc;
}

/* Softmax of the normalised scores of one record, and the first label with the largest. */
static void set_fields(const struct predictor *p, const struct pending *item, double *score)
{
    const struct label_state *s = p->state;
    const bool by_length = !strcmp(p->opt->normalize, "length");
    float *prob = xnmalloc((size_t)s->n, sizeof *prob);
    double sum = 0;
    int best = 0;

    for (int l = 0; l < s->n; l++) {
        score[l] = by_length ? score[l] / (double)s->choices.of[l].n : score[l] - s->prior[l];
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

/* After the first batch, so that a run that fails at once has one line to say. */
static void say_answers(const struct predictor *p)
{
    struct label_state *s = p->state;

    if (!s->said)
        labels_warn_guessed(p->labels);
    s->said = true;
}

static int run(struct predictor *p, struct prompt *prompts, int n, int64_t shared)
{
    const struct label_state *s = p->state;
    double *score = xnmalloc((size_t)n * (size_t)s->n, sizeof *score);
    const int rc = score_prompts(p, prompts, n, shared, score);

    for (int i = 0; rc == 0 && i < n; i++)
        set_fields(p, prompts[i].owner, score + i * s->n);
    if (rc == 0)
        say_answers(p);
    free(score);
    return rc;
}

/* Mutual information instead of probability: what the label has without a prompt, after the token
 * that begins a text alone, is taken off (acc_mutual_info of lm-evaluation-harness). */
static int find_prior(struct predictor *p)
{
    struct label_state *s = p->state;
    const int64_t bos = model_config(p->model)->bos;
    uint32_t id = (uint32_t)bos;
    struct prompt empty = { .ids = &id, .n = 1 };

    if (bos < 0)
        return err_set(EXIT_DATA,
                       "--normalize prior: config.json names no bos_token_id; use none or length");
    if (model_check_ids(p->model, &id, 1, p->more) < 0)
        return err_in("bos_token_id");
    return score_prompts(p, &empty, 1, 0, s->prior);
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
    if (n > MODEL_SELECT_MAX)
        return err_set(EXIT_DATA, "%d labels are more than %d", n, MODEL_SELECT_MAX);
    if (choices_encode(&s->choices, p->labels->name, p->labels->answer, n, p->tok) < 0)
        return p->tok ? -1 : err_in("%s", pack_name(model_pack(p->model)));
    s->n = n;
    s->path = xnmalloc((size_t)n, sizeof(struct choice *));
    s->prior = xcalloc((size_t)n, sizeof *s->prior);
    for (int l = 0; l < n; l++) {
        const struct choice *a = s->path[l] = &s->choices.of[l];

        if (model_check_ids(p->model, a->ids, a->n, 0) < 0)
            return err_in("label '%s'", p->labels->name[l]);
    }
    p->more = s->choices.longest;
    qsort(s->path, (size_t)n, sizeof(struct choice *), by_ids);
    return strcmp(p->opt->normalize, "prior") == 0 ? find_prior(p) : 0;
}

static void end(struct predictor *p)
{
    struct label_state *s = p->state;

    choices_free(&s->choices);
    free(s->path);
    free(s->prior);
    free(s);
}

const struct mode mode_labels = { .name = "labels", .begin = begin, .run = run, .end = end };
