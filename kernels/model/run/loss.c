/* loss.c - batches with targets: training and evaluation. */
#include "run/model_parts.h"

#include "mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rows of a batch that have a target, and at the end those that more is asked of. */
struct targets {
    int64_t n;
    int32_t *row, *target;
    float *weight;
};

struct asked {
    int64_t n;
    const int32_t *row; /* (n) */
    const struct selected *s;
};

static void add_target(struct targets *t, const struct batch *b, int32_t row)
{
    t->row[t->n] = row;
    t->target[t->n] = b->target[row];
    t->weight[t->n++] = b->weight[row];
}

static struct targets find_targets(const struct batch *b, const struct asked *a)
{
    struct targets t = { .row = xnmalloc((size_t)b->tokens, sizeof *t.row),
                         .target = xnmalloc((size_t)b->tokens, sizeof *t.target),
                         .weight = xnmalloc((size_t)b->tokens, sizeof *t.weight) };
    bool *later = xcalloc((size_t)b->tokens, sizeof *later);

    for (int64_t i = 0; i < a->n; i++)
        later[a->row[i]] = true;
    for (int32_t i = 0; i < (int32_t)b->tokens; i++)
        if (b->target[i] >= 0 && !later[i])
            add_target(&t, b, i);
    for (int64_t i = 0; i < a->n; i++)
        add_target(&t, b, a->row[i]);
    free(later);
    return t;
}

static void targets_free(struct targets *t)
{
    free(t->row);
    free(t->target);
    free(t->weight);
}

/* What the head left on the device, spread over the rows of the batch; BEST may be NULL. */
static int fetch(const struct pass *p, const struct targets *t, float *nll, int32_t *best)
{
    const size_t words = (size_t)t->n * (best ? 2 : 1);
    uint32_t *host = xnmalloc(words, sizeof *host);
    const int rc = p->e->ops->get(host, p->e->acts.result, words * sizeof *host);

    for (int64_t i = 0; rc == 0 && i < t->n; i++) {
        memcpy(&nll[t->row[i]], &host[i], sizeof *nll);
        if (best)
            best[t->row[i]] = (int32_t)host[t->n + i];
    }
    free(host);
    return rc;
}

static int check_finite(const struct pass *p, const float *nll)
{
    int64_t i = 0;
    int layer;

    while (i < p->all.tokens && isfinite(nll[i]))
        i++;
    if (i == p->all.tokens)
        return 0;
    if (!p->e->acts.train) /* the layers share their memory: nothing is left to look at */
        return err_set(EXIT_NUMERIC,
                       "the loss is not a finite number; is the adapter sound, and the model?%s",
                       float16_advice(p->e));
    if (pass_find_bad_layer(p, &layer) < 0)
        return -1;
    if (layer > (int)p->e->config->layers)
        return err_set(EXIT_NUMERIC,
                       "the loss is not a finite number, behind the last layer; try a lower "
                       "learning rate%s",
                       float16_advice(p->e));
    return err_set(
        EXIT_NUMERIC,
        "the loss is not a finite number: layer %d gives the first value that is none; try "
        "a lower learning rate%s",
        layer - 1, float16_advice(p->e));
}

/* Forward, loss, backward of the rows with targets. */
static int run_pass(struct pass *p, const struct targets *t, float *nll, int32_t *best)
{
    const struct ops *ops = p->e->ops;

    if (ops->begin(0) < 0 || pass_forward(p) < 0 ||
        block_head_loss(p, best != NULL, p->train) < 0 || ops->end(true) < 0 ||
        fetch(p, t, nll, best) < 0 || check_finite(p, nll) < 0)
        return -1;
    if (!p->train)
        return 0;
    return ops->begin(0) < 0 || pass_backward(p) < 0 ? -1 : ops->end(true);
}

static int run(struct model *m, const struct batch *b, bool train, uint64_t seed, float *nll,
               int32_t *best, const struct asked *a)
{
    struct targets t = find_targets(b, a);
    struct pass p;
    int rc = 0;

    for (int64_t i = 0; i < b->tokens; i++) {
        nll[i] = 0;
        if (best)
            best[i] = -1;
    }
    if (t.n > 0) { /* without a target there is nothing to learn or to say */
        rc = pass_begin(&p, m, b, &(struct picked){ t.n, t.row, t.target, t.weight }, NULL);
        p.train = train;
        p.seed = seed;
        if (rc == 0)
            rc = run_pass(&p, &t, nll, best);
        if (rc == 0 && a->n)
            rc = pass_select(&p, t.n - a->n, a->s);
    }
    targets_free(&t);
    return rc;
}

int model_train_batch(struct model *m, const struct batch *b, uint64_t seed, float *nll)
{
    assert(m->e.lora && m->e.lora->g && m->e.acts.train);
    return run(m, b, true, seed, nll, NULL, &(struct asked){ 0 });
}

int model_loss_batch(struct model *m, const struct batch *b, float *nll, int32_t *best)
{
    return run(m, b, false, 0, nll, best, &(struct asked){ 0 });
}

int model_loss_select(struct model *m, const struct batch *b, float *nll, const int32_t *out_rows,
                      int64_t n_out, const struct selected *s)
{
    return run(m, b, false, 0, nll, NULL, &(struct asked){ n_out, out_rows, s });
}
