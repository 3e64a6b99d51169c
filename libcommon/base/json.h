/*
 * json.h - strict JSON (RFC 8259) over cJSON, and a writer for what we print.
 *
 * cJSON alone takes invalid texts, folds the case of keys and saturates integers; json_parse first
 * checks the whole text (grammar, UTF-8, depth), and only then makes a tree of it, by json_walk.h.
 * Look up members with cJSON_GetObjectItemCaseSensitive only. The valuestring of a number is how it is
 * spelt, so that 1e1 can be told from 10. cJSON allocates by mem.h: none of its calls fails for want of
 * memory.
 */
#ifndef JSON_H
#define JSON_H

#include "err.h"
#include "mem.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    JSON_DEPTH_MAX = 64,
    JSON_VALUES_MAX = 1 << 23, /* of a tree: 100 bytes of memory each */
};

/* Whether the N bytes are one valid JSON text; -1 names line and column. Where RFC 8259 leaves a
 * choice: numbers may be of any size, keys may be doubled; half surrogates, a byte order mark and
 * more than JSON_DEPTH_MAX levels are refused. */
MUST_USE int json_check(const char *text, size_t n);
/* The parsed text, behind such a mark (free with cJSON_Delete), or NULL: not valid, a doubled key,
 * \u0000 in a string (cJSON would cut it there), or more than JSON_VALUES_MAX values. */
MUST_USE cJSON *json_parse(const char *text, size_t n);
/* The same without trees of what the keys LARGE (NULL behind the last) name in the objects in the root:
 * these are cJSON_Raw, valuestring is where they begin in TEXT (json_walk.h), valuedouble their bytes. */
MUST_USE cJSON *json_parse_around(const char *text, size_t n, const char *const *large);
/* Takes every text that json_check passes; for where nobody gains from a doubled key. Its last value
 * counts, as in Python. A string with \u0000 becomes [null], so that whoever asks for a text gets an
 * error and not half of it. A key with \u0000 becomes U+FFFD and its value [null]. */
MUST_USE cJSON *json_parse_any(const char *text, size_t n);

/* Members of object O: 1 and the value, 0 when absent or null, -1 when of another type or outside
 * the range (the line names the key). An integer is a number without fraction within 2^53. */
MUST_USE int json_int(const cJSON *o, const char *key, int64_t *value, int64_t min, int64_t max);
MUST_USE int json_double(const cJSON *o, const char *key, double *value);
MUST_USE int json_bool(const cJSON *o, const char *key, bool *value);
MUST_USE int json_text(const cJSON *o, const char *key, const char **value);
MUST_USE int json_object(const cJSON *o, const char *key, const cJSON **value);

/* Appends "..." with JSON escapes; non-ASCII UTF-8 stays as it is. */
void json_put_text(struct buf *b, const char *text, size_t n);
/* Appends the shortest decimal that reads back to the same double / float, spelt as Python's repr
 * does ("1.0", "1e-05"); JSON has no NaN and no infinity: null. */
void json_put_double(struct buf *b, double v);
void json_put_float(struct buf *b, float v);

#endif
