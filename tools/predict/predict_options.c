/* predict_options.c - the option table, and values that later versions will know. */
#include "predict.h"

#include <string.h>

static const struct predict_options defaults = {
    .common = CLI_COMMON_INIT,
    .normalize = "none",
    .loss = "completion",
    .max_new_tokens = 3,
    .batch_tokens = 1024,
    .top_p = 1,
    .compute = "float32",
};

static void check(const struct predict_options *o, const char *input)
{
    if (o->temperature != 0 || o->top_p != 1 || o->top_k != 0)
        die(EXIT_USAGE, "generation is greedy: only --temperature 0, --top-p 1 and --top-k 0");
    if ((o->partial_adapter || o->trust_adapter) && !o->adapters.n)
        die(EXIT_USAGE, "--partial-adapter and --trust-adapter are about --adapter; give one");
    if (o->stream && !strcmp(o->common.progress, "json"))
        die(EXIT_USAGE, "--stream and --progress json both go to standard error; leave one out");
    if (o->stop && !*o->stop)
        die(EXIT_USAGE, "--stop is an empty text");
    int readers = !strcmp(o->model, "-") + (!input || !strcmp(input, "-"));

    for (int i = 0; i < o->adapters.n; i++)
        readers += !strcmp(o->adapters.v[i], "-");
    if (readers > 1)
        die(EXIT_USAGE, "only one of model, adapters and records can come from standard input");
}

void options_suit(const struct predict_options *o, const char *mode)
{
    const struct {
        bool given;
        const char *name, *mode;
    } rows[] = {
        { o->normalize_given, "normalize", "labels" },
        { o->max_new_tokens_given, "max-new-tokens", "generate" },
        { o->stop != NULL, "stop", "generate" },
        { o->stream, "stream", "generate" },
        { o->preset != NULL, "preset", "generate" },
        { o->skip_special, "skip-special-tokens", "generate" },
        { o->loss_given, "loss", "loss" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].given && strcmp(rows[i].mode, mode) != 0)
            die(EXIT_USAGE, "--%s is for --mode %s, but the mode is %s", rows[i].name, rows[i].mode,
                mode);
    if (dtype_of_compute(o->compute) == DT_BF16X3 && !strcmp(mode, "generate"))
        die(EXIT_USAGE, "--compute-dtype bf16x3 is for many tokens at once; generate with float32, "
                        "which is as exact, and faster for one");
}

const char *const *options_parse(struct predict_options *o, int argc, char **argv)
{
    *o = defaults;
    const struct cli_opt opts[] = {
        { 'm', "model", CLI_FILE, &o->model, "MODEL", "folder or archive", .required = true },
        { 'a', "adapter", CLI_FILES, &o->adapters, "ADAPTER[=SCALE]",
          .help = "add an adapter; may be given many times" },
        { 0, "partial-adapter", CLI_FLAG, &o->partial_adapter,
          .help = "take an adapter that lacks tensors its config names" },
        { 0, "trust-adapter", CLI_FLAG, &o->trust_adapter,
          .help = "take an adapter that was trained on another base model" },
        { 0, "trust-tokens", CLI_FLAG, &o->trust_tokens,
          .help = "take ids that another tokenizer than the model's has made" },
        { 0, "mode", CLI_CHOICE, &o->mode, "labels|generate|loss|logits",
          .help = "default labels where the header has labels, else generate" },
        { 0, "preset", CLI_CHOICE, &o->preset, "seed",
          .help = "the article's: the label is a word among 3 generated tokens" },

        { 0, "normalize", CLI_CHOICE, &o->normalize, "none|length|prior", .group = "Labels",
          .given = &o->normalize_given,
          .help = "a label's score by token, or less what it has without a prompt" },

        { 0, "max-new-tokens", CLI_INT, &o->max_new_tokens, "N", .group = "Generation",
          .help = "length of a continuation", .min = 1, .max = 1 << 20,
          .given = &o->max_new_tokens_given },
        { 0, "stop", CLI_TEXT, &o->stop, "TEXT", .help = "end before this text" },
        { 0, "stream", CLI_FLAG, &o->stream, .silent = true,
          .help = "print the text on standard error as it is generated" },
        { 0, "skip-special-tokens", CLI_FLAG, &o->skip_special,
          .help = "leave special tokens, such as that of the end, out of the text" },
        { 0, "temperature", CLI_FLOAT, &o->temperature, "X", .offered = "",
          .help = "only 0: greedy" },
        { 0, "top-p", CLI_FLOAT, &o->top_p, "X", .offered = "", .help = "only 1" },
        { 0, "top-k", CLI_INT, &o->top_k, "N", .offered = "", .help = "only 0" },

        { 0, "loss", CLI_CHOICE, &o->loss, "completion|all", .group = "Loss",
          .help = "tokens that count", .given = &o->loss_given },

        { 0, "compute-dtype", CLI_CHOICE, &o->compute, "float32|bfloat16|float16|bf16x3",
          .help = "how matrix products are computed", .group = "Computing" },
        { 0, "batch-tokens", CLI_INT, &o->batch_tokens, "N", .silent = true,
          .help = "how many are computed at once", .min = 1, .max = 1 << 20 },
        { .type = CLI_END },
    };
    const struct cli cli = {
        .name = "predict",
        .synopsis = "[options] -m MODEL [-a ADAPTER[=SCALE]]... [FILE]...",
        .about = "Adds what a model says to records of tokens: labels, texts, losses or logits.",
        .opts = opts,
        .common = &o->common,
        .max_operands = -1,
    };
    const char *const *operands = cli_parse(argc, argv, &cli);

    check(o, operands[0]);
    if (o->preset)
        o->skip_special = true; /* so does the pipeline that the article used */
    if (o->stream)
        o->common.progress = "never"; /* a line that is written over would mix with the text */
    return operands;
}
