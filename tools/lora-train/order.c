/* order.c - the sampler and the steps of Hugging Face's Trainer; order.h says which versions. */
#include "order.h"

#include "mem.h"
#include "rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEGABATCHES_MAX = 50, MEGABATCHES_AIM = 4 };
#define USES_MAX ((int64_t)1 << 31) /* a use's number is 32 bits of dropout's counter */

/* Every DataLoader iterator, of training and of evaluation, draws a 64-bit base seed from the
 * global generator; nothing here needs its value. */
static void skip_base_seed(struct mt19937 *global)
{
    mt19937_u32(global);
    mt19937_u32(global);
}

/* ---- the samplers ---- */

struct ranked {
    int64_t record, length, at;
};

/* Longest first; equal lengths stay in the order they had. */
static int longer_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void sort_by_length(int64_t *record, int64_t n, const int64_t *length,
                           struct ranked *scratch)
{
    for (int64_t i = 0; i < n; i++)
        scratch[i] = (struct ranked){ record[i], length[record[i]], i };
    qsort(scratch, (size_t)n, sizeof *scratch, longer_first);
    for (int64_t i = 0; i < n; i++)
        record[i] = scratch[i].record;
}

/* transformers' get_length_grouped_indices over the permutation in RECORD (N). WINDOW: records of
 * one optimiser step. */
static void group_by_length(int64_t *record, int64_t n, const int64_t *length, int64_t window)
{
    int64_t windows = n / window / MEGABATCHES_AIM;
    int64_t longest = 0;

    windows = windows > MEGABATCHES_MAX ? MEGABATCHES_MAX : windows < 1 ? 1 : windows;

    const int64_t mega = windows * window;
    struct ranked *scratch = xnmalloc((size_t)(mega < n ? mega : n), sizeof *scratch);

    for (int64_t i = 0; i < n; i += mega) {
        sort_by_length(record + i, n - i < mega ? n - i : mega, length, scratch);
        if (length[record[i]] > length[record[longest]])
            longest = i;
    }
    free(scratch);

    const int64_t first = record[0]; /* the longest of all goes first: memory fails early */

    record[0] = record[longest];
    record[longest] = first;
}

/* RECORD (N) = the order of one epoch. The plain sampler has a generator of its own each epoch
 * (accelerate's SeedableRandomSampler); the grouped one draws from the global generator. */
static void draw_epoch(int64_t *record, int64_t n, const int64_t *length,
                       const struct order_options *opt, int64_t epoch, struct mt19937 *global)
{
    skip_base_seed(global);
    if (opt->group) {
        mt19937_torch_randperm(global, record, n);
        group_by_length(record, n, length, opt->batch * opt->accum);
    } else {
        struct mt19937 own;

        mt19937_seed(&own, opt->seed + (uint32_t)epoch);
        mt19937_torch_randperm(&own, record, n);
    }
}

/* ---- the steps ---- */

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static int too_long(void)
{
    return err_set(EXIT_USAGE,
                   "the run would use more than %" PRId64 " records; ask for fewer steps "
                   "or epochs",
                   USES_MAX);
}

/* Room for a run of STEPS steps. */
static int allocate(struct order *o, const struct order_options *opt, int64_t steps)
{
    if (opt->accum > USES_MAX || opt->batch > USES_MAX || steps > USES_MAX / opt->accum ||
        steps * opt->accum > USES_MAX / opt->batch)
        return too_long();
    *o = (struct order){ 0 };
    o->record = xnmalloc((size_t)(steps * opt->accum * opt->batch), sizeof *o->record);
    o->micro = xnmalloc((size_t)(steps * opt->accum + 1), sizeof *o->micro);
    o->step = xnmalloc((size_t)steps, sizeof *o->step);
    o->micro[0] = 0;
    return 0;
}

static void add_micro(struct order *o, const int64_t *record, int64_t n)
{
    memcpy(o->record + o->uses, record, (size_t)n * sizeof *record);
    o->uses += n;
    o->micro[++o->micros] = o->uses;
}

/* Closes the window behind the last micro-batch. */
static struct order_step *add_step(struct order *o, const struct order_options *opt, double epoch)
{
    struct order_step *s = &o->step[o->steps];
    const int64_t first = o->steps ? s[-1].first + s[-1].micros : 0;

