/*
 * stream.h - typed record streams between tools: zstd frames around a CBOR sequence.
 *
 * A stream is a header map (format, version, kind, labels, chain), one map per record, and an end
 * map with their count, the SHA-256 of all uncompressed bytes before it and the digests of what
 * went in. A reader that meets end of file before the end map fails, so a tool that dies anywhere
 * in a pipe makes every later tool fail. Byte layout: share/doc/stream-format.md.
 */
#ifndef STREAM_H
#define STREAM_H

#include "cli.h"
#include "err.h"
#include "label_set.h"
#include "mem.h"
#include "record.h"
#include "sha256.h"

#include <stdbool.h>
#include <stdint.h>

/* Kinds, in the order in which the tools make them. A reader names the ones it takes. */
enum stream_kind {
    KIND_EXAMPLES = 1, KIND_PROMPTS = 2, KIND_TOKENS = 4, KIND_PREDICTIONS = 8,
    KIND_ANY = 15,
};
const char *stream_kind_name(enum stream_kind kind);
/* 0 when the N bytes at NAME are no kind. */
enum stream_kind stream_kind_of(const char *name, size_t n);

struct reader;
struct writer;

struct stream_input {       /* what a program has read */
    const char *what;       /* "stream", "table", "model", "adapter", "tokenizer", "template", ... */
    uint8_t digest[SHA256_BYTES];
};

/*
 * Opens PATHS ("-" is standard input; NULL or empty: standard input), read one after another as
 * one stream: they must be of one kind and carry the same labels. KINDS is a set of enum
 * stream_kind; another kind is an error that names it and the tool that makes the wanted one.
 * COMMON's --only, --limit and --limit-per choose the records (filter.h). The texts of
 * PATHS must outlive R.
 */
MUST_USE int reader_open(struct reader **r, const char *const *paths, int kinds,
                         const struct cli_common *common);
/* 1 with *REC lent until the next call, 0 after the end map was checked, -1 on failure (the line
 * names file and record). Records that the filter leaves out are still read and checked. */
MUST_USE int reader_next(struct reader *r, struct record **rec);
/* Adds --only FIELD=VALUE unless the user gave one for FIELD: predict says "split", "test". A record
 * without the field passes. Before the first reader_next. */
void reader_default_only(struct reader *r, const char *field, const char *value);
/* -1 (EXIT_DATA) when a tool of the chain made ids with another tokenizer than that of the digest
 * TOKENIZER; a chain that names none passes. */
MUST_USE int reader_check_tokenizer(const struct reader *r, const uint8_t tokenizer[SHA256_BYTES]);
/* What R says of itself is lent until reader_close. */
enum stream_kind reader_kind(const struct reader *r);
const struct labels *reader_labels(const struct reader *r);
/* The maps of header and end as CBOR; the second after reader_next gave 0. */
const uint8_t *reader_header(const struct reader *r, size_t *n);
const uint8_t *reader_end(const struct reader *r, size_t *n);
const char *reader_name(const struct reader *r);                    /* current file, for messages */
/* Appends the header of all files together, kind, labels and chains, as CBOR. */
void reader_put_header(const struct reader *r, struct buf *b);
void reader_close(struct reader *r);                                /* NULL is fine */

/* A reader of no file at all whose header is the map in the N bytes at P: what a writer
 * follows when records come from elsewhere (peek --from-jsonl). It has a kind, labels and a chain, and
 * no records. */
MUST_USE int reader_of_header(struct reader **r, const uint8_t *p, size_t n);

/* Whether PATH looks like one of our streams (zstd whose content starts with the header's tag): how
 * promptify tells a stream from a table. 1, 0, or -1 when it cannot be read. What was looked at on
 * standard input is not lost: reader_open opens its paths through input.h. */
MUST_USE int stream_is_at(const char *path);

/* What the entry of this process in the chain says besides tool, options and version, where a reader
 * knows it before the first record. */
struct stream_entry {
    const uint8_t *tokenizer;   /* (SHA256_BYTES) of the one whose ids it makes; NULL: none */
    const struct buf *chain;    /* (adapters) of those it used, each as chain_parse makes it, or empty */
    int adapters;
    const struct stream_input *input;   /* (inputs) of what has no end map to name them; NULL: none */
    int inputs;
};

/*
 * Starts a stream on COMMON->output. The chain is FROM's (NULL: none) plus one entry for this
 * process, made from cli_chain_options and SAYS (NULL: nothing). LABELS NULL: FROM's. FROM must outlive
 * W. Nothing has the output's name before writer_commit.
 */
MUST_USE int writer_open(struct writer **w, const struct cli_common *common, enum stream_kind kind,
                         const struct labels *labels, const struct reader *from,
                         const struct stream_entry *says);
/* REC stays the caller's. EXIT_DATA: no reader would take it; EXIT_IO: it cannot be written. After an
 * error of this or the next W is good for writer_abort alone. */
MUST_USE int writer_put(struct writer *w, struct record *rec);
/* The same for RECORDS records that record_append made and record_fits let pass, one behind the
 * other; their bytes may come in pieces, all but the first with RECORDS 0. ENCODED is empty then.
 */
MUST_USE int writer_put_encoded(struct writer *w, struct buf *encoded, int64_t records);
/* Adds an input's digest to the end map; WHAT as stream_input has it, lent until the end. Streams read
 * through FROM are added by the library. */
void writer_input(struct writer *w, const char *what, const uint8_t digest[SHA256_BYTES]);
/* Writes the end map, flushes, renames. The output is good only if this returns 0. Call it after
 * the reader gave 0. Releases W either way. */
MUST_USE int writer_commit(struct writer *w);
/* Releases W and leaves nothing behind; NULL is fine. */
void writer_abort(struct writer *w);

#endif
