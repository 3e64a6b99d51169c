/* work.h - what is done to one record; many threads do it at once, each with its own scratch. */
#ifndef WORK_H
#define WORK_H

#include "err.h"
#include "record.h"
#include "tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

enum truncation { TRUNCATE_ERROR, TRUNCATE_RIGHT, TRUNCATE_LEFT };

struct work {
    struct tokenizer *tokenizer;
    const char *field;  /* NULL: prompt + completion, else text; decode: ids */
    int64_t max_length; /* -1: any */
    enum truncation truncation;
    struct token_list before, after; /* ids that go around every text's */
    bool add_eos, decode, count;     /* count: no ids are wanted */
};

struct worker { /* one a thread; zero it to start */
    struct tokenizer_scratch *scratch;
    struct buf text; /* prompt + completion; what was decoded */
    uint32_t *ids;
    size_t ids_cap;
};

struct done {             /* what came of a record, for the totals */
    size_t n_ids, n_void; /* of these: that no token has */
    bool cut;
};

void worker_free(struct worker *me); /* what it holds, not itself */

/* Adds ids and n_prompt, or text, to REC. */
MUST_USE int work_record(const struct work *work, struct worker *me, struct record *rec,
                         struct done *done);

#endif
