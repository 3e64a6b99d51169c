/* filter.h - --only, --limit and --limit-per: which records a tool uses, whether they come from a
 * stream or a table. */
#ifndef FILTER_H
#define FILTER_H

#include "cli.h"
#include "record.h"

struct filter;

/* What COMMON says is copied; cli_parse has checked it. */
struct filter *filter_new(const struct cli_common *common);
/* Adds the condition FIELD=VALUE (both copied) unless the user gave one for FIELD; a record without
 * that field passes. */
void filter_default(struct filter *f, const char *field, const char *value);
/* 1: use the record; 0: pass over it; -1: its field is neither text nor a whole number nor a bool,
 * or is a split that does not exist. */
MUST_USE int filter_passes(struct filter *f, const struct record *rec);
/* Whether --limit lets no other record pass. */
bool filter_is_full(const struct filter *f);
/* After the last record: warns of a field that no record had, or none with that value, and of
 * conditions that no record met all at once; each is a slip of the pen mostly. And of records that
 * passed by filter_default though others have its field. */
void filter_finish(const struct filter *f);
void filter_free(struct filter *f); /* NULL is fine */

#endif
