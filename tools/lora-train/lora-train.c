/*
 * lora-train - fine-tune a causal language model with low-rank adapters.
 *
 * Reads a token stream and a model, writes an adapter as PEFT does. Man page: lora-train.1.
 */
#include "train_records.h"
#include "metrics.h"
#include "model/lora.h"
#include "options.h"
#include "order_file.h"
#include "plan.h"
#include "saves.h"
#include "trainer.h"

#include "mem.h"
#include "pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

/* *L is the caller's to free, also when this fails. */
static int make_lora(struct lora_set **l, const struct train_options *o, const struct model *m)
{
    struct pack *adapter;

    if (!o->init_adapter)
        return lora_new(l, m, &o->lora, (uint32_t)o->common.seed);
    if (pack_open(&adapter, o->init_adapter) < 0)
        return -1;

    const int rc = lora_load(l, m, adapter, true);

    pack_close(adapter);
    return rc < 0 ? -1 : check_adapter(o, *l);
}

static int make_order(struct order *order, const struct train_options *o,
                      const struct train_set *train)
{
    const struct order_options opt = options_order(o);
    int64_t *list, n;
    int rc;

    if (o->order_file) {
        if (order_file_read(&list, &n, o->order_file, train) < 0)
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

/* Trains and puts the adapter into OUT. */
static int train(const struct trainer *t, struct metrics *metrics, struct pack_writer *out)
{
    if (saves_check(t->opt, t->order->steps) < 0 || trainer_run(t, metrics) < 0)
        return -1;
    return lora_save(t->lora, out, t->base);
}

/* Memory and order are settled: either say what would be done, or do it. */
static int plan_or_train(const struct trainer *t, struct pack_writer *out)
{
    const struct train_options *o = t->opt;
    const int64_t tokens = trainer_batch_tokens(t);
    struct memory_plan memory;
    struct metrics *metrics;

    model_plan(t->model, tokens, true, t->lora, &memory);
    plan_note(&memory, tokens);
    if (o->plan_file)
        return plan_write(o->plan_file, o->common.force, t->order, t->schedule, t->sets, &memory,
                          tokens);
    if (metrics_open(&metrics, o->metrics_file, o->common.force, o->logging_steps) < 0 ||
        model_reserve(t->model, tokens, true) < 0 || train(t, metrics, out) < 0 ||
        metrics_flush(metrics) < 0 || pack_commit(out) < 0)
        return -1;
    if (!o->common.quiet)
        metrics_summary(metrics);
    return metrics_commit(metrics);
}

/* Everything between a model that is open and an output that is whole. */
static int run(const struct train_options *o, struct model *m, struct pack_writer *out)
{
    struct train_sets sets;
    struct lora_set *lora = NULL;
    struct order order = { 0 };
    int rc = -1;

    if (train_sets_read(&sets, o, m) < 0)
        return -1;
    say_cut(&sets, o->max_length);
    if (o->resid_pdrop >= 0)
        model_set_resid_pdrop(m, (float)o->resid_pdrop);
    if (make_lora(&lora, o, m) == 0 && make_order(&order, o, &sets.train) == 0) {
        const struct schedule schedule = {
            .kind = o->schedule,
            .peak = o->rate,
            .steps = order.steps,
            .warmup = schedule_warmup(o->warmup_steps, o->warmup_ratio, order.steps),
        };
        char *const base = base_name(o->model);
        const struct trainer t = { o, m, lora, &sets, &order, &schedule, base };

        model_use_lora(m, lora);
        rc = plan_or_train(&t, out);
        free(base);
    }
    order_free(&order);
    lora_free(lora);
    train_sets_free(&sets);
    return rc;
}

int main(int argc, char **argv)
{
    struct train_options o;
    struct pack_writer *out = NULL;
    struct pack *files;
    struct model *m;
    const struct ops *ops;

    options_parse(&o, argc, argv);
    if (!o.plan_file && pack_create(&out, o.common.output, o.common.force, (int)o.common.level) < 0)
        die_err();
    ops = ops_find(o.common.device, (int)o.common.threads);
    if (!ops || pack_open(&files, o.model) < 0)
        die_err();
    if (model_open(&m, files, ops, o.compute) < 0 || run(&o, m, out) < 0)
        die_err();
    model_close(m);
    pack_close(files);
    return 0;
}
