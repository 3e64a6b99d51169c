/*
 * record.h - one record of a stream: fields in the order of the stream, typed, borrowed or set.
 *
 * A record that a reader filled borrows the reader's memory until the next read. Fields that a
 * tool sets are copied into the record's own arena, so that the values may be temporary. A field
 * that nobody sets passes through as the very bytes it arrived in.
 */
#ifndef RECORD_H
#define RECORD_H

#include "err.h"
#include "item.h"
#include "mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field {
    const char *key; /* not 0-terminated */
    size_t key_len;
    enum item_kind type; /* TAG: any but those of typed arrays, which have kinds of their own */
    uint64_t u; /* UINT; NEGINT: the value is -1 - u; BOOL: 0 or 1; ARRAY, MAP: elements, pairs */
    double f;   /* FLOAT */
    const void *data; /* TEXT, BYTES, typed arrays: little-endian, unaligned, N elements; ARRAY,
                         MAP: what is inside */
    size_t n;
    const uint8_t *raw; /* the value as CBOR, RAW_LEN bytes */
    size_t raw_len;
    const uint8_t *pair; /* the key as deterministic CBOR, and RAW right behind it */
};

struct record; /* opaque; made by record_new or lent by reader_next */

enum { RECORD_FIELDS_MAX = 1024 };

struct record *record_new(void);     /* without fields; the caller's */
void record_free(struct record *r);  /* NULL is fine; not one that reader_next lent */
void record_clear(struct record *r); /* no fields, arena empty */
/* TO becomes FROM, whose name in messages it keeps too. The bytes of keys and values. */
size_t record_copy(struct record *to, const struct record *from);

/* Fields are lent until R is changed. */
int record_count(const struct record *r);
const struct field *record_at(const struct record *r, int i);
const struct field *record_find(const struct record *r, const char *key); /* NULL: not there */

/* Readers: 1 and the value, 0 when the field is not there, -1 when it has another type (EXIT_DATA,
 * names the field and the type it has). Pointers are good until the record is cleared, filled or
 * freed. */
MUST_USE int record_get_text(struct record *r, const char *key, const char **text, size_t *n);
MUST_USE int record_get_uint(struct record *r, const char *key, uint64_t *value);
MUST_USE int record_get_ids(struct record *r, const char *key, const uint32_t **ids,
                            size_t *n); /* u8, u16, u32 arrays */
MUST_USE int record_get_f32(struct record *r, const char *key, const float **v, size_t *n);
/* The N elements of an array that is no typed one. */
MUST_USE int record_get_array(struct record *r, const char *key, struct items *elements,
                              uint64_t *n);

void record_remove(struct record *r, const char *key); /* one that is not there is fine */
/* Writers: replace the field or put it where the deterministic order has it. TEXT must be UTF-8
 * (checked by whoever read it). */
void record_set_text(struct record *r, const char *key, const char *text, size_t n);
void record_set_uint(struct record *r, const char *key, uint64_t value);
void record_set_float(struct record *r, const char *key, double value);
void record_set_ids(struct record *r, const char *key, const uint32_t *ids, size_t n,
                    bool wide); /* u32, or u16 */
void record_set_f32(struct record *r, const char *key, const float *v, size_t n);
/* RAW: one well-formed CBOR item in deterministic encoding (peek --from-jsonl). */
void record_set_raw(struct record *r, const char *key, size_t key_len, const uint8_t *raw,
                    size_t n);

/* "12" from the field id where there is one, else the 0-based position "#12": for messages. Good
 * until the next call. */
const char *record_name(struct record *r);

/* Gives the BYTES that R takes as CBOR, or -1 when no stream takes it: too many of them, or of its
 * fields (EXIT_DATA). */
MUST_USE int record_fits(struct record *r, size_t *bytes);
/* Puts the whole record as deterministic CBOR map behind what B holds. */
void record_append(struct record *r, struct buf *b);
/* How many of these bytes end with the field F. Nothing may have been set since. */
size_t record_end_of(const struct record *r, const struct field *f);

/* Fills R from the map at P, whose bytes it borrows: 1 with the map's length in *LEN, 0 when N
 * bytes do not hold it, -1 when it is no record (EXIT_DATA). POSITION is its place in the stream.
 * The first name may be empty, as that of the end map is. */
MUST_USE int record_parse(struct record *r, const uint8_t *p, size_t n, size_t *len,
                          int64_t position);
/* The same for the next item of S, which is known to be whole: 0, or -1 when it is no record. */
MUST_USE int record_of_items(struct record *r, struct items *s);

#endif
