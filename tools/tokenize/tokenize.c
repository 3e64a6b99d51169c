/*
 * tokenize - turn text into token ids, exactly as Hugging Face does, and ids into text.
 *
 * Reads examples or prompts (or plain lines), adds ids and n_prompt to each record. --decode reads
 * tokens or predictions and adds text. Man page: tokenize.1.
 */
#include "token_batch.h"
#include "cli.h"
#include "err.h"
#include "outfile.h"
#include "progress.h"
#include "stream.h"
#include "table.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

struct options {
    const char *model, *truncation;
    bool lines, count, trust, specials;
    bool given_field, given_max_length, given_truncation;
};

struct totals {
    int64_t records, cut;
    uint64_t ids, min, max, voids;
};

/* ---- input: records of a stream, or lines ---- */

struct input {
    struct reader *reader; /* one of the two is NULL */
    struct table *table;
    int64_t limit, n;
};

static int input_open(struct input *in, const struct options *o, const struct work *work,
                      const struct cli_common *common, const char *const *paths)
{
    const struct table_options lines = { .encoding = "utf-8",
                                         .threads = common->threads,
                                         .lines = true };
    const int kinds = work->decode ? KIND_TOKENS | KIND_PREDICTIONS : KIND_EXAMPLES | KIND_PROMPTS;

    *in = (struct input){ .limit = common->limit };
    if (!o->lines)
        return reader_open(&in->reader, paths, kinds, common);
    return table_open(&in->table, paths[0] ? paths[0] : "-", &lines);
}

static void input_close(struct input *in)
{
    reader_close(in->reader);
    table_close(in->table);
}

static bool at_limit(const struct input *in)
{
    return in->limit >= 0 && in->n >= in->limit;
}

static int add_line(struct token_batch *b, struct input *in)
{
    const struct cell *cell;

    if (at_limit(in)) /* lines have no end that must be seen, and may have none at all */
        return 0;
    const int got = table_next(in->table, &cell);

    if (got > 0)
        token_batch_add_line(b, cell->p, cell->n, table_row(in->table), table_name(in->table));
    return got;
}

static int add_record(struct token_batch *b, struct input *in)
{
    struct record *rec;
    const int got = reader_next(in->reader, &rec);

    if (got > 0)
        token_batch_add(b, rec, in->n, reader_name(in->reader));
    return got;
}

/* Fills B: 1 when there may be more, 0 at the end, -1 on failure. */
static int fill(struct token_batch *b, struct input *in)
{
    int got = 1;

    token_batch_clear(b);
    while (got > 0 && !token_batch_full(b)) {
        got = in->reader ? add_record(b, in) : add_line(b, in);
        in->n += got > 0;
    }
    return got;
}

/* ---- output ---- */

static void add_totals(struct totals *t, const struct done *d)
{
    const uint64_t n = d->n_ids;

    t->min = !t->records || n < t->min ? n : t->min;
    t->max = n > t->max ? n : t->max;
    t->ids += n;
    t->cut += d->cut;
    t->voids += d->n_void;
    t->records++;
}

struct run {
    struct input *in;
    const struct work *work;
    struct writer *writer; /* NULL: only count */
    struct totals *totals;
    struct worker *workers;
    struct progress *progress;
};

/* Writes what has been done. */
static int put(const struct run *r, struct token_batch *b)
{
    for (int i = 0; i < b->n; i++) {
        add_totals(r->totals, &b->item[i].done);
        if (r->writer && writer_put(r->writer, b->item[i].rec) < 0)
            return -1;
    }
    progress_to(r->progress, r->totals->records);
    return 0;
}

/* By the first thread of the team: while the others work on one batch, the one before is written
 * and the next one read. */
