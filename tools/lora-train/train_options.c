/* train_options.c - the option table, and what the texts in it mean. */
#include "train_options.h"

#include "svg.h"

#include <stdio.h>
#include <string.h>

enum { COUNT_MAX = 1 << 30 };

struct texts { /* choices as they were written */
    const char *preset, *bias, *schedule, *optim, *evaluate, *loss, *norm, *accum, *compute, *best;
};

struct given {
    bool epochs, group, evaluate, eval_steps, logging_steps, best, threshold, beta1, beta2, eps;
    bool warmup_ratio, warmup_steps;
};

static const struct train_options defaults = {
    .common = CLI_COMMON_INIT,
    .lora = { .rank = 16, .alpha = 16, .dropout = 0.05, .targets = "all-linear", .init = "true" },
    .epochs = 4,
    .rate = 2e-4,
    .warmup_ratio = 0.03,
    .max_grad_norm = 0.3,
    .resid_pdrop = -1,
    .batch = 1,
    .accum = 8,
    .logging_steps = 25,
    .max_length = 512,
    .optim = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.001 },
};

static const struct texts default_texts = {
    .bias = "none",
    .schedule = "cosine",
    .optim = "adamw_bnb",
    .evaluate = "epoch",
    .loss = "all",
    .norm = "micro",
    .accum = "carry",
    .compute = "float32",
    .best = "eval_loss",
};

/* The index of TEXT in NAMES; the option table has checked that it is there. */
static int index_of(const char *text, const char *const *names)
{
    int i = 0;

    while (names[i] && strcmp(text, names[i]))
        i++;
    return i;
}

static void read_texts(struct train_options *o, const struct texts *t)
{
    static const char *const optims[] = { "adamw_bnb", "adamw_torch", "sgd", NULL };
    static const char *const norms[] = { "micro", "tokens", "tokens-unshifted", NULL };
    static const char *const evaluations[] = { "no", "epoch", "steps", NULL };

    o->optim.kind = (enum optim)index_of(t->optim, optims);
    o->norm = (enum loss_norm)index_of(t->norm, norms);
    o->evaluate = (enum evaluate_when)index_of(t->evaluate, evaluations);
    o->schedule = schedule_kind_of(t->schedule);
    o->compute = dtype_of_compute(t->compute);
    o->flush = !strcmp(t->accum, "flush");
    o->completion_only = !strcmp(t->loss, "completion");
    o->best_is_accuracy = !strcmp(t->best, "eval_accuracy");
}

/* The article's values are the defaults, but for these. What the user gave wins. */
static void apply_preset(struct train_options *o, struct texts *t, const struct given *given)
{
    o->seed_preset = true;
    if (!given->group)
        o->group = true;
    if (!given->evaluate)
        t->evaluate = "epoch";
}

static bool is_standard(const char *path)
{
    return path && !strcmp(path, "-");
}

/* How often the records are said to be there. */
static int standard_inputs(const struct train_options *o)
{
    int n = !*o->inputs;

    for (int i = 0; o->inputs[i]; i++)
        n += is_standard(o->inputs[i]);
    return n;
}

bool options_read_standard_input(const struct train_options *o)
{
    return standard_inputs(o) > 0;
}

/* Standard input can be read once. */
static void check_standard_input(const struct train_options *o)
{
    const int readers = standard_inputs(o) + is_standard(o->model) + is_standard(o->init_adapter) +
                        is_standard(o->order_file);

    if (readers > 1)
        die(EXIT_USAGE, "only one of model, records, --init-adapter and --order can come from "
                        "standard input");
}

static void check(struct train_options *o, const struct given *given)
{
    if (o->order_file && given->epochs)
        die(EXIT_USAGE,
            "--order says how long the run is; leave out --num-train-epochs or stop earlier with "
            "--max-steps");
    if (o->order_file && given->group && o->group)
        die(EXIT_USAGE, "--order and --group-by-length are two orders; give one of them");
    if ((o->partial_adapter || o->trust_adapter) && !o->init_adapter)
        die(EXIT_USAGE, "--partial-adapter and --trust-adapter are about --init-adapter; give one");
    if (given->eval_steps && o->evaluate != EVALUATE_STEPS)
        die(EXIT_USAGE, "--eval-steps needs --eval-strategy steps");
    if (o->plan_file && o->metrics_file)
        die(EXIT_USAGE, "--plan does not train, so there is nothing for --metrics");
    if (o->metrics_file && !strcmp(o->metrics_file, o->common.output))
        die(EXIT_USAGE, "the adapter and the metrics cannot both go to '%s'; give -o another name",
            o->common.output);
    if (o->save_steps && is_standard(o->common.output) &&
        (!o->checkpoint || o->save_total_limit_given))
        die(EXIT_USAGE, "--save-steps names its files after the output; give -o a name");
    if (o->save_total_limit && !o->save_steps)
        die(EXIT_USAGE, "--save-total-limit needs --save-steps");
}

