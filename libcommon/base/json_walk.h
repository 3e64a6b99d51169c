/*
 * json_walk.h - going through a text that json_check has passed: for a tree (json.h), and without one
 * for a line of a table and for the hundred thousand strings of a tokenizer. Nothing is checked again.
 *
 * A place is where a value or a key begins, never white space:
 *     for (item = json_first(array); item; item = json_next(json_end(item))) ...
 *     for (key = json_first(object); key; key = json_next(json_end(value)))
 *         value = json_value(json_end(key)) ...
 */
#ifndef JSON_WALK_H
#define JSON_WALK_H

#include "mem.h"

#include <stddef.h>

/* Where the text's value begins. */
const char *json_begin(const char *text);
/* The first item of the array at P, the first key of the object at P; NULL when it is empty. */
const char *json_first(const char *p);
/* Behind the value or key at P. */
const char *json_end(const char *p);
/* The item, or key, that follows a value; NULL when that was the last one. END: behind the value. */
const char *json_next(const char *end);
/* The value of a key. END: behind the key. */
const char *json_value(const char *end);
/* What the string at *P says, *N bytes: in place when it has no escapes, else in ROOM. *P moves
 * behind it. */
const char *json_string(const char **p, struct buf *room, size_t *n);

#endif
