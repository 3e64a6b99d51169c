/* record_impl.h - the inside of a record, for record.c, which reads, and record_set.c, which writes. */
#ifndef RECORD_IMPL_H
#define RECORD_IMPL_H

#include "item.h"
#include "mem.h"
#include "record.h"

#include <string.h>

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

/* The field whose key is the N bytes KEY, or NULL. */
struct field *record_lookup(const struct record *r, const char *key, size_t n);
/* Fills F from the item FIRST, which with its content takes LEN bytes at P. */
MUST_USE int record_classify(struct field *f, const struct item *first, const uint8_t *p, size_t len);

/* ---- what each field of each record goes through is inline, and what is rare is not ---- */

void record_add_block(struct record *r, size_t bytes);
void record_put_in_order(struct record *r);
void record_add_room(struct record *r);

/* BYTES of the record's memory, aligned for anything, good until record_clear. */
static inline void *record_take(struct record *r, size_t bytes)
{
    const size_t want = (bytes + 15) & ~(size_t)15;

    if (!r->arena || r->arena->size - r->arena->used < want)
        record_add_block(r, want);
    void *p = r->arena->bytes + r->arena->used;

    r->arena->used += want;
    return p;
}

/* Order of RFC 8949 section 4.2.1 for text keys: the shorter first, then by bytes. */
static inline int record_key_order(const char *a, size_t na, const char *b, size_t nb)
{
    return na != nb ? (na < nb ? -1 : 1) : memcmp(a, b, na);
}

static inline void record_sort(struct record *r)
{
    if (!r->sorted)
        record_put_in_order(r);
}

/* Room for one field more. */
static inline void record_make_room(struct record *r)
{
    if (r->n == r->cap)
        record_add_room(r);
}

#endif
