/*
 * gguf.h - the container of a GGUF file, versions 2 and 3: keys with values, and tensors with their
 * bytes, as they stand in the file and checked before anyone sees one.
 *
 * Checked: magic, version, counts and lengths against the file before anything is allocated, text that
 * is UTF-8, no key and no tensor twice, values of known types and arrays of no arrays, an alignment
 * that is a power of two, shapes whose product fits and whose rows are whole blocks, tensors that begin
 * where the alignment says, end inside the file and overlap no other. What the keys and names mean is
 * for gguf_model.h.
 */
#ifndef GGUF_H
#define GGUF_H

#include "dtype.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GGUF_RANK_MAX = 4 };

enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_TEXT,
    GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPES
};

struct gguf_value {
    char *key;
    bool array;
    enum gguf_type type;    /* of the elements, where it is an array */
    uint64_t n;             /* elements; 1 where it is no array */
    const uint8_t *p;       /* in the file, unaligned; a text is its length (u64) and its bytes */
};

struct gguf_tensor {
    char *name;             /* as in the file */
    enum dtype dtype;
    int rank;
    int64_t shape[GGUF_RANK_MAX];   /* outermost first: rows, columns; the file has them reversed */
    int64_t n;
    const uint8_t *data;    /* in the file, aligned as the file is in memory */
    size_t bytes;
};

struct gguf {
    struct gguf_value *value;       /* sorted by key */
    struct gguf_tensor *tensor;     /* sorted by name */
    int values, tensors;
};

/* Whether a file that begins so is one, of whatever version. */
bool gguf_is(const void *bytes, size_t n);
/* DATA is to outlive *G. EXIT_DATA: it is damaged, or no GGUF file; EXIT_NODEVICE: a version or a tensor
 * type that is known and not here. */
MUST_USE int gguf_parse(struct gguf **g, const uint8_t *data, size_t size);
void gguf_free(struct gguf *g);         /* NULL is fine */

const struct gguf_value *gguf_find(const struct gguf *g, const char *key);     /* NULL: absent */
const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name); /* NULL: absent */

/* Values of KEY: 1 and the value, 0 when absent, -1 when of another type or outside the range (the line
 * names the key). Any integer type will do for an integer, either float type for a float. */
MUST_USE int gguf_int(const struct gguf *g, const char *key, int64_t *v, int64_t min, int64_t max);
MUST_USE int gguf_float(const struct gguf *g, const char *key, float *v);
MUST_USE int gguf_bool(const struct gguf *g, const char *key, bool *v);
MUST_USE int gguf_text(const struct gguf *g, const char *key, const char **text, size_t *n);
/* An array of TYPE. */
MUST_USE int gguf_array(const struct gguf *g, const char *key, enum gguf_type type,
                        const struct gguf_value **v);

/* The text at P, lent as P is; returns the address after it. */
const uint8_t *gguf_take_text(const uint8_t *p, const char **text, size_t *n);
/* The number in the BYTES (at most 8) at P, the lowest first. */
uint64_t gguf_bits_at(const uint8_t *p, size_t bytes);
/* Element I of an array of numbers. */
int32_t gguf_i32_at(const struct gguf_value *v, uint64_t i);
float gguf_f32_at(const struct gguf_value *v, uint64_t i);

#endif