/* --logging-steps changes no adapter, but where it says when there are evaluations, one of which
 * may be the best. */
static void choose_eval_steps(struct train_options *o, const struct given *given)
{
    char option[48];

    if (o->evaluate != EVALUATE_STEPS || given->eval_steps)
        return;
    o->eval_steps = o->logging_steps;
    (void)snprintf(option, sizeof option, "eval-steps=%lld", (long long)o->eval_steps);
    if (given->logging_steps)
        cli_chain_add(option);
}

const char *options_about_evaluations(const struct train_options *o)
{
    return o->eval_labels               ? "--eval-labels"
           : o->load_best               ? "--load-best"
           : o->early_stopping_patience ? "--early-stopping-patience"
                                        : NULL;
}

static void check_evaluations(const struct train_options *o, const struct given *given)
{
    const char *const about = options_about_evaluations(o);

    if (about && o->evaluate == EVALUATE_NEVER)
        die(EXIT_USAGE, "%s is about evaluations; leave out --eval-strategy no", about);
    if (given->best && !o->load_best && !o->early_stopping_patience)
        die(EXIT_USAGE, "--metric-for-best-model is about --load-best and "
                        "--early-stopping-patience; give one");
    if (o->best_is_accuracy && !o->eval_labels)
        die(EXIT_USAGE, "--metric-for-best-model eval_accuracy needs --eval-labels");
    if (given->threshold && !o->early_stopping_patience)
        die(EXIT_USAGE, "--early-stopping-threshold is about --early-stopping-patience; give it");
}

/* What transformers takes as well, without a word: scripts written for it have such options. */
static void warn_of_idle(const struct train_options *o, const struct given *given)
{
    if (o->schedule == SCHEDULE_CONSTANT &&
        ((given->warmup_ratio && o->warmup_ratio > 0) || (given->warmup_steps && o->warmup_steps)))
        warn("--lr-scheduler-type constant has no warm-up; constant_with_warmup has");
    if (o->optim.kind == OPTIM_SGD && (given->beta1 || given->beta2 || given->eps))
        warn("--adam-beta1, --adam-beta2 and --adam-epsilon say nothing to --optim sgd");
}

static void check_picture(const struct train_options *o)
{
    if (!o->plot_file)
        return;
    if (o->plan_file)
        die(EXIT_USAGE, "--plan does not train, so there is nothing for --plot");
    if (svg_check_name(o->plot_file) < 0)
        die_err();
    if (!strcmp(o->plot_file, o->common.output) ||
        (o->metrics_file && !strcmp(o->plot_file, o->metrics_file)) ||
        (o->checkpoint && !strcmp(o->plot_file, o->checkpoint)))
        die(EXIT_USAGE,
            "'%s' cannot be the picture and another output too; give --plot another name",
            o->plot_file);
}

static void check_checkpoint(const struct train_options *o)
{
    if (o->resume && !o->checkpoint)
        die(EXIT_USAGE, "--resume needs --checkpoint FILE to go on from");
    if (!o->checkpoint)
        return;
    if (o->plan_file)
        die(EXIT_USAGE, "--plan does not train, so there is nothing for --checkpoint");
    if (is_standard(o->checkpoint))
        die(EXIT_USAGE, "--checkpoint is written again and again; give the name of a file");
    if (!strcmp(o->checkpoint, o->common.output) ||
        (o->metrics_file && !strcmp(o->checkpoint, o->metrics_file)))
        die(EXIT_USAGE,
            "'%s' cannot be the checkpoint and another output too; give it another name",
            o->checkpoint);
}

