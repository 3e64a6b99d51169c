/*
 * promptify - turn labelled text into prompts for a language model.
 *
 * Adds prompt and completion to every record by filling in a template. Records are read, changed
 * and written one by one, from one of our streams or straight from a table. Man page: promptify.1.
 */
#include "answers.h"
#include "cli.h"
#include "examples.h"
#include "progress.h"
#include "share.h"
#include "split.h"
#include "template.h"
#include "verbalizer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 }; /* bytes of a template or a verbalizer */

static struct options {
    struct cli_common common;
    struct examples_options in;
    const char *template, *verbalizer, *completion;
    struct cli_list set, labels;
} o = {
    .common = CLI_COMMON_INIT,
    .in = { .table = EXAMPLES_TABLE_INIT, .may_be_lines = true },
};

/* clang-format off */
static const struct cli_opt opts[] = {
    { 't', "template", CLI_NAME, &o.template, .arg = "NAME|FILE",
      .help = "the prompt with {text} and other fields", .required = true, .group = "Prompt" },
    { 0, "verbalizer", CLI_NAME, &o.verbalizer, .arg = "NAME|FILE",
      .help = "answer for each label: lines of label, tab, answer" },
    { 0, "labels", CLI_LIST, &o.labels, .arg = "NAME|a,b,c",
      .help = "the labels and their order; another label is an error" },
    { 0, "completion", CLI_TEXT, &o.completion, .arg = "TEXT|none",
      .help = "this answer for every record, or none for any" },
    { 0, "set", CLI_LIST, &o.set, .arg = "KEY=VALUE",
      .help = "a further field for the template; may be repeated" },
    EXAMPLES_CLI(o.in),
    { 0, "lines", CLI_FLAG, &o.in.table.lines, .help = "the input is plain text, a record a line" },
    { .type = CLI_END },
};
/* clang-format on */

static const struct cli cli = {
    "promptify",
    "[options] -t TEMPLATE [FILE]",
    "Adds prompt and completion to records by filling in a template.",
    opts,
    &o.common,
    -1,
};

/* What a run works with. */
struct job {
    struct template *template;
    struct verbalizer verbalizer; /* labels.n 0: the label is the answer */
    struct labels of_template;    /* what its answers are to be; n 0: anything */
    struct labels labels;         /* of the output; n 0: not known */
    struct buf list;              /* their answers, for a template that names {labels} */
    struct template_values values;
    uint8_t template_digest[SHA256_BYTES], verbalizer_digest[SHA256_BYTES];
};

/* What stands for LABEL: the verbalizer's answer or the label itself; NULL: the verbalizer has
 * none. */
static const char *answer_of(const struct job *j, const char *label, size_t *n)
{
    if (j->verbalizer.labels.n == 0)
        return label;
    label = verbalizer_answer(&j->verbalizer, label, *n);
    *n = label ? strlen(label) : 0;
    return label;
}

/* The text of share/KIND/NAME+SUFFIX (1), else of the file NAME (0); the digest is the file's. */
static int load(struct buf *text, const char *kind, const char *name, const char *suffix,
                uint8_t digest[SHA256_BYTES])
{
    char *path = NULL;
    const int found = share_find(&path, kind, name, suffix);

    if (found <= 0 && access(name, F_OK) < 0)
        return -1;
    int rc = read_file(text, path ? path : name, FILE_MAX);

    free(path);
    if (rc == 0) {
        sha256_of(text->p, text->n, digest);
        rc = text_tidy(text, name);
    }
    return rc < 0 ? -1 : found > 0;
}

/* The template, and where it is one of share's the labels it is made for. */
static int load_template(struct job *j)
{
    struct buf text = BUF_INIT;
    int rc = load(&text, "templates", o.template, ".txt", j->template_digest);
    const bool shared = rc > 0;

    if (rc >= 0)
        rc = template_parse(&j->template, o.template, text.p, text.n);
    if (rc >= 0 && !o.completion && template_prompt_names(j->template, "label"))
        warn("%s: {label} stands in the prompt, which gives the answer away; write {completion} "
             "where the answer goes",
             o.template);
    if (rc >= 0 && shared)
        rc = labels_of_set(&j->of_template, o.template);
    buf_free(&text);
    return rc < 0 ? -1 : 0;
}