static int pump(const struct run *r)
{
    struct token_batch batch[2], *now = batch, *other = batch + 1;
    int rc = 0;

    token_batch_init(now);
    token_batch_init(other);
    int more = fill(now, r->in);

    while (more >= 0 && rc == 0 && now->n) {
        struct token_batch *const done = now;

        token_batch_begin(now, r->work, r->workers);
        rc = put(r, other);
        token_batch_clear(other);
        if (rc == 0 && more)
            more = fill(other, r->in);
        token_batch_wait();
        if (rc == 0)
            rc = token_batch_check(now, r->work, r->workers);
        now = other;
        other = done;
    }
    if (more < 0)
        rc = -1;
    if (rc == 0)
        rc = put(r, other);
    token_batch_free(batch);
    token_batch_free(batch + 1);
    return rc;
}

/* All records of IN through WORK, to W unless that is NULL. */
static int run(struct input *in, const struct work *work, struct writer *w, struct totals *t,
               const struct cli_common *common)
{
    const int threads = threads_use(common->threads);
    const struct run r = {
        .in = in,
        .work = work,
        .writer = w,
        .totals = t,
        .workers = xcalloc((size_t)threads, sizeof *r.workers),
        .progress = progress_open(common, "records", common->limit),
    };
    int rc = 0;

#pragma omp parallel num_threads(threads)
#pragma omp master
    rc = pump(&r);
    progress_close(r.progress);
    for (int i = 0; i < threads; i++)
        worker_free(r.workers + i);
    free(r.workers);
    return rc;
}

static int tell_inputs(struct writer *w, struct input *in, const struct work *work)
{
    uint8_t digest[SHA256_BYTES];

    tokenizer_digest(work->tokenizer, digest);
    writer_input(w, "tokenizer", digest);
    if (!in->table || at_limit(in)) /* what was not read has no digest */
        return 0;
    if (table_digest(in->table, digest) < 0)
        return -1;
    writer_input(w, "table", digest);
    return 0;
}

/* Ids mean nothing to another tokenizer than the one that made them. */
static int open_decoded(struct writer **w, struct input *in, const uint8_t tokenizer[SHA256_BYTES],
                        const struct options *o, const struct cli_common *common)
{
    if (!o->trust && reader_check_tokenizer(in->reader, tokenizer) < 0)
        return -1;
    return writer_open(w, common, reader_kind(in->reader), NULL, in->reader, NULL);
}

static void write_stream(struct input *in, const struct work *work, struct totals *t,
                         const struct options *o, const struct cli_common *common)
{
    uint8_t digest[SHA256_BYTES];
    struct writer *w;

    tokenizer_digest(work->tokenizer, digest);
    const struct stream_entry says = { .tokenizer = digest };
    const int rc = work->decode ? open_decoded(&w, in, digest, o, common)
                                : writer_open(&w, common, KIND_TOKENS, NULL, in->reader, &says);

    if (rc < 0 || run(in, work, w, t, common) < 0 || tell_inputs(w, in, work) < 0 ||
        writer_commit(w) < 0)
        die_err();
}

static void write_counts(struct input *in, const struct work *work, struct totals *t,
                         const struct cli_common *common)
{
    struct outfile *f;
    struct buf text = BUF_INIT;

    if (outfile_open(&f, common->output, common->force, false) < 0 ||
        run(in, work, NULL, t, common) < 0)
        die_err();
    buf_printf(&text, "records\t%lld\ntokens\t%llu\nmin\t%llu\nmean\t%.2f\nmax\t%llu\n",
               (long long)t->records, (unsigned long long)t->ids, (unsigned long long)t->min,
               t->records ? (double)t->ids / (double)t->records : 0.0, (unsigned long long)t->max);
    if (outfile_write(f, text.p, text.n) < 0 || outfile_commit(f) < 0)
        die_err();
    buf_free(&text);
}

/* ---- the command line ---- */