    *s = (struct order_step){ .first = first, .micros = o->micros - first, .epoch = epoch };
    s->divisor = opt->flush ? s->micros : opt->accum;
    o->steps++;
    s->evaluate = opt->evaluate == EVALUATE_STEPS && o->steps % opt->eval_steps == 0;
    return s;
}

static int count_steps(int64_t *steps, const struct order_options *opt, int64_t micros)
{
    const int64_t updates =
        opt->flush || micros < opt->accum ? ceil_div(micros, opt->accum) : micros / opt->accum;
    const double wanted = ceil(opt->epochs * (double)updates);

    if (opt->max_steps <= 0 && wanted > (double)USES_MAX)
        return too_long();
    *steps = opt->max_steps > 0 ? opt->max_steps : (int64_t)wanted;
    return 0;
}

/*
 * Adds the micro-batches of one epoch until STEPS steps are there.
 *
 * Under carry the Trainer counts micro-batches through the whole run and steps at every ACCUM-th;
 * an epoch of at most ACCUM of them also steps at its end, without starting the count afresh.
 */
static void walk_epoch(struct order *o, const struct order_options *opt, const int64_t *record,
                       int64_t n, int64_t epoch, int64_t steps, struct mt19937 *global)
{
    const int64_t micros = ceil_div(n, opt->batch);
    const bool ends = opt->flush || micros <= opt->accum;

    for (int64_t i = 0; i < micros && o->steps < steps; i++) {
        const int64_t from = i * opt->batch, left = n - from;

        add_micro(o, record + from, left < opt->batch ? left : opt->batch);

        const int64_t count = opt->flush ? i + 1 : o->micros;

        if (count % opt->accum && !(ends && i + 1 == micros))
            continue;
        if (add_step(o, opt, (double)epoch + (double)(i + 1) / (double)micros)->evaluate)
            skip_base_seed(global);
    }
    if (opt->evaluate == EVALUATE_EPOCH) {
        o->step[o->steps - 1].evaluate = true;
        skip_base_seed(global);
    }
}

int order_draw(struct order *o, const struct order_options *opt, const int64_t *length, int64_t n)
{
    int64_t steps = 0;
    struct mt19937 global;

    if (count_steps(&steps, opt, ceil_div(n, opt->batch)) < 0 || allocate(o, opt, steps) < 0)
        return -1;

    int64_t *record = xnmalloc((size_t)n, sizeof *record);

    mt19937_seed(&global, opt->seed);
    for (int64_t epoch = 0; o->steps < steps; epoch++) {
        draw_epoch(record, n, length, opt, epoch, &global);
        walk_epoch(o, opt, record, n, epoch, steps, &global);
    }
    free(record);
    return 0;
}

int order_follow(struct order *o, const struct order_options *opt, const int64_t *use,
                 int64_t n_use, int64_t n)
{
    const int64_t per_epoch = ceil_div(n, opt->batch), micros = ceil_div(n_use, opt->batch);
    const int64_t whole = opt->flush ? ceil_div(micros, opt->accum) : micros / opt->accum;
    const int64_t steps = opt->max_steps > 0 ? opt->max_steps : whole;
    int64_t epochs = 0;

    if (whole == 0)
        return err_set(EXIT_DATA,
                       "%" PRId64 " records are not enough for one step; give more, or a smaller "
                       "--gradient-accumulation-steps",
                       n_use);
    if (steps > whole)
        return err_set(EXIT_DATA,
                       "%" PRId64 " records make %" PRId64 " steps and not %" PRId64
                       "; give more records or ask for fewer steps",
                       n_use, whole, steps);
    if (allocate(o, opt, steps) < 0)
        return -1;
    for (int64_t i = 0; o->steps < steps; i++) {
        const int64_t from = i * opt->batch, left = n_use - from;

        add_micro(o, use + from, left < opt->batch ? left : opt->batch);
        if ((i + 1) % opt->accum && i + 1 < micros)
            continue;

        struct order_step *s = add_step(o, opt, (double)(i + 1) / (double)per_epoch);

        if (opt->evaluate == EVALUATE_EPOCH)
            s->evaluate = (i + 1) / per_epoch > epochs || o->steps == steps;
        epochs = (i + 1) / per_epoch;
    }
    return 0;
}

void order_free(struct order *o)
{
    free(o->record);
    free(o->micro);
    free(o->step);
    *o = (struct order){ 0 };
}
