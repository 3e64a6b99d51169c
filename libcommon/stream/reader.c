#include "stream.h"

#include "filter.h"
#include "reader.h"
#include "stream_source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct stream_source *source; /* one for each file */
    int sources, at;              /* AT: the one that is read; SOURCES after the last */
    struct stream_header joined;  /* kind and labels of all, their chains in one */
    struct record *rec;
    struct filter *filter;
};

/* ---- opening ---- */

static const char *maker_of(enum stream_kind kind)
{
    return kind == KIND_EXAMPLES  ? "split-stratified"
           : kind == KIND_PROMPTS ? "promptify"
           : kind == KIND_TOKENS  ? "tokenize"
                                  : "predict";
}

/* Says which tool is missing between the one that wrote the stream and this one, or is too many. */
static int wrong_kind(int kinds, enum stream_kind is)
{
    enum stream_kind want = 2 * is;

    while (want <= KIND_PREDICTIONS && !(kinds & want))
        want *= 2;
    if (want <= KIND_PREDICTIONS)
        return err_set(EXIT_DATA, "this is a stream of %s; %s wants %s: put %s in between",
                       stream_kind_name(is), err_tool(), stream_kind_name(want), maker_of(want));
    for (want = is; !(kinds & want);)
        want /= 2;
    return err_set(EXIT_DATA, "this is a stream of %s; %s wants %s: give it the one that %s read",
                   stream_kind_name(is), err_tool(), stream_kind_name(want), maker_of(2 * want));
}

/* Takes over the header of the next file, which must go with those before. */
static int join(struct reader *r, const struct stream_header *h, int kinds)
{
    if (!(h->kind & kinds))
        return wrong_kind(kinds, h->kind);
    if (!r->joined.kind) {
        r->joined.kind = h->kind;
        labels_copy(&r->joined.labels, &h->labels);
    }
    if (h->kind != r->joined.kind)
        return err_set(EXIT_DATA,
                       "this is a stream of %s, the file before it one of %s; give one kind",
                       stream_kind_name(h->kind), stream_kind_name(r->joined.kind));
    if (!labels_same(&h->labels, &r->joined.labels))
        return err_set(EXIT_DATA, "its labels are not those of the file before it; make both with "
                                  "the same --labels");
    if (!labels_answered_alike(&h->labels, &r->joined.labels))
        return err_set(EXIT_DATA, "its labels have other answers than in the file before it; make "
                                  "both with the same template and verbalizer");
    stream_header_join(&r->joined, h);
    return 0;
}

/* All headers are read before the first record: a file that does not fit is found at once, and the
 * chain is known when the output begins. */
static int open_sources(struct reader *r, int kinds)
{
    for (int i = 0; i < r->sources; i++) {
        struct stream_source *s = &r->source[i];

        if (stream_source_open(s) < 0)
            return -1;
        if (join(r, &s->header, kinds) < 0)
            return err_in("%s", stream_source_name(s));
        if (i > 0)
            stream_source_rest(s);
    }
    return 0;
}

int reader_open(struct reader **out, const char *const *paths, int kinds,
                const struct cli_common *common)
{
    static const char *const standard[] = { "-", NULL };
    struct reader *r = xcalloc(1, sizeof *r);

    if (!paths || !paths[0])
        paths = standard;
    while (paths[r->sources])
        r->sources++;
    r->source = xcalloc((size_t)r->sources, sizeof *r->source);
    for (int i = 0; i < r->sources; i++)
        r->source[i].path = paths[i];
    r->rec = record_new();
    r->filter = filter_new(common);
    if (open_sources(r, kinds) < 0) {
        reader_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

int reader_of_header(struct reader **out, const uint8_t *p, size_t n)
{
    struct reader *r = xcalloc(1, sizeof *r);
    const int rc = stream_header_parse(&r->joined, p, n);

    if (rc < 0)
        reader_close(r);
    else
        *out = r;
    return rc;
}

void reader_default_only(struct reader *r, const char *field, const char *value)
{
    filter_default(r->filter, field, value);
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->sources; i++)
        stream_source_close(&r->source[i]);
    free(r->source);
    filter_free(r->filter);
    stream_header_free(&r->joined);
    record_free(r->rec);
    free(r);
}

/* ---- records ---- */

static void say_twice(const struct reader *r)
{
    for (int i = 0; i < r->sources; i++)
        for (int k = 0; k < i; k++)
            if (!strcmp(r->source[k].path, r->source[i].path)) {
                warn("%s: is given more than once, and so is each of its records",
                     r->source[i].path);
                return;
            }
}

int reader_next(struct reader *r, struct record **rec)
{
    while (r->at < r->sources) {
        struct stream_source *s = &r->source[r->at];
        int rc = stream_source_next(s, r->rec);

        if (rc < 0)
            return -1;
        if (!rc) {
            stream_source_rest(s);
            if (++r->at < r->sources)
                continue;
            say_twice(r);
            filter_finish(r->filter);
            continue;
        }
        rc = filter_passes(r->filter, r->rec);
        if (rc < 0)
            return err_in("%s:%s", stream_source_name(s), record_name(r->rec));
        if (rc > 0) {
            *rec = r->rec;
            return 1;
        }
    }
    return 0;
}

/* ---- what it knows ---- */

int reader_check_tokenizer(const struct reader *r, const uint8_t tokenizer[SHA256_BYTES])
{
    char want[SHA256_HEX + 1];
    char other[SHA256_HEX + 1];

    sha256_hex(tokenizer, want);
    for (int i = 0; i < r->sources; i++) {
        const struct stream_source *s = &r->source[i];
        const int got = stream_header_other_tokenizer(&s->header, want, other);

        if (got > 0)
            err_set(EXIT_DATA,
                    "its ids are those of another tokenizer (%.8s...) than the model's (%.8s...); "
                    "tokenize it with this model, or use --trust-tokens",
                    other, want);
        if (got)
            return err_in("%s", stream_source_name(s));
    }
    return 0;
}

enum stream_kind reader_kind(const struct reader *r)
{
    return r->joined.kind;
}

const struct labels *reader_labels(const struct reader *r)
{
    return &r->joined.labels;
}

const uint8_t *reader_header(const struct reader *r, size_t *n)
{
    *n = r->source[0].header_bytes.n;
    return (const uint8_t *)r->source[0].header_bytes.p;
}

void reader_put_header(const struct reader *r, struct buf *b)
{
    stream_header_put(b, &r->joined);
}

const uint8_t *reader_end(const struct reader *r, size_t *n)
{
    const struct buf *b = &r->source[r->sources - 1].end_bytes;

    *n = b->n;
    return (const uint8_t *)b->p;
}

const char *reader_name(const struct reader *r)
{
    return stream_source_name(&r->source[r->at < r->sources ? r->at : r->sources - 1]);
}

const struct stream_header *reader_joined(const struct reader *r)
{
    return &r->joined;
}

int reader_inputs(const struct reader *r, const struct stream_input *own, int n,
                  struct stream_input **all)
{
    const int streams = r ? r->sources : 0;
    struct stream_input *const in = xnmalloc((size_t)(n + streams), sizeof *in);

    assert(!r || r->at == r->sources);
    if (n)
        memcpy(in, own, (size_t)n * sizeof *in);
    for (int i = 0; i < streams; i++) {
        in[n + i].what = "stream";
        memcpy(in[n + i].digest, r->source[i].digest, SHA256_BYTES);
    }
    *all = in;
    return n + streams;
}
