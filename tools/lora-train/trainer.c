#include "trainer.h"

#include "train_feed.h"
#include "mem.h"
#include "progress.h"
#include "saves.h"
#include "stop.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* per_device_eval_batch_size's default: eval_loss is a mean of the means of such batches. */
enum { EVAL_BATCH = 8 };

struct run {
    const struct trainer *t;
    struct trainer_state *at;
    struct metrics *metrics;
    struct train_feed feed;
    struct optim_step optim;
    double *weight, *sum; /* (uses of the largest window, or eval records) */
    int64_t first;        /* step of this process */
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
    const int64_t budget = feed_budget(t->model, t->lora),
                  more = t->labels ? label_eval_rows(t->labels) : 0;
    int64_t largest = feed_largest(&t->sets->eval, NULL, t->sets->eval.n, more, budget);

    for (int64_t i = 0; i < t->order->steps; i++) {
        const struct order_step *s = &t->order->step[i];
        const int64_t tokens =
            feed_largest(&t->sets->train, t->order->record + first_use(t->order, s),
                         count_uses(t->order, s), 0, budget);

        largest = tokens > largest ? tokens : largest;
    }
    return largest;
}

/* Shifts the loss between the records of a window by their labels: each WEIGHT is multiplied by
 * that of its label, and then all by what leaves the sum over tokens as it was. */
static void weigh_classes(const struct trainer *t, int64_t first, int64_t n, double *weight)
{
    double before = 0, after = 0;

    for (int64_t i = 0; i < n; i++) {
        const struct train_record *x = used(t, first + i);
        const double tokens = (double)train_record_targets(x);

        before += weight[i] * tokens;
        weight[i] *= t->sets->class_weight[x->label];
        after += weight[i] * tokens;
    }
    for (int64_t i = 0; i < n; i++)
        weight[i] *= before / after;
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
    if (t->sets->class_weight)
        weigh_classes(t, first, n, weight);
}

/* ---- one step ---- */

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* Whether gradients are scaled up, and steps skipped where that was too much. */
static bool scales(const struct trainer *t)
{
    return t->opt->compute == DT_F16;
}

/* NORM: of the gradient; NAN where the step is skipped, as accelerate does it: neither the weights
 * nor the optimiser's count of steps change, and the next step has this one's rate. */
static int update(struct run *r, double *norm)
{
    const struct trainer *t = r->t;
    struct loss_scale *s = &r->at->scale;
    const double scale = r->feed.scale;
    const bool finite = lora_grad_norm(t->lora, norm) == 0;

    *norm = finite ? *norm / scale : NAN;
    if ((!finite && !(scales(t) && err_code() == EXIT_NUMERIC)) ||
        (finite && lora_step(t->lora, *norm, t->opt->max_grad_norm, scale, &r->optim) < 0))
        return -1;
    if (scales(t))
        loss_scale_next(s, finite);
    return s->now >= 1 ? 0
                       : err_set(EXIT_NUMERIC,
                                 "%" PRId64 " steps were skipped, and the gradient is not finite "
                                 "without scaling either; use --compute-dtype bfloat16 or float32",
                                 s->skipped);
}

static int do_step(struct run *r, int64_t i, struct step_report *report)
{
    const struct trainer *t = r->t;
    const struct order_step *s = &t->order->step[i];
    const int64_t first = first_use(t->order, s), n = count_uses(t->order, s);
    const double start = now();

    *report = (struct step_report){ .step = i + 1,
                                    .epoch = s->epoch,
                                    .lr = schedule_rate(t->schedule, i - r->at->scale.skipped),
                                    .tokens = count_tokens(t, s),
                                    .scale = scales(t) ? r->at->scale.now : 0 };
    weigh(t, s, r->weight);
    r->feed.scale = scales(t) ? r->at->scale.now : 1;
    if (lora_zero_grad(t->lora) < 0)
        return -1;
    if (feed_run(&r->feed, &t->sets->train, t->order->record + first, n, r->weight, first, r->sum) <
        0)
        return -1;
    for (int64_t k = 0; k < n; k++)
        report->loss += r->weight[k] * r->sum[k];
    r->optim.lr = report->lr;
    if (update(r, &report->grad_norm) < 0)
        return -1;
    report->skipped = r->at->scale.skipped;
    report->seconds = now() - start;
    return 0;
}

