/* How fast libcommon moves bytes, one thread: tokenizer, streams, and zstd alone to compare with.
 */
#include "claim.h"
#include "mem.h"
#include "perf.h"
#include "stream.h"
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void must(int rc)
{
    if (rc)
        die_err();
}

/* ---- tokenizer ---- */

struct encoding {
    struct tokenizer *t;
    struct tokenizer_scratch *scratch;
    struct buf text;
};

static void read_file(struct buf *b, const char *path)
{
    FILE *const f = fopen(path, "rb");
    char part[65536];
    size_t n;

    if (!f)
        die(EXIT_NOINPUT, "%s: cannot open", path);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(b, part, n);
    fclose(f);
}

static void encode_lines(void *context)
{
    const struct encoding *const e = context;
    const char *line = e->text.p, *const end = line + e->text.n;

    while (line < end) {
        const char *const stop = memchr(line, '\n', (size_t)(end - line));
        const uint32_t *ids;
        size_t n;

        must(tokenizer_encode(e->t, e->scratch, line, (size_t)((stop ? stop : end) - line), &ids,
                              &n));
        line = stop ? stop + 1 : end;
    }
}

/* encode MODEL TEXTFILE, a text a line: MB/s */
static double encode(int argc, char **argv)
{
    struct encoding e = { .scratch = tokenizer_scratch_new() };
    double rate;

    if (argc != 3)
        return perf_cannot("encode MODEL TEXTFILE");
    must(tokenizer_open_path(&e.t, argv[1]));
    read_file(&e.text, argv[2]);
    rate = perf_rate(encode_lines, &e, 1e-6 * (double)e.text.n);
    tokenizer_close(e.t);
    tokenizer_scratch_free(e.scratch);
    buf_free(&e.text);
    return rate;
}

/* ---- streams of records of about 100 bytes ---- */

struct streaming {
    struct cli_common common;
    const char *path[2];
    int64_t records;
    struct buf plain; /* the records one behind the other, for zstd */
    void *packed;
};

static void write_record(struct record *rec, uint64_t i)
{
    static const char *const words[] = { "profit", "rose", "sharply", "while", "sales", "of",
                                         "the",    "unit", "fell",    "short", "again", "today" };
    char text[96] = "";
    uint64_t r = i * 0x9e3779b97f4a7c15u;

    for (size_t n = 0; n < 60; n = strlen(text)) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        snprintf(text + n, sizeof text - n, "%s ", words[(r >> 33) % 12]);
    }
    record_clear(rec);
    record_set_uint(rec, "id", i);
    record_set_text(rec, "text", text, strlen(text));
    record_set_text(rec, "label", "neutral", 7);
}

/* The records are made beforehand: what is measured is the stream. */
static struct record **records;

static void make_records(struct streaming *s)
{
    records = xnmalloc((size_t)s->records, sizeof *records);
    for (int64_t i = 0; i < s->records; i++) {
        records[i] = record_new();
        write_record(records[i], (uint64_t)i);
        record_append(records[i], &s->plain);
    }
}

static void free_records(struct streaming *s)
{
    for (int64_t i = 0; i < s->records; i++)
        record_free(records[i]);
    free(records);
    buf_free(&s->plain);
}

static void write_stream(void *context)
{
    struct streaming *const s = context;
    struct writer *w;

    must(writer_open(&w, &s->common, KIND_EXAMPLES, NULL, NULL, NULL));
    for (int64_t i = 0; i < s->records; i++)
        must(writer_put(w, records[i]));
    must(writer_commit(w));
}

static void read_stream(void *context)
{
    const struct streaming *const s = context;
    struct reader *r;
    struct record *rec;
    int got;

    must(reader_open(&r, s->path, KIND_ANY, &s->common));
    while ((got = reader_next(r, &rec)) > 0)
        ;
    must(got);
    reader_close(r);
}

static void zstd_alone(void *context)
{
    const struct streaming *const s = context;
    const size_t room = ZSTD_compressBound(s->plain.n);

    if (ZSTD_isError(ZSTD_compress(s->packed, room, s->plain.p, s->plain.n, (int)s->common.level)))
        die(EXIT_NUMERIC, "zstd failed");
}

/* write|read|zstd FILE RECORDS: millions of records a second */
static double stream(int argc, char **argv)
{
    struct streaming s = { .common = CLI_COMMON_INIT, .records = perf_arg(argc, argv, 2) };
    const double work = 1e-6 * (double)s.records;
    double rate;

    if (argc != 3)
        return perf_cannot("write|read|zstd FILE RECORDS");
    s.common.output = s.path[0] = argv[1];
    s.common.force = true;
    claim_spare(argv[1]); /* each line of the input is a command of its own */
    s.common.threads = 1; /* nothing is compressed behind it */
    make_records(&s);
    if (strcmp(argv[0], "zstd") == 0) {
        s.packed = xmalloc(ZSTD_compressBound(s.plain.n));
        rate = perf_rate(zstd_alone, &s, work);
        free(s.packed);
    } else if (strcmp(argv[0], "write") == 0) {
        rate = perf_rate(write_stream, &s, work);
    } else {
        write_stream(&s);
        rate = perf_rate(read_stream, &s, work);
    }
    free_records(&s);
    return rate;
}

int main(int argc, char **argv)
{
    static const struct perf_case cases[] = {
        { "encode", encode }, { "write", stream }, { "read", stream },
        { "zstd", stream },   { NULL, NULL },
    };
    static struct cli_common common = CLI_COMMON_INIT;
    static const struct cli_opt none[] = { { .type = CLI_END } };
    const struct cli cli = {
        .name = "perf", .synopsis = "", .about = "", .opts = none, .common = &common
    };

    (void)cli_parse(argc, argv, &cli);
    return perf_main(cases);
}
