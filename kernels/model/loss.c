/* loss.c - batches with targets: training and evaluation. */
#include "mem.h"
#include "pass.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static void pick_targets(struct picked *k, const struct batch *b)
{
    *k = (struct picked){ .row = xnmalloc((size_t)b->tokens, sizeof *k->row),
                          .target = xnmalloc((size_t)b->tokens, sizeof *k->target),
                          .weight = xnmalloc((size_t)b->tokens, sizeof *k->weight) };
    for (int32_t i = 0; i < (int32_t)b->tokens; i++)
        if (b->target[i] >= 0) {
            k->row[k->n] = i;
            k->target[k->n] = b->target[i];
            k->weight[k->n++] = b->weight[i];
        }
}

static void picked_free(struct picked *k)
{
    free(k->row);
    free(k->target);
    free(k->weight);
}

/* What the head left on the device, spread over the rows of the batch; BEST may be NULL. */
static int fetch(const struct pass *p, const struct picked *k, float *nll, int32_t *best)
{
    const struct model *m = p->model;
    float *packed = xnmalloc((size_t)k->n, sizeof *packed);
    int32_t *ids = xnmalloc((size_t)k->n, sizeof *ids);
    int rc = m->ops->get(packed, m->acts.nll, (size_t)k->n * sizeof *packed);

    if (rc == 0 && best)
        rc = m->ops->get(ids, m->acts.best, (size_t)k->n * sizeof *ids);
    for (int64_t i = 0; rc == 0 && i < k->n; i++) {
        nll[k->row[i]] = packed[i];
        if (best)
            best[k->row[i]] = ids[i];
    }
    free(packed);
    free(ids);
    return rc;
}

static int check_finite(const struct pass *p, const float *nll)
{
    int64_t i = 0;
    int layer;

    while (i < p->rows.tokens && isfinite(nll[i]))
        i++;
    if (i == p->rows.tokens)
        return 0;
    if (!p->model->acts.train) /* the layers share their memory: nothing is left to look at */
        return err_set(EXIT_NUMERIC,
                       "the loss is not a finite number; is the adapter sound, and the model?");
    if (pass_find_bad_layer(p, &layer) < 0)
        return -1;
    if (layer > (int)p->model->config.layers)
        return err_set(EXIT_NUMERIC,
                       "the loss is not a finite number, behind the last layer; try a lower "
                       "learning rate");
    return err_set(
        EXIT_NUMERIC,
        "the loss is not a finite number: layer %d gives the first value that is none; try "
        "a lower learning rate",
        layer - 1);
}

static int run(struct model *m, const struct batch *b, bool train, uint64_t seed, float *nll,
               int32_t *best)
{
    struct picked k;
    struct pass p;
    int rc = pass_begin(&p, m, b);

    pick_targets(&k, b);
    p.train = train;
    p.seed = seed;
    for (int64_t i = 0; i < b->tokens; i++) {
        nll[i] = 0;
        if (best)
            best[i] = -1;
    }
    if (rc == 0 && k.n > 0) { /* without a target there is nothing to learn or to say */
        const struct arch *arch = m->config.arch;

        if (arch->forward(&p) < 0 || head_loss_pass(&p, &k, best != NULL, train) < 0 ||
            fetch(&p, &k, nll, best) < 0 || check_finite(&p, nll) < 0 ||
            (train && arch->backward(&p) < 0))
            rc = -1;
    }
    picked_free(&k);
    return rc;
}

int model_train_batch(struct model *m, const struct batch *b, uint64_t seed, float *nll)
{
    assert(m->lora && m->lora->g && m->acts.train);
    return run(m, b, true, seed, nll, NULL);
}

int model_loss_batch(struct model *m, const struct batch *b, float *nll, int32_t *best)
{
    return run(m, b, false, 0, nll, best);
}
