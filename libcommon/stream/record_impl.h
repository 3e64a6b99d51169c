/* record_impl.h - the inside of a record, for record.c, which reads, and record_set.c, which writes. */
#ifndef RECORD_IMPL_H
#define RECORD_IMPL_H

#include "item.h"
#include "mem.h"
#include "record.h"

/* Memory that is given out in pieces and taken back as a whole. Pieces do not move. */
struct block {
    struct block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

struct record {
    struct field *field;
    int n, cap;
    bool sorted; /* keys are in deterministic order */
    int64_t position;
    struct block *arena; /* the newest block first */
    struct buf encoded;
    struct buf value; /* a value while it is being made */
    char name[24];
};

/* BYTES of the record's memory, aligned for anything, good until record_clear. */
void *record_take(struct record *r, size_t bytes);
/* Order of RFC 8949 section 4.2.1 for text keys: the shorter first, then by bytes. */
int record_key_order(const char *a, size_t na, const char *b, size_t nb);
/* The field whose key is the N bytes KEY, or NULL. */
struct field *record_lookup(const struct record *r, const char *key, size_t n);
void record_sort(struct record *r);
/* Room for one field more. */
void record_make_room(struct record *r);
/* Fills F from the item FIRST, which with its content takes LEN bytes at P. */
MUST_USE int record_classify(struct field *f, const struct item *first, const uint8_t *p, size_t len);

#endif
