/*
 * split-stratified - divide labelled rows into train, eval and test.
 *
 * Reads a table, or one of our streams, as a whole; writes every chosen row with the field split,
 * in the order train, eval, test. Which rows: sample.h. Man page: split-stratified.1.
 */
#include "audit.h"
#include "cli.h"
#include "examples.h"
#include "outfile.h"
#include "split_rows.h"
#include "sample.h"
#include "stream.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    AHEAD = 16,      /* rows that are asked for beforehand */
    BATCH = 1 << 17, /* bytes of rows that are written at a time */
};

struct options {
    struct cli_common common;
    struct examples_options in;
    const char *size[PARTS];
    const char *compat, *recipe;
    struct cli_list labels;
    const char *max_memory;
    int64_t sample;
    bool per_class, eval_replace, audit;
};

static struct options o = {
    .common = CLI_COMMON_INIT,
    .in = { .table = EXAMPLES_TABLE_INIT, .labelled = true },
};

/* clang-format off */
static const struct cli_opt opts[] = {
    { 0, "train", CLI_TEXT, &o.size[TRAIN], .arg = "N|FRACTION",
      .help = "rows to learn from; default: what test and eval leave", .group = "How many" },
    { 0, "test", CLI_TEXT, &o.size[TEST], .arg = "N|FRACTION",
      .help = "rows to test on; default: what train and eval leave, or 0.25" },
    { 0, "eval", CLI_TEXT, &o.size[EVAL], .arg = "N|FRACTION",
      .help = "rows to watch training with; default: none" },
    { 0, "per-class", CLI_FLAG, &o.per_class, .help = "these numbers are per label" },
    { 0, "sample", CLI_INT, &o.sample, .arg = "N", .min = 1, .max = 1e15,
      .help = "divide so many rows at most, drawn label by label" },
    { 0, "eval-replace", CLI_FLAG, &o.eval_replace, .help = "draw eval with replacement" },
    { 0, "compat", CLI_CHOICE, &o.compat, .arg = "sklearn",
      .help = "train and test as train_test_split gives them", .group = "Which rows" },
    { 0, "recipe", CLI_CHOICE, &o.recipe, .arg = "seed",
      .help = "the article's split: 900, 150 and 900 rows, with its leak" },
    { 0, "labels", CLI_LIST, &o.labels, .arg = "NAME|a,b,c",
      .help = "the label set and its order; another label is an error" },
    { 0, "audit", CLI_FLAG, &o.audit,
      .help = "report duplicates, conflicting labels and overlap; exit 1 on overlap", .silent = true },
    { 0, "max-memory", CLI_TEXT, &o.max_memory, .arg = "SIZE", .silent = true,
      .help = "for the rows, as 512M or 8G; default: half of the machine's" },
    EXAMPLES_CLI(o.in),
    { .type = CLI_END },
};
/* clang-format on */

static const struct cli cli = {
    "split-stratified",
    "[options] [FILE]",
    "Divides labelled rows into train, eval and test, label by label.",
    opts,
    &o.common,
    -1,
};

/* Bytes: a number, with K, M, G or T behind it. */
static int parse_size(int64_t *bytes, const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    const long long n = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;

    if (text[0] < '0' || text[0] > '9' || (*end && (!unit || end[1])) || n < 1 ||
        n > INT64_MAX >> shift)
        return err_set(EXIT_USAGE, "--max-memory '%s' is not a number of bytes, as 512M or 8G",
                       text);
    *bytes = (int64_t)n << shift;
    return 0;
}

static int find_memory(int64_t *bytes)
{
    if (o.max_memory)
        return parse_size(bytes, o.max_memory);
    *bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 2;
    return 0;
}

