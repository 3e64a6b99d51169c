/*
 * lora-train - fine-tune a causal language model with low-rank adapters.
 *
 * Reads a token stream and a model, writes an adapter as PEFT does. Man page: lora-train.1.
 */
#include "again.h"
#include "job.h"
#include "train_records.h"
#include "files/adapter.h"
#include "train_options.h"
#include "order_file.h"
#include "train_plan.h"
#include "trainer.h"

#include "mem.h"
#include "outfile.h"
#include "pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The adapter names its base model by the last part of the path, the same for folder and archive:
 * a path would be another one on the next machine. */
static char *base_name(const char *model)
{
    static const char *const endings[] = { ".zst", ".tgz", ".tar", ".zip" };
    const char *hub = strncmp(model, "hf:", 3) ? NULL : model + 3;
    size_t n = strlen(model);

    if (hub || !strcmp(model, "-"))
        return xstrdup(hub ? hub : "");
    while (n > 1 && model[n - 1] == '/')
        n--;

    size_t from = n;

    while (from > 0 && model[from - 1] != '/')
        from--;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (n - from > 4 && !strncmp(model + n - 4, endings[i], 4))
            n -= 4;
    return xstrndup(model + from, n - from);
}

/* What the user says about an adapter that is there already must be what it says itself. */
static int check_adapter(const struct train_options *o, struct lora_set *l)
{
    if (o->rank_given && o->lora.rank != l->opt.rank)
        return err_set(EXIT_USAGE, "--r %" PRId64 " does not fit %s, whose rank is %" PRId64,
                       o->lora.rank, o->init_adapter, l->opt.rank);
    if (o->alpha_given && o->lora.alpha != l->opt.alpha)
        return err_set(EXIT_USAGE, "--lora-alpha %g does not fit %s, where it is %g", o->lora.alpha,
                       o->init_adapter, l->opt.alpha);
    if (o->rslora_given && o->lora.rslora != l->opt.rslora)
        return err_set(EXIT_USAGE, "--use-rslora does not fit %s", o->init_adapter);
    if (o->targets_given || o->init_given)
        return err_set(EXIT_USAGE,
                       "%s says which modules are adapted and how they begin; leave out "
                       "--target-modules and --init-lora-weights",
                       o->init_adapter);
    if (o->dropout_given)
        l->opt.dropout = o->lora.dropout;
    return 0;
}

/* Where --init-adapter or --order is named as an input. */
static uint8_t *begun_digest(struct begun *b, const char *what)
{
    b->input[b->inputs].what = what;
    return b->input[b->inputs++].digest;
}

/* *L is the caller's to free, also when this fails. */
static int make_lora(struct lora_set **l, struct begun *begun, const struct train_options *o,
                     const struct model *m)
{
    const unsigned how = LORA_TRAIN | (o->partial_adapter ? LORA_PARTIAL : 0) |
                         (o->trust_adapter ? LORA_ANY_BASE : 0);
    struct pack *adapter;

    if (!o->init_adapter)
        return lora_new(l, model_ops(m), model_modules(m), &o->lora, (uint32_t)o->common.seed);
    if (pack_open(&adapter, o->init_adapter) < 0)
        return -1;

    int rc = lora_load(l, model_weights(m), adapter, how);

    if (rc == 0 && lora_chain(&begun->chain, adapter) < 0)
        rc = -1;
    if (rc == 0)
        pack_digest(adapter, begun_digest(begun, "adapter"));
    pack_close(adapter);
    return rc < 0 ? -1 : check_adapter(o, *l);
}

static int make_order(struct order *order, struct begun *begun, const struct train_options *o,
                      const struct train_set *train)
{
    const struct order_options opt = options_order(o);
    int64_t *list, n;
    int rc;

    if (o->order_file) {
        if (order_file_read(&list, &n, o->order_file, train, begun_digest(begun, "order")) < 0)
            return -1;
        rc = order_follow(order, &opt, list, n, train->n);
        if (rc < 0)
            rc = err_in("%s", o->order_file);
    } else {
        list = xnmalloc((size_t)train->n, sizeof *list);
        for (int64_t i = 0; i < train->n; i++)
            list[i] = train->v[i].n;
        rc = order_draw(order, &opt, list, train->n);
    }
    free(list);
    return rc;
}

