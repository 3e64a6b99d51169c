/*
 * peek - look into streams, models and adapters; make a stream from JSON lines.
 *
 * The lens on our binary files: every view reads its input to the end and checks it, so that what
 * peek prints without an error is all of a whole file. Man page: peek.1.
 */
#include "view.h"
#include "watch.h"

#include <string.h>
#include <unistd.h>

/* A view and the option that asks for it. */
struct view_choice {
    const char *option;
    bool on;
    int (*run)(const struct peek *p);
    bool whole; /* it shows a file as a whole, not some of its records */
};

/* The one that was asked for; NULL when none was. */
static const struct view_choice *chosen(const struct view_choice *c, size_t n)
{
    const struct view_choice *one = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!c[i].on)
            continue;
        if (one)
            die(EXIT_USAGE, "%s and %s exclude each other; give one of them", one->option,
                c[i].option);
        one = &c[i];
    }
    return one;
}

/* Opens the output for text, runs the view and puts the output in its place. */
static int run(struct peek *p, int (*view)(const struct peek *p))
{
    if (view == make_stream || view == view_tensorboard)
        return view(p);
    if (outfile_open(&p->out, p->common.output, p->common.force, false) < 0)
        return -1;
    p->to_terminal = !strcmp(p->common.output, "-") && isatty(STDOUT_FILENO);
    const int rc = view(p);

    if (rc < 0 || watch_check() < 0) {
        outfile_abort(p->out);
        return -1;
    }
    return outfile_commit(p->out) < 0 ? -1 : rc;
}

static bool chooses_records(const struct peek *p)
{
    return p->common.limit >= 0 || p->common.limit_per || p->common.only.n;
}

/* A log is not a stream, and its file has a name of its own. */
static void check_log(const struct peek *p)
{
    if (strcmp(p->common.output, "-") != 0)
        die(EXIT_USAGE, "--tensorboard names its file itself; leave out --output");
    if (p->paths[0] && p->paths[1])
        die(EXIT_USAGE, "--tensorboard takes one log; give each run a folder of its own");
}

