/*
 * scored_run.h - one stream of predictions, read to its end: counts for each slice, where it comes from
 * and, where that is wanted, every record.
 */
#ifndef SCORED_RUN_H
#define SCORED_RUN_H

#include "cli.h"
#include "tally.h"

enum keep {
    KEEP_COUNTS,  /* memory does not grow with the records */
    KEEP_RECORDS, /* 64 bytes a record */
    KEEP_TEXTS,   /* ... and the beginning of its text */
};

struct read_options {
    const struct cli_common *common;
    const char *by; /* field that divides the records into slices; NULL: one slice */
    bool by_may_lack; /* a record without that field is in the slice "" */
    enum keep keep;
    const struct labels *known; /* with which the labels of a stream without any begin; NULL: none */
};

struct slice {
    char *value; /* of the field BY, as text; NULL: all records */
    struct tally tally;
};

struct kept_record {
    struct judged judged;
    uint64_t id;
    uint64_t text; /* the first 8 bytes of the SHA-256 of the field text; 0: there is none */
    int slice;
    bool has_id;
};

enum { TEXT_KEPT = 4096 }; /* bytes; what is longer ends before a character */

struct kept_text { /* of the record with the same index */
    size_t at, n;  /* in the run's text: the field text, else prompt; n 0 where there is neither */
    bool cut;
    uint8_t digest[16]; /* the first half of the SHA-256 of all of it: equal texts are found by this */
    int64_t length;     /* tokens of the prompt (n_prompt, else ids, else 0); where the first record has no
                         * ids, characters of the text */
};

struct scored_run {
    char *name;             /* for people: as given, else scored_run_name */
    char *path;             /* what messages call it */
    struct labels labels;   /* the header's, else those that came, in that order */
    bool labels_given;      /* by the header */
    struct slice *slices;   /* in the order in which their values came; at least one */
    int n_slices;
    struct tally whole;     /* of all slices; from KEEP_TEXTS on */
    int64_t n;
    struct kept_record *kept;      /* (n) in the order of the stream, from KEEP_RECORDS on */
    struct kept_text *texts; /* (n) from KEEP_TEXTS on */
    struct buf text;
    bool tokens;            /* lengths are tokens */
    struct buf provenance;  /* lines, as provenance.h has them */
};

/* Reads PATH; NULL is standard input. NAME NULL: made from PATH. -1 with the error set: what reader_next
 * and tally_add refuse, no record at all, a label called none. RUN is to be freed either
 * way. */
MUST_USE int scored_run_read(struct scored_run *run, const char *path, const char *name,
                             const struct read_options *how);
void scored_run_free(struct scored_run *run);
/* What a run of PATH is called, to be freed: the file's name without folder and endings, with as much of
 * them as tells it from that of the file BESIDE it (NULL: there is none). */
char *scored_run_name(const char *path, const char *beside);
/* The index of the slice of VALUE (NULL: of all records); -1: there is none. */
int scored_run_slice(const struct scored_run *run, const char *value);

#endif