/* ---- evaluation ---- */

/* transformers' eval_loss: a batch has its mean over tokens, each record its batch's mean. Broken
 * off when a stop is asked for: it is to be done yet, then. */
static int evaluate(struct run *r)
{
    const struct train_set *eval = &r->t->sets->eval;
    struct eval_report report = { .step = r->at->step,
                                  .epoch = r->t->order->step[r->at->step - 1].epoch,
                                  .records = eval->n };
    const int rc = feed_run(&r->feed, eval, NULL, eval->n, NULL, 0, r->sum);

    if (rc)
        return rc < 0 ? -1 : 0;
    for (int64_t i = 0; i < eval->n; i += EVAL_BATCH) {
        const int64_t end = i + EVAL_BATCH < eval->n ? i + EVAL_BATCH : eval->n;
        double sum = 0;
        int64_t tokens = 0;

        for (int64_t k = i; k < end; k++) {
            sum += r->sum[k];
            tokens += train_record_targets(&eval->v[k]);
        }
        report.loss += sum / (double)tokens * (double)(end - i);
        report.tokens += tokens;
    }
    report.loss /= (double)eval->n;
    report.right = r->t->labels ? r->feed.right : -1;
    r->at->evaluate = false;
    return metrics_evaluation(r->metrics, &report) < 0
               ? -1
               : best_look(&r->at->best, r->t->opt, &report, r->t->lora);
}

/* ---- what is kept ---- */

static void put_scale(struct buf *b, const struct loss_scale *s)
{
    buf_printf(b, ",\"loss_scale\":{\"good\":%" PRId64 ",\"skipped\":%" PRId64 ",\"now\":", s->good,
               s->skipped);
    json_put_double(b, s->now);
    buf_putc(b, '}');
}

static int take_scale(struct loss_scale *s, const cJSON *state, int64_t steps)
{
    const cJSON *o;

    return json_object(state, "loss_scale", &o) > 0 &&
                   json_int(o, "good", &s->good, 0, steps) > 0 &&
                   json_int(o, "skipped", &s->skipped, 0, steps) > 0 &&
                   json_double(o, "now", &s->now) > 0 && s->now >= 1
               ? 0
               : -1;
}

int trainer_keep(const struct trainer *t, const struct trainer_state *s,
                 const struct metrics *metrics)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "{\"step\":%" PRId64 ",\"evaluate\":%s,", s->step,
               s->evaluate ? "true" : "false");
    best_put(&s->best, &b);
    if (scales(t))
        put_scale(&b, &s->scale);
    buf_puts(&b, ",\"metrics\":");
    int rc = metrics_put_state(metrics, &b);

    buf_putc(&b, '}');
    if (rc == 0)
        rc = checkpoint_write(t->checkpoint, t->lora, s->best.weights, &b);
    buf_free(&b);
    return rc;
}

/* Whether an evaluation follows the step that is the STEP-th, from 1. */
static bool is_evaluated(const struct trainer *t, int64_t step)
{
    return step > 0 && t->order->step[step - 1].evaluate && t->sets->eval.n > 0;
}

int trainer_take(const struct trainer *t, struct trainer_state *s, const cJSON **metrics,
                 const cJSON *state)
{
    *metrics = cJSON_GetObjectItemCaseSensitive(state, "metrics");
    if (json_int(state, "step", &s->step, 0, t->order->steps) <= 0 ||
        json_bool(state, "evaluate", &s->evaluate) <= 0 || !cJSON_IsObject(*metrics) ||
        (s->evaluate && !is_evaluated(t, s->step)) || best_take(&s->best, state, s->step) < 0 ||
        (scales(t) && take_scale(&s->scale, state, s->step) < 0) ||
        (t->opt->load_best && s->best.step > 0) != (s->best.weights != NULL))
        return err_set(EXIT_DATA, "%s: does not say how far the run was" CHECKPOINT_ADVICE,
                       t->checkpoint->path);
    s->resumed = true;
    return 0;
}

