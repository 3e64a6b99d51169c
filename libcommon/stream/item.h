/*
 * item.h - CBOR (RFC 8949) in memory, one item at a time. Only what our streams allow: definite
 * lengths, valid UTF-8, bounded nesting.
 */
#ifndef ITEM_H
#define ITEM_H

#include "err.h"
#include "mem.h"

#include <stddef.h>
#include <stdint.h>

enum {
    ITEM_HEAD_MAX = 9,         /* bytes of the longest head */
    ITEM_DEPTH_MAX = 16,       /* arrays, maps and tags inside each other */
    ITEM_BYTES_MAX = 64 << 20, /* of one record, header or end map */
};

enum item_kind {
    ITEM_UINT, /* up to FLOAT they are the major types, three bits of an item's first byte */
    ITEM_NEGINT,
    ITEM_BYTES,
    ITEM_TEXT,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_TAG,
    ITEM_FLOAT,
    ITEM_BOOL,
    ITEM_NULL,
    ITEM_UNDEFINED,
    ITEM_U8, /* what a TAG with BYTES behind it says where it is a field's value (record.h) */
    ITEM_U16,
    ITEM_U32,
    ITEM_U64,
    ITEM_I32,
    ITEM_I64,
    ITEM_F32,
    ITEM_F64,
};

struct item {
    enum item_kind kind;
    uint64_t u; /* UINT, TAG, BOOL; NEGINT: the value is -1 - u; ARRAY, MAP: elements, pairs; TEXT,
                 * BYTES: n */
    double f;   /* FLOAT */
    const uint8_t *data; /* behind the head: the content of TEXT and BYTES, or what is inside */
    size_t n;
    size_t len; /* bytes of the item's head and, for TEXT and BYTES, its content */
};

/* The item that begins at P, without what is inside an array, a map or a tag: 1, and IT points into P;
 * 0 when the N bytes end before it does; -1 when it is not allowed (EXIT_DATA). */
MUST_USE int item_head(struct item *it, const uint8_t *p, size_t n);
/* The item at P with everything inside it: *FIRST its head, *LEN all of its bytes. 1, 0 or -1 as
 * item_head. */
MUST_USE int item_whole(struct item *first, size_t *len, const uint8_t *p, size_t n);
/* "a text", "a uint16 array", for messages. */
const char *item_kind_name(enum item_kind kind);

/* A sequence of items that is known to be whole. */
struct items {
    const uint8_t *p, *end;
};
/* The next one; -1 when there is none, or it is of another kind (EXIT_DATA). */
MUST_USE int items_next(struct items *s, struct item *it, enum item_kind kind);

/* Only item_write_head calls it, for numbers from 24 on. */
size_t item_write_long_head(uint8_t *to, enum item_kind kind, uint64_t u);
/* Writes the head of KIND, ITEM_UINT to ITEM_TAG, with the number U to TO, which has room for
 * ITEM_HEAD_MAX; returns its bytes. */
static inline size_t item_write_head(uint8_t *to, enum item_kind kind, uint64_t u)
{
    if (u >= 24)
        return item_write_long_head(to, kind, u);
    *to = (uint8_t)((unsigned)kind << 5 | u);
    return 1;
}

/* Writes the shortest float that keeps V to TO, which has room for ITEM_HEAD_MAX; returns its bytes. */
size_t item_write_double(uint8_t *to, double v);

/* Appends in deterministic encoding: shortest heads, shortest float that keeps the value.
 * UINT or NEGINT (-1 - u) as they are; behind an ARRAY U items must follow, behind a MAP U pairs in order
 * of their keys, behind a TAG one item. */
void item_put(struct buf *b, enum item_kind kind, uint64_t u);
void item_put_text(struct buf *b, const char *text, size_t n);
void item_put_bytes(struct buf *b, const void *bytes, size_t n);
void item_put_bool(struct buf *b, bool v);
void item_put_null(struct buf *b);
void item_put_double(struct buf *b, double v);
void item_put_key(struct buf *b, const char *key);                      /* a C string as text */
void item_put_pair(struct buf *b, const char *key, const char *text);   /* two of them */

#endif
