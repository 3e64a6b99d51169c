/*
 * view.h - what peek can do: one function for each view, in files view_*.c and make_stream.c.
 *
 * A view returns 0, an exit code of err.h that is no failure (EXIT_UNMET), or -1 with the error
 * set. It writes text to P->out; make_stream and view_tensorboard open their own outputs.
 */
#ifndef VIEW_H
#define VIEW_H

#include "outfile.h"
#include "progress.h"
#include "stream.h"

struct peek {
    struct cli_common common;
    const char *const *paths;     /* operands; empty: standard input */
    struct outfile *out;          /* NULL for those that open their own */
    const char *text, *tsv, *csv; /* a field; field names with commas between them */
    const char *model, *diff, *file;
    bool trust_tokens;        /* of view_tokens */
    const uint8_t *tokenizer; /* digest of the one that must have made the ids; NULL: any */
    const char *tally;        /* a field, or two with a comma between them */
    const char *tensorboard;  /* a folder */
    bool to_terminal;         /* OUT is one */
    bool with_header;         /* a first line of JSON for it, or the first line is to be one */
    const char *kind;         /* of make_stream; NULL: the header's, else examples */
    const char *header_from;  /* a stream with the header to take over, or NULL */
    struct cli_list labels;
};

/* Records, view_records.c. */
MUST_USE int view_jsonl(const struct peek *p);
MUST_USE int view_text(const struct peek *p);
MUST_USE int view_tsv(const struct peek *p);
MUST_USE int view_csv(const struct peek *p);
MUST_USE int view_count(const struct peek *p);

/* Counts of values, view_tally.c. */
MUST_USE int view_tally(const struct peek *p);

/* What a stream says of itself, view_header.c; the whole stream is read and checked first. */
MUST_USE int view_header(const struct peek *p);
MUST_USE int view_chain(const struct peek *p);
MUST_USE int view_verify(const struct peek *p);

/* One token a line, view_tokens.c. */
MUST_USE int view_tokens(const struct peek *p);

/* Models, adapters and safetensors files, view_tensors.c. */
MUST_USE int view_tensors(const struct peek *p);
MUST_USE int verify_tensors(const struct peek *p, const char *path);
MUST_USE int chain_of_tensors(const struct peek *p, const char *path);
/* Whether PATH is one of these, by its name or its first bytes; a stream is not. */
bool holds_tensors(const char *path);

/* One file of a model or an adapter, view_file.c. */
MUST_USE int view_file(const struct peek *p);

/* The devices of this machine, view_devices.c. */
MUST_USE int view_devices(const struct peek *p);

/* The first difference, view_diff.c and view_diff_tensors.c. EXIT_UNMET when there is one. */
MUST_USE int view_diff(const struct peek *p);
MUST_USE int diff_tensors(const struct peek *p, const char *a, const char *b);

/* A log of training, view_tensorboard.c; opens its own output. */
MUST_USE int view_tensorboard(const struct peek *p);

/* --from-jsonl, make_stream.c. */
MUST_USE int make_stream(const struct peek *p);

/* Writes text to P->out; what a terminal might obey, escaped, where it goes to one. */
MUST_USE int write_text(const struct peek *p, const char *text, size_t n);
/* The first operand, "-" when there is none. */
const char *first_path(const struct peek *p);
/* Records done, on standard error; NULL when text is on the terminal already. */
struct progress *progress_of(const struct peek *p);
/* Calls EACH for all records of P's inputs with an empty LINE, which is then written. */
MUST_USE int for_each_record(const struct peek *p,
                             int (*each)(void *self, struct record *rec, struct buf *line),
                             void *self);

#endif