void options_parse(struct train_options *o, int argc, char **argv)
{
    struct texts t = default_texts;
    struct given given = { 0 };
    struct optim_step *s = &o->optim;

    *o = defaults;
    const struct cli_opt opts[] = {
        { 'm', "model", CLI_FILE, &o->model, .arg = "MODEL",
          .help = "the model to tune: a folder, an archive, -", .required = true },
        { 0, "preset", CLI_CHOICE, &t.preset, .arg = "seed",
          .help = "the article's settings; options that are given win" },

        { 0, "r", CLI_INT, &o->lora.rank, .arg = "N", .help = "rank", .min = 1, .max = 65536,
          .given = &o->rank_given, .group = "LoRA" },
        { 0, "lora-alpha", CLI_FLOAT, &o->lora.alpha, .arg = "X",
          .help = "the update is scaled by alpha / r", .min = -1e30, .max = 1e30,
          .given = &o->alpha_given },
        { 0, "lora-dropout", CLI_FLOAT, &o->lora.dropout, .arg = "X",
          .help = "dropout on the input of the adapters", .max = 0.999999,
          .given = &o->dropout_given },
        { 0, "target-modules", CLI_TEXT, &o->lora.targets, .arg = "NAMES|all-linear",
          .help = "linears that get an adapter", .given = &o->targets_given },
        { 0, "use-rslora", CLI_FLAG, &o->lora.rslora, .help = "scale by alpha / sqrt(r)",
          .negatable = true, .given = &o->rslora_given },
        { 0, "init-lora-weights", CLI_CHOICE, &o->lora.init, .arg = "true|gaussian|false",
          .help = "how the adapters begin", .given = &o->init_given },
        { 0, "bias", CLI_CHOICE, &t.bias, .arg = "none", .help = "biases are not trained" },
        { 0, "init-adapter", CLI_FILE, &o->init_adapter, .arg = "ADAPTER",
          .help = "begin with these adapters" },
        { 0, "partial-adapter", CLI_FLAG, &o->partial_adapter,
          .help = "take an adapter that lacks tensors its config names" },
        { 0, "trust-adapter", CLI_FLAG, &o->trust_adapter,
          .help = "take an adapter that was trained on another base model" },

        { 0, "num-train-epochs", CLI_FLOAT, &o->epochs, .arg = "X",
          .help = "passes over the records", .min = 1e-6, .max = COUNT_MAX, .given = &given.epochs,
          .group = "Training" },
        { 0, "max-steps", CLI_INT, &o->max_steps, .arg = "N",
          .help = "optimiser steps; wins over the epochs, 0: they say", .min = -1,
          .max = COUNT_MAX },
        { 0, "per-device-train-batch-size", CLI_INT, &o->batch, .arg = "N",
          .help = "records in a micro-batch", .min = 1, .max = COUNT_MAX },
        { 0, "gradient-accumulation-steps", CLI_INT, &o->accum, .arg = "N",
          .help = "micro-batches in an optimiser step", .min = 1, .max = COUNT_MAX },
        { 0, "learning-rate", CLI_FLOAT, &o->rate, .arg = "X", .help = "highest rate",
          .max = 1e37 },
        { 0, "weight-decay", CLI_FLOAT, &s->weight_decay, .arg = "X", .help = "times the rate",
          .max = 1e6 },
        { 0, "adam-beta1", CLI_FLOAT, &s->beta1, .arg = "X", .help = "of the first moment",
          .max = 0.999999999, .given = &given.beta1 },
        { 0, "adam-beta2", CLI_FLOAT, &s->beta2, .arg = "X", .help = "of the second moment",
          .max = 0.999999999, .given = &given.beta2 },
        { 0, "adam-epsilon", CLI_FLOAT, &s->eps, .arg = "X", .help = "keeps the division finite",
          .min = 1e-300, .max = 1, .given = &given.eps },
        { 0, "max-grad-norm", CLI_FLOAT, &o->max_grad_norm, .arg = "X",
          .help = "gradients are scaled down to this norm; 0: never", .max = 1e30 },
        { 0, "warmup-ratio", CLI_FLOAT, &o->warmup_ratio, .arg = "X",
          .help = "share of the steps in which the rate rises", .max = 1,
          .given = &given.warmup_ratio },
        { 0, "warmup-steps", CLI_INT, &o->warmup_steps, .arg = "N",
          .help = "the same in steps; 0: the ratio says", .max = COUNT_MAX,
          .given = &given.warmup_steps },
        { 0, "lr-scheduler-type", CLI_CHOICE, &t.schedule,
          .arg = "cosine|linear|constant|constant_with_warmup", .help = "how the rate goes on" },
        { 0, "optim", CLI_CHOICE, &t.optim, .arg = "adamw_bnb|adamw_torch|sgd",
          .help = "AdamW as bitsandbytes or as PyTorch computes it, plain descent" },
        { 0, "group-by-length", CLI_FLAG, &o->group, .help = "draw records of like length together",
          .negatable = true, .given = &given.group },
        { 0, "eval-strategy", CLI_CHOICE, &t.evaluate, .arg = "no|epoch|steps",
          .help = "when the loss on eval records is computed", .given = &given.evaluate },
        { 0, "eval-steps", CLI_INT, &o->eval_steps, .arg = "N",
          .help = "steps between evaluations; as logging-steps where it is not given", .min = 1,
          .max = COUNT_MAX, .given = &given.eval_steps },
        { 0, "eval-labels", CLI_FLAG, &o->eval_labels,
          .help = "also how often the label is right that the model would choose" },
        { 0, "load-best", CLI_FLAG, &o->load_best,
          .help = "write the adapter of the best evaluation, not that of the last step" },
        { 0, "metric-for-best-model", CLI_CHOICE, &t.best, .arg = "eval_loss|eval_accuracy",
          .help = "what the best evaluation has least, or most", .given = &given.best },
        { 0, "early-stopping-patience", CLI_INT, &o->early_stopping_patience, .arg = "N",
          .help = "stop when N evaluations in a row are no better", .min = 1, .max = COUNT_MAX },
        { 0, "early-stopping-threshold", CLI_FLOAT, &o->early_stopping_threshold, .arg = "X",
          .help = "an evaluation is better when it is so by more than X", .max = 1e30,
          .given = &given.threshold },
        { 0, "save-steps", CLI_INT, &o->save_steps, .arg = "N",
          .help =
              "steps between checkpoints, or adapters written beside the last one; 0: only that",
          .max = COUNT_MAX, .silent = true },
        { 0, "save-total-limit", CLI_INT, &o->save_total_limit, .arg = "N",
          .help = "how many of these adapters stay, the newest; 0: all", .max = COUNT_MAX,
          .silent = true, .given = &o->save_total_limit_given },
        { 0, "checkpoint", CLI_FILE, &o->checkpoint, .arg = "FILE",
          .help = "what a run that was stopped goes on from, kept up to date while it runs" },
        { 0, "resume", CLI_FLAG, &o->resume,
          .help = "go on from --checkpoint; begin where there is none", .silent = true },
        { 0, "logging-steps", CLI_INT, &o->logging_steps, .arg = "N",
          .help = "steps between lines of the metrics", .min = 1, .max = COUNT_MAX, .silent = true,
          .given = &given.logging_steps },

        { 0, "max-length", CLI_INT, &o->max_length, .arg = "N",
          .help = "longer records lose their end", .min = 2, .max = COUNT_MAX,
          .group = "Records and loss" },
        { 0, "loss", CLI_CHOICE, &t.loss, .arg = "all|completion",
          .help = "tokens that are learned" },
        { 0, "loss-norm", CLI_CHOICE, &t.norm, .arg = "micro|tokens|tokens-unshifted",
          .help = "mean of the micro-batches' means, or over the tokens of a step" },
        { 0, "class-weights", CLI_LIST, &o->class_weights, .arg = "balanced|NAME=X,...",
          .help = "how much a record's loss counts by its label; balanced: each label the same" },
        { 0, "label-smoothing", CLI_FLOAT, &o->label_smoothing, .arg = "X",
          .help = "share of each target that all tokens get alike", .max = 0.999999 },
        { 0, "accum", CLI_CHOICE, &t.accum, .arg = "carry|flush",
          .help =
              "what is left over at the end of an epoch goes into the next step, or makes one" },
        { 0, "order", CLI_FILE, &o->order_file, .arg = "FILE",
          .help = "record ids, one a line, in the order they are to be used" },
        { 0, "trust-tokens", CLI_FLAG, &o->trust_tokens,
          .help = "take ids that another tokenizer than the model's has made" },
        { 0, "resid-pdrop", CLI_FLOAT, &o->resid_pdrop, .arg = "X",
          .help = "residual dropout; the model's own where it is not given", .max = 0.999999 },
        { 0, "compute-dtype", CLI_CHOICE, &t.compute, .arg = "float32|bfloat16|float16|bf16x3",
          .help = "how matrix products are computed" },

        { 0, "metrics", CLI_FILE, &o->metrics_file, .arg = "FILE",
          .help = "JSON lines about the steps", .group = "Reports" },
        { 0, "plot", CLI_FILE, &o->plot_file, .arg = "FILE.svg",
          .help = "a picture of loss, evaluation loss and learning rate, at the end" },
        { 0, "plan", CLI_FILE, &o->plan_file, .arg = "FILE",
          .help = "do not train: JSON lines of what would be done" },
        { .type = CLI_END },
    };
    const struct cli cli = {
        .name = "lora-train",
        .synopsis = "[options] -m MODEL [FILE]",
        .about = "Fine-tunes a model with low-rank adapters on the records of a token stream.",
        .opts = opts,
        .common = &o->common,
        .max_operands = -1
    };

    o->inputs = cli_parse(argc, argv, &cli);
    if (t.preset)
        apply_preset(o, &t, &given);
    read_texts(o, &t);
    check(o, &given);
    choose_eval_steps(o, &given);
    check_evaluations(o, &given);
    warn_of_idle(o, &given);
    check_checkpoint(o);
    check_picture(o);
    check_standard_input(o);
    cli_put_settings(&o->settings);
    o->argv = argv;
}

struct order_options options_order(const struct train_options *o)
{
    return (struct order_options){
        .batch = o->batch,
        .accum = o->accum,
        .group = o->group,
        .flush = o->flush,
        .seed = (uint32_t)o->common.seed,
        .epochs = o->epochs,
        .max_steps = o->max_steps,
        .evaluate = o->evaluate,
        .eval_steps = o->eval_steps,
    };
}
