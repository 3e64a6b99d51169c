/*
 * split.h - which part of a data set a record belongs to: what its field "split" says.
 *
 * Our tools write "train", "eval" and "test". What people call them is taken for what it means:
 * "validation", "valid", "val" and "dev" are eval, in letters of either case. Anything else is an
 * error, for a record in no part would be passed over by all.
 */
#ifndef SPLIT_H
#define SPLIT_H

#include "record.h"

/* The name our tools write for the N bytes at NAME; NULL and an error when they name no part. */
const char *split_of(const char *name, size_t n);
/* 1 and the name of the record's part, 0 when it is in none, -1 when its field names no part. */
MUST_USE int record_split(const struct record *r, const char **name);
/* Writes that name into the field, where it is another; -1 when the field names no part. */
MUST_USE int record_name_split(struct record *r);

#endif