static void say_cut(const struct train_sets *s, int64_t max_length)
{
    const int64_t cut = s->train.cut + s->eval.cut;

    if (cut)
        warn("%" PRId64 " records are longer than %" PRId64
             " tokens and lost their end (--max-length)",
             cut, max_length);
}

/* Plain texts have none of them; of a table with labels these are the rows without. */
static void say_open(const struct train_set *train)
{
    if (train->open > 0 && train->open < train->n)
        warn("%" PRId64 " of %" PRId64 " records to learn from have no completion: their prompts "
             "are learned alone",
             train->open, train->n);
}

/* Among others that say where they belong: predict takes these too, for such of test. */
static void say_unsplit(const struct train_sets *s)
{
    if (s->splits && s->train.unsplit > 0)
        warn("%" PRId64
             " records have no split, where others have one, and are learned from as well; "
             "choose with --only split=VALUE",
             s->train.unsplit);
}

/* Such a step's gradient is the smaller for it, or the noisier. */
static void say_short_steps(const struct order *order, int64_t accum)
{
    const struct order_step *first = NULL;
    int64_t n = 0;

    for (int64_t i = 0; i < order->steps; i++)
        if (order->step[i].micros < accum && n++ == 0)
            first = &order->step[i];
    if (first)
        warn("%" PRId64 " of %" PRId64 " steps have fewer records than "
             "--gradient-accumulation-steps: %" PRId64 " micro-batches, whose gradient is divided "
             "by %" PRId64 ", as transformers does it",
             n, order->steps, first->micros, first->divisor);
}

/* Memory and order are settled: either say what would be done, or do it. */
static int plan_or_train(struct trainer *t, const struct pack *files, struct pack_writer *out)
{
    const struct train_options *o = t->opt;
    const int64_t tokens = trainer_batch_tokens(t);
    struct memory_plan memory;

    model_plan(t->model, tokens, true, t->lora, &memory);
    plan_note(&memory, tokens);
    if (o->plan_file)
        return plan_write(o->plan_file, o->common.force, t->order, t->schedule, t->sets, &memory,
                          tokens);
    return model_reserve(t->model, tokens, true) < 0 ? -1 : job_run(t, files, out);
}

/* What only evaluations can answer needs some. */
static int check_evaluations(const struct train_options *o, const struct train_sets *sets,
                             const struct order *order)
{
    const char *const about = options_about_evaluations(o);
    int64_t i = 0;

    if (!about)
        return 0;
    if (sets->eval.n == 0 && !o->load_best && !o->early_stopping_patience) {
        warn("no record's split is eval: nothing is evaluated");
        return 0;
    }
    if (sets->eval.n == 0)
        return err_set(EXIT_DATA,
                       "no record's split is eval, which %s is about; split-stratified "
                       "--eval makes some",
                       about);
    while (i < order->steps && !order->step[i].evaluate)
        i++;
    return i < order->steps ? 0
                            : err_set(EXIT_USAGE,
                                      "the run has %" PRId64 " steps and no evaluation, which %s "
                                      "is about; lower --eval-steps",
                                      order->steps, about);
}

/* T has all but what is made here. */
static int prepare_and_run(struct trainer *t, const struct pack *files, struct pack_writer *out)
{
    int rc = 0;

    if (t->opt->eval_labels)
        rc = label_eval_new(&t->labels, t->sets, t->model);
    if (rc == 0)
        rc = plan_or_train(t, files, out);
    label_eval_free(t->labels);
    return rc;
}

