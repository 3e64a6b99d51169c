#include "stream.h"

#include "outfile.h"
#include "reader.h"
#include "stream_header.h"
#include "watch.h"
#include "zstream.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 17 }; /* what is hashed and given to zstd at a time */

struct writer {
    struct outfile *f;
    struct zout *z;
    struct sha256 *sha;
    struct buf chunk;
    uint64_t records;
    const struct reader *from;
    struct stream_input *input; /* besides the streams that FROM reads */
    int inputs;
};

static void release(struct writer *w)
{
    zout_free(w->z);
    sha256_free(w->sha);
    buf_free(&w->chunk);
    free(w->input);
    free(w);
}

/* BYTES go into the file, and the buffer is empty then: in pieces, which are hashed while they are
 * in the cache for zstd. */
static int put(struct writer *w, struct buf *bytes)
{
    for (size_t at = 0, some; at < bytes->n; at += some) {
        some = bytes->n - at < CHUNK_BYTES ? bytes->n - at : CHUNK_BYTES;
        sha256_add(w->sha, bytes->p + at, some);
        if (zout_write(w->z, bytes->p + at, some) < 0)
            return -1;
    }
    buf_clear(bytes);
    return 0;
}

/* The header is a block of its own: the next tool in a pipe finds a mistake before the first record
 * comes. What no reader takes is not written. */
static int put_header(struct writer *w, enum stream_kind kind, const struct labels *labels,
                      const struct stream_header *before, const struct stream_entry *says)
{
    if (!labels && before)
        labels = &before->labels;
    if (before && before->chain_n >= CHAIN_MAX) /* of several files it may be more */
        return err_set(EXIT_DATA,
                       "%s: %d programs have touched the stream before, and its chain holds %d",
                       outfile_name(w->f), before->chain_n, CHAIN_MAX);
    if (labels && labels->n > LABELS_MAX)
        return err_set(EXIT_DATA, "%s: more than %d labels", outfile_name(w->f), LABELS_MAX);
    struct stream_header h = { .kind = kind };

    if (labels)
        labels_copy(&h.labels, labels);
    if (before)
        stream_header_join(&h, before);
    stream_entry_put(&h.chain, says);
    h.chain_n++;
    stream_header_put(&w->chunk, &h);
    stream_header_free(&h);
    if (w->chunk.n > ITEM_BYTES_MAX)
        return err_set(EXIT_DATA, "%s: the header needs more than %d MiB", outfile_name(w->f),
                       ITEM_BYTES_MAX >> 20);
    return put(w, &w->chunk) < 0 ? -1 : zout_flush(w->z);
}

int writer_open(struct writer **out, const struct cli_common *common, enum stream_kind kind,
                const struct labels *labels, const struct reader *from,
                const struct stream_entry *says)
{
    const struct stream_entry nothing = { 0 };
    struct outfile *f;

    if (outfile_open(&f, common->output, common->force, true) < 0)
        return -1;
    struct writer *w = xcalloc(1, sizeof *w);

    w->f = f;
    w->z = zout_new(f, (int)common->level, common->threads);
    w->sha = sha256_new();
    w->from = from;
    if (put_header(w, kind, labels, from ? reader_joined(from) : NULL, says ? says : &nothing) <
        0) {
        writer_abort(w);
        return -1;
    }
    *out = w;
    return 0;
}

int writer_put(struct writer *w, struct record *rec)
{
    size_t n;

    if (record_fits(rec, &n) < 0)
        return err_in("%s:%s", outfile_name(w->f), record_name(rec));
    w->records++;
    record_append(rec, &w->chunk);
    return w->chunk.n < CHUNK_BYTES ? 0 : put(w, &w->chunk);
}

int writer_put_encoded(struct writer *w, struct buf *encoded, int64_t records)
{
    w->records += (uint64_t)records;
    return put(w, &w->chunk) < 0 ? -1 : put(w, encoded);
}

void writer_input(struct writer *w, const char *what, const uint8_t digest[SHA256_BYTES])
{
    w->input = xnrealloc(w->input, (size_t)w->inputs + 1, sizeof *w->input);
    w->input[w->inputs].what = what;
    memcpy(w->input[w->inputs++].digest, digest, SHA256_BYTES);
}

static int put_end(struct writer *w)
{
    struct stream_end e = { .records = w->records };
    struct stream_input *all;

    if (put(w, &w->chunk) < 0)
        return -1;
    sha256_peek(w->sha, e.digest);
    const int n = reader_inputs(w->from, w->input, w->inputs, &all);

    stream_end_put(&w->chunk, &e, all, n);
    free(all);
    return zout_write(w->z, w->chunk.p, w->chunk.n);
}

int writer_commit(struct writer *w)
{
    if (watch_check() < 0 || put_end(w) < 0 || zout_end(w->z) < 0) {
        writer_abort(w);
        return -1;
    }
    const int rc = outfile_commit(w->f);

    release(w);
    return rc;
}

void writer_abort(struct writer *w)
{
    if (!w)
        return;
    outfile_abort(w->f);
    release(w);
}