/* Whether no step is to follow; an evaluation may be. */
static bool is_at_end(const struct trainer *t, const struct trainer_state *s)
{
    return s->step == t->order->steps || best_is_enough(&s->best, t->opt);
}

bool trainer_is_done(const struct trainer *t, const struct trainer_state *s)
{
    return is_at_end(t, s) && !s->evaluate;
}

/* Whether a checkpoint is written now, that all is done that belongs to the last step. */
static bool is_due(const struct run *r)
{
    const struct order_step *s = &r->t->order->step[r->at->step - 1];
    const double before = r->at->step > 1 ? s[-1].epoch : 0;
    const int64_t every = r->t->opt->save_steps;

    if (!r->t->checkpoint)
        return false;
    if (is_at_end(r->t, r->at))
        return true;
    return every ? r->at->step % every == 0 : floor(s->epoch) > floor(before);
}

static int stop(const struct run *r)
{
    if (trainer_keep(r->t, r->at, r->metrics) < 0)
        return -1;
    return err_set(EXIT_STOPPED, "stopped after step %" PRId64 " of %" PRId64, r->at->step,
                   r->t->order->steps);
}

/* ---- the run ---- */

static int next_step(struct run *r, struct progress *progress)
{
    const int64_t i = r->at->step;
    struct step_report report;

    if (do_step(r, i, &report) < 0) {
        err_in("step %" PRId64, i + 1);
        return feed_blame(&r->feed);
    }
    r->at->step++;
    r->at->evaluate = is_evaluated(r->t, r->at->step);
    report.last = r->at->step == r->t->order->steps ||
                  (r->at->evaluate && r->t->opt->early_stopping_patience > 0);
    (void)snprintf(r->remark, sizeof r->remark, "loss %.4f", report.loss);
    progress_say(progress, i + 1, r->remark);
    return metrics_step(r->metrics, &report);
}

static int next_evaluation(struct run *r)
{
    if (evaluate(r) < 0) {
        err_in("evaluation after step %" PRId64, r->at->step);
        return feed_blame(&r->feed);
    }
    return 0;
}

/* Every turn does the next thing whole, or leaves the state as it was. */
static int do_steps(struct run *r, struct progress *progress)
{
    struct trainer_state *at = r->at;

    while (!trainer_is_done(r->t, at)) {
        if (stop_asked())
            return stop(r);
        if ((at->evaluate ? next_evaluation(r) : next_step(r, progress)) < 0)
            return -1;
        if (at->evaluate) /* or one that was broken off */
            continue;
        if (saves_step(r->t->opt, r->t->lora, model_weights(r->t->model), &r->t->from, at->step,
                       at->resumed) < 0 ||
            (is_due(r) && trainer_keep(r->t, at, r->metrics) < 0))
            return -1;
    }
    return stop_asked() ? stop(r) : 0;
}

int trainer_run(const struct trainer *t, struct trainer_state *s, struct metrics *metrics)
{
    struct run r = {
        .t = t, .at = s, .metrics = metrics, .optim = t->opt->optim, .first = s->step
    };
    struct progress *progress = progress_open(&t->opt->common, "steps", t->order->steps);
    int64_t room = t->sets->eval.n;

    for (int64_t i = 0; i < t->order->steps; i++) {
        const int64_t uses = count_uses(t->order, &t->order->step[i]);

        room = uses > room ? uses : room;
    }
    r.optim.t = s->step - s->scale.skipped;
    progress_from(progress, s->step);
    r.weight = xnmalloc((size_t)room, sizeof *r.weight);
    r.sum = xnmalloc((size_t)room, sizeof *r.sum);
    feed_init(&r.feed, t->model, feed_budget(t->model, t->lora), (uint64_t)t->opt->common.seed,
              t->labels);

    if (t->checkpoint)
        stop_defer();

    const int rc = do_steps(&r, progress);

    progress_close(progress);
    feed_free(&r.feed);
    free(r.weight);
    free(r.sum);
    return rc;
}