int main(int argc, char **argv)
{
    struct peek p = { .common = CLI_COMMON_INIT };
    bool jsonl = false, header = false, chain = false, count = false, verify = false,
         tokens = false;
    bool tensors = false, devices = false, from_jsonl = false;
    int64_t head = -1;
    const struct cli_opt opts[] = {
        { 0, "jsonl", CLI_FLAG, &jsonl,
          .help = "records as JSON lines; what a stream gets by default", .group = "Views" },
        { 0, "text", CLI_TEXT, &p.text, .arg = "FIELD",
          .help = "one field as plain text, a record a line" },
        { 0, "tsv", CLI_TEXT, &p.tsv, .arg = "FIELDS",
          .help = "fields, with commas between them, as tab-separated columns" },
        { 0, "csv", CLI_TEXT, &p.csv, .arg = "FIELDS", .help = "the same, comma-separated" },
        { 0, "header", CLI_FLAG, &header, .help = "the stream's header as JSON" },
        { 0, "chain", CLI_FLAG, &chain,
          .help = "which tools made the stream with which options and inputs" },
        { 0, "count", CLI_FLAG, &count, .help = "number of records" },
        { 0, "tally", CLI_TEXT, &p.tally, .arg = "FIELD[,FIELD]",
          .help = "how many records have each value, or each pair: label,split" },
        { 0, "verify", CLI_FLAG, &verify,
          .help = "say that the files are whole, or what is wrong (exit 65)" },
        { 0, "tokens", CLI_FLAG, &tokens,
          .help = "one token a line, with what each --loss learns; needs --model" },
        { 0, "tensors", CLI_FLAG, &tensors,
          .help =
              "tensors of a model, an adapter or a .safetensors file; what these get by default" },
        { 0, "file", CLI_TEXT, &p.file, .arg = "NAME",
          .help = "one file of a model or an adapter as it is, as config.json" },
        { 0, "diff", CLI_FILE, &p.diff, .arg = "FILE",
          .help = "first difference from this stream or model (exit 1)" },
        { 0, "tensorboard", CLI_FILE, &p.tensorboard, .arg = "DIR",
          .help = "the lines of lora-train --metrics as an event file for TensorBoard" },
        { 0, "devices", CLI_FLAG, &devices,
          .help = "what --device may name on this machine, and what cannot be used" },
        { 0, "head", CLI_INT, &head, .arg = "N", .help = "show only the first N records",
          .max = 9e15, .group = "Choices" },
        { 0, "with-header", CLI_FLAG, &p.with_header,
          .help = "a first line of JSON that says what the header says" },
        { 'm', "model", CLI_FILE, &p.model, .arg = "MODEL",
          .help = "whose tokenizer --tokens uses" },
        { 0, "trust-tokens", CLI_FLAG, &p.trust_tokens,
          .help = "show ids that another tokenizer has made" },
        { 0, "from-jsonl", CLI_FLAG, &from_jsonl, .help = "make a stream from JSON lines",
          .group = "Making a stream" },
        { 0, "kind", CLI_CHOICE, &p.kind, .arg = "examples|prompts|tokens|predictions",
          .help = "its kind; else the header's, or examples" },
        { 0, "header-from", CLI_FILE, &p.header_from, .arg = "STREAM",
          .help = "take kind, labels, answers and chain over from this stream" },
        { 0, "labels", CLI_LIST, &p.labels, .arg = "NAME|a,b,c",
          .help = "its labels; else the header's, or those of the field label, sorted" },
        { .type = CLI_END },
    };
    const struct cli cli = {
        "peek",
        "[options] [FILE]...",
        "Looks into streams, models and adapters; makes a stream from JSON lines.",
        opts,
        &p.common,
        -1
    };

    p.paths = cli_parse(argc, argv, &cli);
    const struct view_choice choices[] = {
        { "--jsonl", jsonl, view_jsonl, false },
        { "--text", p.text, view_text, false },
        { "--tsv", p.tsv, view_tsv, false },
        { "--csv", p.csv, view_csv, false },
        { "--header", header, view_header, true },
        { "--chain", chain, view_chain, true },
        { "--count", count, view_count, false },
        { "--tally", p.tally, view_tally, false },
        { "--verify", verify, view_verify, true },
        { "--tokens", tokens, view_tokens, false },
        { "--tensors", tensors, view_tensors, true },
        { "--diff", p.diff, view_diff, false },
        { "--file", p.file, view_file, true },
        { "--tensorboard", p.tensorboard, view_tensorboard, true },
        { "--devices", devices, view_devices, true },
        { "--from-jsonl", from_jsonl, make_stream, false },
    };
    const struct view_choice *one = chosen(choices, sizeof choices / sizeof *choices);
    const struct view_choice by_default =
        !one && holds_tensors(first_path(&p))
            ? (struct view_choice){ "--tensors", true, view_tensors, true }
            : (struct view_choice){ "--jsonl", true, view_jsonl, false };
    const struct view_choice *view = one ? one : &by_default;

    if (tokens != !!p.model)
        die(EXIT_USAGE, tokens ? "--tokens needs --model, whose tokenizer made the ids"
                               : "--model goes with --tokens");
    if (p.trust_tokens && !tokens)
        die(EXIT_USAGE, "--trust-tokens is about --tokens; leave it out");
    if (view->whole && (head >= 0 || chooses_records(&p)))
        die(EXIT_USAGE,
            "%s is about whole files; leave out --head, --limit, --limit-per and --only",
            view->option);
    if (p.tensorboard)
        check_log(&p);
    if (!from_jsonl && (p.kind || p.labels.n || p.header_from))
        die(EXIT_USAGE, "--kind, --labels and --header-from go with --from-jsonl");
    if (p.with_header && ((one && !jsonl && !from_jsonl) || p.header_from))
        die(EXIT_USAGE, "--with-header goes with --jsonl, or with --from-jsonl alone");
    if (head >= 0 && (p.common.limit < 0 || head < p.common.limit))
        p.common.limit = head;
    const int rc = run(&p, view->run);

    if (rc < 0)
        die_err();
    return rc;
}
