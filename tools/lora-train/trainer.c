#include "trainer.h"

#include "feed.h"
#include "mem.h"
#include "progress.h"
#include "saves.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* per_device_eval_batch_size's default: eval_loss is a mean of the means of such batches. */
enum { EVAL_BATCH = 8 };

struct run {
    const struct trainer *t;
    struct feed feed;
    struct optim_step optim;
    double *weight, *sum; /* (uses of the largest window, or eval records) */
    char remark[40];      /* beside the progress bar */
};

/* ---- windows: the records of one optimiser step ---- */

static int64_t first_use(const struct order *o, const struct order_step *s)
{
    return o->micro[s->first];
}

static int64_t count_uses(const struct order *o, const struct order_step *s)
{
    return o->micro[s->first + s->micros] - first_use(o, s);
}

static const struct train_record *used(const struct trainer *t, int64_t use)
{
    return &t->sets->train.v[t->order->record[use]];
}

static int64_t count_tokens(const struct trainer *t, const struct order_step *s)
{
    const int64_t first = first_use(t->order, s), n = count_uses(t->order, s);
    int64_t tokens = 0;

    for (int64_t i = 0; i < n; i++)
        tokens += used(t, first + i)->n;
    return tokens;
}

int64_t trainer_batch_tokens(const struct trainer *t)
{
    const int64_t budget = feed_budget(t->model, t->lora);
    int64_t largest = feed_largest(&t->sets->eval, NULL, t->sets->eval.n, budget);

    for (int64_t i = 0; i < t->order->steps; i++) {
        const struct order_step *s = &t->order->step[i];
        const int64_t tokens =
            feed_largest(&t->sets->train, t->order->record + first_use(t->order, s),
                         count_uses(t->order, s), budget);

        largest = tokens > largest ? tokens : largest;
    }
    return largest;
}

/* WEIGHT of each record's summed nll, so that the weighted sum is the loss: the mean over the
 * micro-batches of their means over tokens, or the mean over all tokens of the window. */
static void weigh(const struct trainer *t, const struct order_step *s, double *weight)
{
    const struct order *o = t->order;
    const int64_t first = first_use(o, s), n = count_uses(o, s);
    int64_t tokens = 0;

    for (int64_t i = 0; i < n; i++) {
        const struct train_record *x = used(t, first + i);

        tokens += t->opt->norm == NORM_TOKENS_UNSHIFTED ? x->unshifted : train_record_targets(x);
    }
    for (int64_t m = s->first; m < s->first + s->micros; m++) {
        int64_t targets = 0;

        for (int64_t u = o->micro[m]; u < o->micro[m + 1]; u++)
            targets += train_record_targets(used(t, u));
        for (int64_t u = o->micro[m]; u < o->micro[m + 1]; u++)
            weight[u - first] = t->opt->norm == NORM_MICRO
                                    ? 1 / ((double)targets * (double)s->divisor)
                                    : 1 / (double)tokens;
    }
}

/* ---- one step ---- */

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static int do_step(struct run *r, int64_t i, struct step_report *report)
{
    const struct trainer *t = r->t;
    const struct order_step *s = &t->order->step[i];
    const int64_t first = first_use(t->order, s), n = count_uses(t->order, s);
    const double start = now();

    *report = (struct step_report){ .step = i + 1,
                                    .epoch = s->epoch,
                                    .lr = schedule_rate(t->schedule, i),
                                    .tokens = count_tokens(t, s) };
    weigh(t, s, r->weight);
    if (lora_zero_grad(t->lora) < 0)
        return -1;
    if (feed_run(&r->feed, &t->sets->train, t->order->record + first, n, r->weight, first, r->sum) <
        0)
        return -1;
    for (int64_t k = 0; k < n; k++)
        report->loss += r->weight[k] * r->sum[k];
    r->optim.lr = report->lr;
    if (lora_grad_norm(t->lora, &report->grad_norm) < 0 ||
        lora_step(t->lora, report->grad_norm, t->opt->max_grad_norm, &r->optim) < 0)
        return -1;
    report->seconds = now() - start;
    return 0;
}

/* ---- evaluation ---- */

/* transformers' eval_loss: a batch has its mean over tokens, each record its batch's mean. */
static int evaluate(struct run *r, int64_t step, double epoch, struct metrics *metrics)
{
    const struct train_set *eval = &r->t->sets->eval;
    double loss = 0;
    int64_t all = 0;

    if (eval->n == 0)
        return 0;
    if (feed_run(&r->feed, eval, NULL, eval->n, NULL, 0, r->sum) < 0)
        return -1;
    for (int64_t i = 0; i < eval->n; i += EVAL_BATCH) {
        const int64_t end = i + EVAL_BATCH < eval->n ? i + EVAL_BATCH : eval->n;
        double sum = 0;
        int64_t tokens = 0;

        for (int64_t k = i; k < end; k++) {
            sum += r->sum[k];
            tokens += train_record_targets(&eval->v[k]);
        }
        loss += sum / (double)tokens * (double)(end - i);
        all += tokens;
    }
    return metrics_evaluation(metrics, step, epoch, loss / (double)eval->n, all);
}

/* ---- the run ---- */

static int do_steps(struct run *r, struct metrics *metrics, struct progress *progress)
{
    for (int64_t i = 0; i < r->t->order->steps; i++) {
        const struct order_step *s = &r->t->order->step[i];
        struct step_report report;

        if (do_step(r, i, &report) < 0) {
            err_in("step %" PRId64, i + 1);
            return feed_blame(&r->feed);
        }
        (void)snprintf(r->remark, sizeof r->remark, "loss %.4f", report.loss);
        progress_say(progress, i + 1, r->remark);
        if (metrics_step(metrics, &report) < 0)
            return -1;
        if (s->evaluate && evaluate(r, i + 1, s->epoch, metrics) < 0) {
            err_in("evaluation after step %" PRId64, i + 1);
            return feed_blame(&r->feed);
        }
        if (saves_step(r->t->opt, r->t->lora, r->t->base, i + 1) < 0)
            return -1;
    }
    return 0;
}

int trainer_run(const struct trainer *t, struct metrics *metrics)
{
    struct run r = { .t = t, .optim = t->opt->optim };
    struct progress *progress = progress_open(&t->opt->common, "steps", t->order->steps);
    int64_t room = t->sets->eval.n;

    for (int64_t i = 0; i < t->order->steps; i++) {
        const int64_t uses = count_uses(t->order, &t->order->step[i]);

        room = uses > room ? uses : room;
    }
    r.weight = xnmalloc((size_t)room, sizeof *r.weight);
    r.sum = xnmalloc((size_t)room, sizeof *r.sum);
    feed_init(&r.feed, t->model, feed_budget(t->model, t->lora), (uint64_t)t->opt->common.seed);

    const int rc = do_steps(&r, metrics, progress);

    progress_close(progress);
    feed_free(&r.feed);
    free(r.weight);
    free(r.sum);
    return rc;
}