static int make_plan(struct sample_plan *plan)
{
    *plan = (struct sample_plan){ .per_class = o.per_class,
                                  .eval_replace = o.eval_replace,
                                  .most = o.sample,
                                  .seed = (uint32_t)o.common.seed };
    if (o.common.seed < 0 || o.common.seed > UINT32_MAX)
        return err_set(EXIT_USAGE, "--seed must be from 0 to 4294967295 here, as for numpy");
    if (o.recipe && (o.compat || o.per_class || o.eval_replace))
        return err_set(EXIT_USAGE, "--recipe sets --compat, --per-class and --eval-replace itself");
    if (o.recipe && (o.labels.n || (o.in.label && !strcmp(o.in.label, "none"))))
        return err_set(EXIT_USAGE,
                       "--recipe is for the article's labels: positive, neutral, negative");
    if (o.labels.n && o.in.label && !strcmp(o.in.label, "none"))
        return err_set(EXIT_USAGE, "--label none leaves no labels for --labels");
    if (o.sample && (o.recipe || o.compat))
        return err_set(EXIT_USAGE, "--sample is not for --%s, which draws from all rows",
                       o.recipe ? "recipe" : "compat");
    if (o.eval_replace && !o.size[EVAL])
        return err_set(EXIT_USAGE, "--eval-replace needs --eval");
    for (int part = 0; part < PARTS; part++) {
        if (o.size[part] && o.recipe)
            return err_set(EXIT_USAGE, "--recipe sets --%s itself", part_name[part]);
        if (o.size[part] && size_parse(&plan->size[part], part_name[part], o.size[part]) < 0)
            return -1;
    }
    return 0;
}

static int choose(struct sample *s, const struct rows *r, const struct sample_plan *plan)
{
    struct population p;
    int rc;

    population_init(&p, r->class_of, r->first, r->n, (const char *const *)r->labels.name,
                    r->labels.n);
    if (o.recipe)
        rc = sample_seed(s, &p, plan->seed);
    else
        rc = o.compat ? sample_sklearn(s, &p, plan) : sample_own(s, &p, plan);
    population_free(&p);
    return rc;
}

/* Says what the parts share; returns the number of texts, 0 where nobody wants to know it. */
static int64_t say_leak(const struct sample *s, const struct rows *r)
{
    if (o.recipe)
        warn("the article's flaw: of %lld eval draws %lld are train rows and %lld are test rows; "
             "without --recipe no row is in two parts",
             (long long)s->n[EVAL], (long long)sample_overlap(s, EVAL, TRAIN, r->n),
             (long long)sample_overlap(s, EVAL, TEST, r->n));
    if (o.audit)
        return audit(r, s, true);
    if (o.recipe || o.common.quiet)
        return 0;
    const int64_t texts = audit(r, s, false);

    if (texts > 0)
        warn("%lld text%s in more than one part, in several rows each; --audit lists them",
             (long long)texts, texts == 1 ? " is" : "s are");
    return 0;
}

/* A label of the data that PART, which has rows, has none of. */
static void say_missing(const struct sample *s, const struct rows *r, enum part part)
{
    struct labels missing = { 0 };
    struct buf names = BUF_INIT;
    bool *there = xcalloc((size_t)r->labels.n + 1, sizeof *there);
    bool *wanted = xcalloc((size_t)r->labels.n + 1, sizeof *wanted);

    for (int64_t i = 0; i < r->n; i++)
        wanted[r->class_of[i]] = true;
    for (int64_t i = 0; i < s->n[part]; i++)
        there[r->class_of[s->row[part][i]]] = true;
    for (int c = 0; c < r->labels.n; c++)
        if (wanted[c] && !there[c])
            labels_add(&missing, r->labels.name[c], strlen(r->labels.name[c]));
    labels_list(&missing, &names);
    if (missing.n)
        warn("%s has no row of %s; give it more rows, or the sizes by class with --per-class",
             part_name[part], names.p);
    buf_free(&names);
    labels_free(&missing);
    free(there);
    free(wanted);
}