/* Everything between a model that is open and an output that is whole. */
static int run(const struct train_options *o, const struct pack *files, struct model *m,
               struct pack_writer *out, struct outfile *picture)
{
    struct train_sets sets;
    struct lora_set *lora = NULL;
    struct order order = { 0 };
    struct begun begun = { 0 };
    int rc = -1;

    if (train_sets_read(&sets, o, m) < 0)
        return -1;
    say_cut(&sets, o->max_length);
    say_open(&sets.train);
    say_unsplit(&sets);
    if (o->resid_pdrop >= 0)
        model_set_resid_pdrop(m, (float)o->resid_pdrop);
    if (model_set_label_smoothing(m, (float)o->label_smoothing) == 0 &&
        make_lora(&lora, &begun, o, m) == 0 && make_order(&order, &begun, o, &sets.train) == 0 &&
        check_evaluations(o, &sets, &order) == 0) {
        const struct schedule schedule = {
            .kind = o->schedule,
            .peak = o->rate,
            .steps = order.steps,
            .warmup = schedule_warmup(o->warmup_steps, o->warmup_ratio, order.steps),
        };
        char *const base = base_name(o->model);
        struct trainer t = { .opt = o,
                             .model = m,
                             .lora = lora,
                             .sets = &sets,
                             .order = &order,
                             .schedule = &schedule,
                             .from = { .base = base },
                             .begun = &begun,
                             .picture = picture };

        say_short_steps(&order, o->accum);
        model_use_lora(m, lora);
        rc = prepare_and_run(&t, files, out);
        free(base);
    }
    free(begun.chain);
    order_free(&order);
    lora_free(lora);
    train_sets_free(&sets);
    return rc;
}

/* Names that are taken show before anything is read. *OUT is NULL where there is none, and where a
 * resumed run has its name already. */
static int create_output(struct pack_writer **out, const struct train_options *o)
{
    const bool there = strcmp(o->common.output, "-") != 0 && access(o->common.output, F_OK) == 0;

    *out = NULL;
    if (o->plan_file || (there && o->resume && !o->common.force))
        return 0;
    if (o->checkpoint && !o->resume && !o->common.force && access(o->checkpoint, F_OK) == 0)
        return err_set(EXIT_CREATE,
                       "%s: is there already; use --resume to go on from it, or --force to begin "
                       "anew",
                       o->checkpoint);
    return pack_create(out, o->common.output, o->common.force, (int)o->common.level, lora_files);
}

/* The same of --plot. */
static int create_picture(struct outfile **f, const struct train_options *o)
{
    *f = NULL;
    if (!o->plot_file || (o->resume && !o->common.force && access(o->plot_file, F_OK) == 0))
        return 0;
    return outfile_open(f, o->plot_file, o->common.force, false);
}

/* A run that was stopped and can go on says how. */
static _Noreturn void fail(const struct train_options *o)
{
    if (err_code() != EXIT_STOPPED)
        die_err();

    char *const command = again_command(o->argv);

    (void)fprintf(stderr, "%s: error: %s; %sgo on with: %s\n", err_tool(), err_text(),
                  options_read_standard_input(o) ? "put the same records in again, and " : "",
                  command);
    free(command);
    exit(EXIT_STOPPED);
}

int main(int argc, char **argv)
{
    struct train_options o;
    struct pack_writer *out;
    struct outfile *picture;
    struct pack *files;
    struct model *m;
    const struct ops *ops;

    options_parse(&o, argc, argv);
    if (create_output(&out, &o) < 0 || create_picture(&picture, &o) < 0)
        die_err();
    ops = ops_find(o.common.device, (int)o.common.threads, o.compute, o.compute);
    if (!ops || pack_open(&files, o.model) < 0)
        die_err();
    if (model_open(&m, files, ops, o.compute) < 0 || run(&o, files, m, out, picture) < 0)
        fail(&o);
    model_close(m);
    pack_close(files);
    buf_free(&o.settings);
    return 0;
}