static int load_verbalizer(struct job *j)
{
    struct buf text = BUF_INIT;
    int rc = load(&text, "verbalizers", o.verbalizer, "", j->verbalizer_digest);

    if (rc >= 0)
        rc = verbalizer_parse(&j->verbalizer, o.verbalizer, text.p, text.n);
    buf_free(&text);
    return rc;
}

static int prepare(struct job *j)
{
    for (int i = 0; i < o.set.n; i++)
        if (!strchr(o.set.v[i], '=') || o.set.v[i][0] == '=')
            return err_set(EXIT_USAGE, "--set '%s' is not KEY=VALUE", o.set.v[i]);
    if (load_template(j) < 0 || (o.verbalizer && load_verbalizer(j) < 0))
        return -1;
    return o.labels.n ? labels_load(&j->labels, &o.labels) : 0;
}

/* ---- labels ---- */

/* The labels are those of --labels, else of the input, the verbalizer, or the template. */
static void find_labels(struct job *j, const struct labels *input)
{
    const struct labels *in_turn[] = { input, &j->verbalizer.labels, &j->of_template };

    for (size_t i = 0; j->labels.n == 0 && i < sizeof in_turn / sizeof *in_turn; i++)
        for (int k = 0; in_turn[i] && k < in_turn[i]->n; k++) /* answers are made anew */
            labels_add(&j->labels, in_turn[i]->name[k], strlen(in_turn[i]->name[k]));
}

static int check_fit(const struct job *j)
{
    if (o.completion)
        return 0;
    return o.verbalizer ? answers_of_verbalizer(&j->labels, &j->verbalizer.labels, o.verbalizer)
                        : answers_of_template(&j->labels, &j->of_template, o.template);
}

/* What a template may list. */
static void list_answers(struct job *j)
{
    struct labels answers = { 0 };

    for (int i = 0; i < j->labels.n; i++) {
        size_t n = strlen(j->labels.name[i]);
        const char *answer = answer_of(j, j->labels.name[i], &n);

        if (answer)
            labels_add(&answers, answer + strspn(answer, " \n"), n - strspn(answer, " \n"));
    }
    labels_list(&answers, &j->list);
    labels_free(&answers);
    j->values = (struct template_values){ &o.set, j->labels.n ? j->list.p : NULL };
}

static bool is_test(const struct record *rec)
{
    const char *split;

    return record_split(rec, &split) > 0 && !strcmp(split, "test");
}

/* What a record's completion is made of: 1, 0 when it gets none, -1 when its label is unknown. A
 * record to test on gets none, but its label has to be one that can be predicted. */
static int find_answer(const struct job *j, struct record *rec, const char **answer, size_t *n)
{
    const int has = record_get_text(rec, "label", answer, n);

    if (has < 0)
        return -1;
    if (has > 0 && j->labels.n > 0 && labels_find(&j->labels, *answer, *n) < 0)
        return label_refuse(&j->labels, *answer, *n, "correct it, or give its --verbalizer");
    if (o.completion) {
        *answer = o.completion;
        *n = strlen(o.completion);
        return strcmp(o.completion, "none") != 0 && !is_test(rec);
    }
    if (has == 0) /* a table of prompts and completions has no labels */
        return is_test(rec) ? 0 : record_get_text(rec, "completion", answer, n);
    *answer = answer_of(j, *answer, n);
    return *answer ? !is_test(rec) : -1;
}

struct scratch {
    struct buf prompt, completion;
};

/* Whether REC has a text FIELD that its text OTHER does not say as well. */
static bool has_own(struct record *rec, const char *field, const char *other)
{
    const char *text, *same;
    size_t n, m;

    return record_get_text(rec, field, &text, &n) > 0 &&
           !(record_get_text(rec, other, &same, &m) > 0 && m == n && !memcmp(text, same, n));
}

