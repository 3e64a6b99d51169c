#include "train_feed.h"

#include "mem.h"
#include "stop.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { BUDGET_MIN = 256, BUDGET_MAX = 1024, BUDGET_MAX_DEVICE = 16384, BUDGET_STEP = 64 };
#define KEPT_BYTES ((size_t)1 << 30)

/* Bytes for the activations of a batch: on a device a quarter of what model and optimiser leave of
 * its memory. Of all of it, not of what is free, so that the same card has the same batches. */
static size_t kept_bytes(const struct memory_use *use, const struct memory_plan *plan)
{
    const size_t taken = use->stored + plan->lora;

    if (!use->total)
        return KEPT_BYTES;
    return taken < use->total ? (use->total - taken) / 4 : 0;
}

int64_t feed_budget(const struct model *m, const struct lora_set *l)
{
    struct memory_use use;
    struct memory_plan plan;
    int64_t tokens = BUDGET_MIN;

    model_ops(m)->memory_use(&use);
    const int64_t most = use.total ? BUDGET_MAX_DEVICE : BUDGET_MAX;

    for (int64_t more = BUDGET_MIN; more <= most; more += BUDGET_STEP) {
        model_plan(m, more, true, l, &plan);
        if (plan.activations > kept_bytes(&use, &plan))
            break;
        tokens = more;
    }
    return tokens;
}

static const struct train_record *pick(const struct train_set *set, const int64_t *record,
                                       int64_t i)
{
    return &set->v[record ? record[i] : i];
}

/* Whether a batch that holds TOKENS ends before a record of ROWS. */
static bool is_full(int64_t tokens, int64_t rows, int64_t budget)
{
    return tokens && tokens + rows > budget;
}

int64_t feed_largest(const struct train_set *set, const int64_t *record, int64_t n, int64_t more,
                     int64_t budget)
{
    int64_t tokens = 0, largest = 0;

    for (int64_t i = 0; i < n; i++) {
        const int64_t rows = batch_rows(pick(set, record, i)->n) + more;

        tokens = (is_full(tokens, rows, budget) ? 0 : tokens) + rows;
        largest = tokens > largest ? tokens : largest;
    }
    return largest;
}

void feed_init(struct train_feed *f, struct model *m, int64_t budget, uint64_t seed,
               struct label_eval *labels)
{
    *f = (struct train_feed){ .model = m,
                              .budget = budget,
                              .seed = seed,
                              .scale = 1,
                              .labels = labels,
                              .batch = BATCH_INIT };
}

void feed_free(struct train_feed *f)
{
    batch_free(&f->batch);
    free(f->nll);
}

/* The sum of one sequence of the batch, over its rows in their order. */
static double sum_rows(const struct train_feed *f, const struct seq *s)
{
    double sum = 0;

    for (int32_t i = 0; i < s->q_len; i++)
        sum += (double)f->nll[s->q_start + i];
    return sum;
}

/* Rows of a record beside its own. */
static int64_t more_rows(const struct train_feed *f, bool train)
{
    return f->labels && !train ? label_eval_rows(f->labels) : 0;
}

/* Runs what has been gathered: records I .. of the list, in the batch's order. */
static int run_batch(struct train_feed *f, const struct train_set *set, const int64_t *record,
                     int64_t i, bool train, double *sum)
{
    struct batch *b = &f->batch;
    const int64_t n = b->seqs, tokens = b->tokens + n * more_rows(f, train);
    int rc;

    f->nll = xnrealloc(f->nll, (size_t)tokens, sizeof *f->nll);
    if (train)
        rc = model_train_batch(f->model, b, f->seed, f->nll);
    else if (f->labels)
        rc = label_eval_run(f->labels, f->model, b, &set->v[i], n, f->nll, &f->right);
    else
        rc = model_loss_batch(f->model, b, f->nll, NULL);
    for (int64_t s = 0; s < n; s++) {
        sum[i + s] = sum_rows(f, &b->seq[s]);
        if (rc < 0 && err_code() == EXIT_NUMERIC && !f->culprit && !isfinite(sum[i + s]))
            f->culprit = pick(set, record, i + s);
    }
    batch_clear(b);
    return rc;
}

int feed_run(struct train_feed *f, const struct train_set *set, const int64_t *record, int64_t n,
             const double *weight, int64_t first_sample, double *sum)
{
    const int64_t more = more_rows(f, weight != NULL);
    int64_t start = 0, tokens = 0;

    assert(weight || !record); /* labels are looked at in the order of the set */
    batch_clear(&f->batch);
    f->right = 0;
    for (int64_t i = 0; i < n; i++) {
        const struct train_record *x = pick(set, record, i);
        const int64_t rows = batch_rows(x->n) + more;

        if (is_full(tokens, rows, f->budget)) {
            if (run_batch(f, set, record, start, weight != NULL, sum) < 0)
                return -1;
            if (!weight && stop_asked())
                return 1;
            start = i;
            tokens = 0;
        }
        tokens += rows;
        batch_add(&f->batch, train_record_ids(set, x), x->n, x->first_target,
                  weight ? (float)(weight[i] * f->scale) : 0, (uint32_t)(first_sample + i));
    }
    return n ? run_batch(f, set, record, start, weight != NULL, sum) : 0;
}

int feed_blame(const struct train_feed *f)
{
    return f->culprit ? err_in("%s:%" PRIu64, f->culprit->source, f->culprit->id) : -1;
}
