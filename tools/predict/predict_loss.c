/* predict_loss.c - what a record costs in nats a token, and the raw logits after its prompt. */
#include "predict.h"

#include <stdlib.h>
#include <string.h>

/* The first token that counts: the completion's, or the second where there is none. */
static int64_t first_target(const struct predictor *p, const struct pending *item)
{
    const bool all = !strcmp(p->opt->loss, "all") || item->n_prompt == item->n;

    return all || item->n_prompt < 1 ? 1 : item->n_prompt;
}

/* Q is the sequence of ITEM, NLL the losses of its batch. */
static void set_loss(const struct predictor *p, struct pending *item, const struct seq *q,
                     const float *nll)
{
    const int64_t first = first_target(p, item);
    double sum = 0;

    for (int64_t i = first - 1; i < item->n - 1; i++)
        sum += (double)nll[q->q_start + i];
    record_set_float(item->rec, "loss", sum / (double)(item->n - first));
    record_set_uint(item->rec, "n_loss", (uint64_t)(item->n - first));
}

static int run_loss(struct predictor *p, struct prompt *prompts, int n, int64_t shared)
{
    struct batch *b = &p->batch;

    (void)shared;
    batch_clear(b);
    for (int i = 0; i < n; i++)
        batch_add(b, prompts[i].ids, prompts[i].n, first_target(p, prompts[i].owner), 1, 0);
    float *nll = xnmalloc((size_t)b->tokens, sizeof *nll);
    int rc = model_reserve(p->model, b->tokens, false);

    if (rc == 0)
        rc = model_loss_batch(p->model, b, nll, NULL);
    for (int i = 0; rc == 0 && i < n; i++)
        set_loss(p, prompts[i].owner, &b->seq[i], nll);
    free(nll);
    return rc;
}

static int run_logits(struct predictor *p, struct prompt *prompts, int n, int64_t shared)
{
    const int64_t V = model_config(p->model)->vocab;
    int32_t *row = xnmalloc((size_t)n, sizeof *row);
    float *logits = xnmalloc((size_t)(n * V), sizeof *logits);
    int rc = predict_begin(p, prompts, n, shared, row);

    if (rc == 0)
        rc = model_infer(p->model, &p->batch, p->prompts.kv, row, n, logits);
    for (int i = 0; rc == 0 && i < n; i++) {
        const struct pending *item = prompts[i].owner;

        record_set_f32(item->rec, "logits", logits + i * V, (size_t)V);
    }
    free(logits);
    free(row);
    return rc;
}

const struct mode mode_loss = { .name = "loss", .whole = true, .run = run_loss };
const struct mode mode_logits = { .name = "logits", .run = run_logits };
