/*
 * token_batch.h - records that are read one by one, worked on by all threads, and given back in order.
 *
 * What a record becomes depends on nothing but itself, so neither does the output on the threads.
 */
#ifndef TOKEN_BATCH_H
#define TOKEN_BATCH_H

#include "work.h"

struct entry {
    struct record *rec;
    size_t at, len;   /* its bytes in the batch's memory */
    int64_t position; /* in the input, from 0 */
    const char *file; /* lent by whoever read it */
    int64_t row;      /* from 1, of a table; 0: the record has a name of its own */
    struct done done;
    bool failed;
};

struct token_batch {
    struct entry *item;
    int n, cap;
    struct buf bytes;
};

void token_batch_init(struct token_batch *b);
void token_batch_free(struct token_batch *b);
void token_batch_clear(struct token_batch *b);
bool token_batch_full(const struct token_batch *b);
/* Copies REC, which came from FILE and was number POSITION. */
void token_batch_add(struct token_batch *b, struct record *rec, int64_t position, const char *file);
/* The same for the N bytes TEXT, which are row ID from 0 of FILE. */
void token_batch_add_line(struct token_batch *b, const char *text, size_t n, int64_t id,
                          const char *file);

/* In a parallel region, by one thread: hands the records to the team, of which each thread has its
 * own of WORKERS, and returns at once. */
void token_batch_begin(struct token_batch *b, const struct work *work, struct worker *workers);
/* Waits, and takes a share, until all of them are done. */
void token_batch_wait(void);
/* After batch_wait: -1 with the line of the first record that failed, by its place in the input. */
MUST_USE int token_batch_check(struct token_batch *b, const struct work *work, struct worker *me);

#endif