static void check_usage(const struct options *o, const struct work *work,
                        const struct cli_common *common, const char *const *paths)
{
    if (work->decode &&
        (o->lines || o->count || o->given_max_length || work->add_eos || o->specials))
        die(EXIT_USAGE, "--decode goes with none of --lines, --count, --max-length, --add-eos, "
                        "--add-special-tokens");
    if (o->trust && !work->decode)
        die(EXIT_USAGE, "--trust-tokens is about --decode; leave it out");
    if (o->lines && (o->given_field || common->only.n || common->limit_per))
        die(EXIT_USAGE,
            "--lines goes with none of --field, --only, --limit-per; a line has no fields");
    if (o->given_truncation && !o->given_max_length)
        die(EXIT_USAGE, "--truncation needs --max-length");
    if (o->lines && paths[0] && paths[1])
        die(EXIT_USAGE, "--lines reads one file");
}

static enum truncation truncation_of(const char *name)
{
    return !strcmp(name, "right")  ? TRUNCATE_RIGHT
           : !strcmp(name, "left") ? TRUNCATE_LEFT
                                   : TRUNCATE_ERROR;
}

int main(int argc, char **argv)
{
    struct cli_common common = CLI_COMMON_INIT;
    struct options o = { .truncation = "error" };
    struct work work = { .max_length = -1 };
    struct totals totals = { 0 };
    struct input in;
    const struct cli_opt opts[] = {
        { 'm', "model", CLI_FILE, &o.model, "DIR|FILE", "a model, or a tokenizer.json",
          .required = true },
        { 0, "field", CLI_TEXT, &work.field, "NAME",
          "tokenize this field instead of prompt + completion, else text",
          .given = &o.given_field },
        { 0, "max-length", CLI_INT, &work.max_length, "N", "no record may have more ids", .min = 1,
          .max = 1e9, .given = &o.given_max_length },
        { 0, "truncation", CLI_CHOICE, &o.truncation, "right|left|error",
          "what to do with a longer one: cut its end, cut its beginning, stop",
          .given = &o.given_truncation },
        { 0, "add-eos", CLI_FLAG, &work.add_eos,
          .help = "append the end-of-text id, except to a prompt that waits for its completion" },
        { 0, "add-special-tokens", CLI_FLAG, &o.specials,
          .help = "put the tokens around a text that the tokenizer's post-processor adds" },
        { 0, "decode", CLI_FLAG, &work.decode,
          .help = "the other way: add text from ids (or from --field)" },
        { 0, "trust-tokens", CLI_FLAG, &o.trust,
          .help = "decode ids that another tokenizer has made" },
        { 0, "lines", CLI_FLAG, &o.lines, .help = "the input is plain text, a record a line" },
        { 0, "count", CLI_FLAG, &o.count,
          .help = "print numbers of records and tokens instead of a stream" },
        { .type = CLI_END },
    };
    const struct cli cli = {
        "tokenize",
        "[options] -m MODEL [FILE]",
        "Turns text into token ids, exactly as Hugging Face's tokenizers do, and back.",
        opts,
        &common,
        -1,
    };
    const char *const *paths = cli_parse(argc, argv, &cli);

    work.truncation = truncation_of(o.truncation);
    work.count = o.count;
    check_usage(&o, &work, &common, paths);
    if (tokenizer_open_path(&work.tokenizer, o.model) < 0)
        die_err();
    if (o.specials && tokenizer_specials(work.tokenizer, &work.before, &work.after) < 0)
        die_err();
    if (work.add_eos && tokenizer_eos(work.tokenizer) < 0)
        die(EXIT_NODEVICE, "%s: the tokenizer has no end-of-text token for --add-eos; leave it out",
            o.model);
    if (input_open(&in, &o, &work, &common, paths) < 0)
        die_err();
    if (o.count)
        write_counts(&in, &work, &totals, &common);
    else
        write_stream(&in, &work, &totals, &o, &common);
    if (totals.cut)
        warn("%lld of %lld records were cut to %lld ids", (long long)totals.cut,
             (long long)totals.records, (long long)work.max_length);
    if (totals.voids)
        warn("%llu of %llu ids are no tokens of this model, and no text stands for them; was "
             "another tokenizer used?",
             (unsigned long long)totals.voids, (unsigned long long)totals.ids);
    input_close(&in);
    tokenizer_close(work.tokenizer);
    return 0;
}