static void say_replaced(const struct table *t)
{
    if (t && table_replaced_rows(t) > 0)
        warn("%s: %lld rows have bytes that are not UTF-8; U+FFFD stands for them%s", table_name(t),
             (long long)table_replaced_rows(t), o.recipe ? ", as in the article" : "");
}

/* The chosen rows, in the order of the sample. */
static int put(struct writer *w, struct rows *r, const struct sample *s)
{
    struct buf batch = BUF_INIT;
    int64_t n = 0;
    int rc = 0;

    for (int part = 0; part < PARTS; part++)
        for (int64_t i = 0; rc == 0 && i < s->n[part]; i++) {
            if (i + 2 * AHEAD < s->n[part])
                rows_expect(r, s->row[part][i + AHEAD], s->row[part][i + 2 * AHEAD]);
            rc = rows_put(r, s->row[part][i], part_name[part], &batch);
            n++;
            if (rc == 0 && batch.n >= BATCH) {
                rc = writer_put_encoded(w, &batch, n);
                n = 0;
            }
        }
    if (rc == 0)
        rc = writer_put_encoded(w, &batch, n);
    buf_free(&batch);
    return rc;
}

int main(int argc, char **argv)
{
    static const char article_set[] = "financial-sentiment";
    static const struct labels no_labels;
    const char *const *files = cli_parse(argc, argv, &cli);
    const bool labels_wanted = o.labels.n > 0 || o.recipe;
    struct labels labels = { 0 };
    struct label_rule rule = { .set = article_set };
    struct examples *in;
    struct writer *out;
    struct sample sample;
    struct sample_plan plan;
    struct rows rows;
    int64_t memory = 0;
    struct progress *progress;

    if (make_plan(&plan) < 0 || find_memory(&memory) < 0 ||
        (o.labels.n && labels_load(&labels, &o.labels) < 0) ||
        (!o.labels.n && o.recipe && labels_of_set(&labels, article_set) <= 0))
        die_err();
    if (o.recipe)
        o.in.auto_encoding = "utf-8:replace";
    if (outfile_try(o.common.output, o.common.force, true) < 0 ||
        examples_open(&in, files, &o.in, &o.common) < 0)
        die_err();
    rule.known = labels_wanted ? &labels : NULL;
    rule.none = o.in.label && !strcmp(o.in.label, "none");
    rule.refusal = o.recipe ? "correct it, choose the column with --label, or leave --recipe out"
                            : "correct it or name it in --labels";
    rows_init(&rows, memory);
    progress = progress_open(&o.common, "rows", -1);
    if (rows_read(&rows, in, &rule, progress) < 0)
        die_err();
    progress_close(progress);
    say_replaced(examples_table(in));
    if (choose(&sample, &rows, &plan) < 0) {
        if (err_code() == EXIT_DATA)
            (void)err_in("%s", examples_name(in));
        die_err();
    }
    if (writer_open(&out, &o.common, KIND_EXAMPLES, rule.none ? &no_labels : &rows.labels,
                    examples_reader(in), NULL) < 0 ||
        put(out, &rows, &sample) < 0 || examples_finish(in, out) < 0)
        die_err();
    if (rows.labels.n == 1 && !rule.none)
        warn("%s: all rows have the label '%s', so there is nothing to tell apart",
             examples_name(in), rows.labels.name[0]);
    const int64_t overlap = say_leak(&sample, &rows);

    for (int part = 0; part < PARTS; part++)
        if (sample.n[part] > 0)
            say_missing(&sample, &rows, (enum part)part);

    if (writer_commit(out) < 0) /* behind it nothing may fail */
        die_err();
    if (rows.had_split)
        warn("%s: has a split of its own, which is replaced; promptify takes it as it is",
             examples_name(in));
    sample_free(&sample);
    rows_free(&rows);
    labels_free(&labels);
    examples_close(in);
    return overlap > 0 ? err_unmet() : 0;
}
