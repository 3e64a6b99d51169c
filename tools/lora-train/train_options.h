/*
 * train_options.h - lora-train's command line. Names and defaults are those of PEFT's LoraConfig,
 * transformers' TrainingArguments and TRL's SFTTrainer where they have the option (INTERFACE).
 */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include "cli.h"
#include "lora/lora.h"
#include "order.h"
#include "schedule.h"

enum loss_norm { NORM_MICRO, NORM_TOKENS, NORM_TOKENS_UNSHIFTED };

struct train_options {
    struct cli_common common;
    const char *const *inputs; /* streams; NULL-terminated */
    const char *model, *init_adapter, *order_file, *metrics_file, *plan_file, *plot_file,
        *checkpoint;
    char *const *argv;   /* all that was said, for the command that goes on */
    struct buf settings; /* what cli_put_settings says */

    struct lora_options lora;
    bool rank_given, alpha_given, dropout_given, rslora_given, targets_given, init_given,
        save_total_limit_given;

    double epochs, rate, warmup_ratio, max_grad_norm,
        resid_pdrop, label_smoothing; /* resid_pdrop < 0: the model's own */
    int64_t max_steps, warmup_steps, batch, accum, eval_steps, logging_steps, max_length;
    int64_t save_steps, save_total_limit; /* 0: none, all */
    struct cli_list class_weights;
    struct optim_step optim; /* all but lr, clip and t */
    enum schedule_kind schedule;
    enum evaluate_when evaluate;
    enum loss_norm norm;
    enum dtype compute;
    bool group, flush, completion_only, resume, partial_adapter, trust_tokens, trust_adapter,
        seed_preset, eval_labels, load_best, best_is_accuracy;
    int64_t early_stopping_patience; /* evaluations; 0: the run goes on to its end */
    double early_stopping_threshold;
};

/* Parses, checks what only the options together can tell, and exits on mistakes. */
void options_parse(struct train_options *o, int argc, char **argv);
/* Whether the records come from standard input. */
bool options_read_standard_input(const struct train_options *o);

/* The option that needs evaluations; NULL: none was given. */
const char *options_about_evaluations(const struct train_options *o);

/* What order_draw and order_follow want to know. */
struct order_options options_order(const struct train_options *o);

#endif
