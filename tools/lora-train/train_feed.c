#include "train_feed.h"

#include "mem.h"
#include "stop.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { BUDGET_MIN = 256, BUDGET_MAX = 1024, BUDGET_STEP = 64 };
#define KEPT_BYTES ((size_t)1 << 30)

int64_t feed_budget(const struct model *m, const struct lora_set *l)
{
    struct memory_plan plan;
    int64_t tokens = BUDGET_MIN;

    for (int64_t more = BUDGET_MIN; more <= BUDGET_MAX; more += BUDGET_STEP) {
        model_plan(m, more, true, l, &plan);
        if (plan.activations <= KEPT_BYTES)
            tokens = more;
    }
    return tokens;
}

static const struct train_record *pick(const struct train_set *set, const int64_t *record,
                                       int64_t i)
{
    return &set->v[record ? record[i] : i];
}

/* Whether a batch that holds TOKENS ends before record X. */
static bool is_full(int64_t tokens, const struct train_record *x, int64_t budget)
{
    return tokens && tokens + batch_rows(x->n) > budget;
}

int64_t feed_largest(const struct train_set *set, const int64_t *record, int64_t n, int64_t budget)
{
    int64_t tokens = 0, largest = 0;

    for (int64_t i = 0; i < n; i++) {
        const struct train_record *x = pick(set, record, i);

        tokens = (is_full(tokens, x, budget) ? 0 : tokens) + batch_rows(x->n);
        largest = tokens > largest ? tokens : largest;
    }
    return largest;
}

void feed_init(struct feed *f, struct model *m, int64_t budget, uint64_t seed)
{
    *f = (struct feed){ .model = m, .budget = budget, .seed = seed, .batch = BATCH_INIT };
}

void feed_free(struct feed *f)
{
    batch_free(&f->batch);
    free(f->nll);
}

/* The sum of one sequence of the batch, over its rows in their order. */
static double sum_rows(const struct feed *f, const struct seq *s)
{
    double sum = 0;

    for (int32_t i = 0; i < s->q_len; i++)
        sum += (double)f->nll[s->q_start + i];
    return sum;
}

/* Runs what has been gathered: records I .. of the list, in the batch's order. */
static int run_batch(struct feed *f, const struct train_set *set, const int64_t *record, int64_t i,
                     bool train, double *sum)
{
    struct batch *b = &f->batch;

    f->nll = xnrealloc(f->nll, (size_t)b->tokens, sizeof *f->nll);
    const int rc = train ? model_train_batch(f->model, b, f->seed, f->nll)
                         : model_loss_batch(f->model, b, f->nll, NULL);

    for (int64_t s = 0; s < b->seqs; s++) {
        sum[i + s] = sum_rows(f, &b->seq[s]);
        if (rc < 0 && err_code() == EXIT_NUMERIC && !f->culprit && !isfinite(sum[i + s]))
            f->culprit = pick(set, record, i + s);
    }
    batch_clear(b);
    return rc;
}

int feed_run(struct feed *f, const struct train_set *set, const int64_t *record, int64_t n,
             const double *weight, int64_t first_sample, double *sum)
{
    int64_t start = 0;

    batch_clear(&f->batch);
    for (int64_t i = 0; i < n; i++) {
        const struct train_record *x = pick(set, record, i);

        if (is_full(f->batch.tokens, x, f->budget)) {
            if (run_batch(f, set, record, start, weight != NULL, sum) < 0)
                return -1;
            if (!weight && stop_asked())
                return 1;
            start = i;
        }
        batch_add(&f->batch, train_record_ids(set, x), x->n, x->first_target,
                  weight ? (float)weight[i] : 0, (uint32_t)(first_sample + i));
    }
    return n ? run_batch(f, set, record, start, weight != NULL, sum) : 0;
}

int feed_blame(const struct feed *f)
{
    return f->culprit ? err_in("%s:%" PRIu64, f->culprit->source, f->culprit->id) : -1;
}