/* The field of a table, or of another program, that promptify's takes the place of and that is
 * in neither the prompt nor the completion. NULL: none. */
static const char *lost_field(const struct job *j, struct record *rec)
{
    const char *label;
    size_t n;

    if (has_own(rec, "prompt", "text") && !template_prompt_names(j->template, "prompt"))
        return "prompt";
    if (has_own(rec, "completion", "label") &&
        (o.completion || is_test(rec) || record_get_text(rec, "label", &label, &n) > 0))
        return "completion";
    return NULL;
}

/* Gives REC its prompt and completion. */
static int complete(const struct job *j, struct record *rec, struct scratch *s)
{
    const char *answer;
    size_t n;
    const int has = find_answer(j, rec, &answer, &n);

    if (has < 0 || template_prompt(j->template, rec, &j->values, &s->prompt) < 0 ||
        (has && template_completion(j->template, rec, &j->values, answer, n, &s->completion) < 0))
        return -1;
    record_set_text(rec, "prompt", s->prompt.p, s->prompt.n);
    if (has)
        record_set_text(rec, "completion", s->completion.p, s->completion.n);
    else
        record_remove(rec, "completion");
    return 0;
}

static int put_all(struct writer *w, struct examples *in, const struct job *j)
{
    struct progress *progress = progress_open(&o.common, "records", -1);
    struct scratch s = { 0 };
    struct record *rec;
    bool warned = false;
    int64_t n = 0;
    int got;

    while ((got = examples_next(in, &rec)) > 0) {
        const char *lost = warned ? NULL : lost_field(j, rec);

        if (lost) {
            warn("%s: has a %s of its own, which is not kept; give that field another name if it "
                 "should be",
                 examples_place(in), lost);
            warned = true;
        }
        if (complete(j, rec, &s) < 0)
            got = err_in("%s", examples_place(in));
        else
            got = writer_put(w, rec);
        if (got < 0)
            break;
        progress_to(progress, ++n);
    }
    progress_close(progress);
    buf_free(&s.prompt);
    buf_free(&s.completion);
    return got;
}

/* Tells predict which completion stands for each label. A template whose completion depends on the
 * record has no such thing, and neither has --completion. */
static int note_answers(struct job *j)
{
    struct record *none = record_new();
    struct buf completion = BUF_INIT;
    struct labels noted;
    bool all = !o.completion;

    labels_copy(&noted, &j->labels);
    for (int i = 0; all && i < noted.n; i++) {
        size_t n = strlen(noted.name[i]);
        const char *answer = answer_of(j, noted.name[i], &n);

        all = answer &&
              template_completion(j->template, none, &j->values, answer, n, &completion) == 0;
        if (all)
            labels_set_answer(&noted, i, completion.p, completion.n);
    }
    labels_free(all ? &j->labels : &noted);
    if (all)
        j->labels = noted;
    buf_free(&completion);
    record_free(none);
    return all && j->labels.n ? answers_differ(&j->labels) : 0;
}

int main(int argc, char **argv)
{
    const char *const *files = cli_parse(argc, argv, &cli);
    struct job job = { 0 };
    struct examples *in;
    struct writer *out;

    if (prepare(&job) < 0 || examples_open(&in, files, &o.in, &o.common) < 0)
        die_err();
    find_labels(&job, examples_reader(in) ? reader_labels(examples_reader(in)) : NULL);
    list_answers(&job);
    if (check_fit(&job) < 0 || note_answers(&job) < 0)
        die_err();
    if (writer_open(&out, &o.common, KIND_PROMPTS, &job.labels, examples_reader(in), NULL) < 0)
        die_err();
    writer_input(out, "template", job.template_digest);
    if (o.verbalizer)
        writer_input(out, "verbalizer", job.verbalizer_digest);
    if (put_all(out, in, &job) < 0 || examples_finish(in, out) < 0 || writer_commit(out) < 0)
        die_err();
    examples_close(in);
    labels_free(&job.labels);
    labels_free(&job.of_template);
    buf_free(&job.list);
    verbalizer_free(&job.verbalizer);
    template_free(job.template);
    return 0;
}
