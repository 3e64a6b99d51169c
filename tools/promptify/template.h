/*
 * template.h - a prompt with places for fields: "{text}" or any other field of the record, at most
 * one "{completion}"; "{{" and "}}" are braces.
 *
 * What stands before {completion}, stripped of white space at both ends as Python's str.strip does,
 * is the prompt. The white space directly before {completion} begins the completion, and what
 * follows {completion} ends it, stripped at its end. Without a {completion} the whole template is
 * the prompt and a completion begins with a space. An answer that itself begins with white space
 * takes the place of that which the template gives. "{text:.200}" is no more than the first 200
 * characters of the field, as in Python's str.format.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "cli.h"
#include "mem.h"
#include "record.h"

struct template;

/* Parses N bytes; NAME is for messages. */
MUST_USE int template_parse(struct template **t, const char *name, const char *text, size_t n);
void template_free(struct template *t); /* NULL is fine */

/* Whether FIELD has a place in the prompt. */
bool template_prompt_names(const struct template *t, const char *field);

/* What fills places besides a record. */
struct template_values {
    const struct cli_list *set; /* KEY=VALUE, which goes before the record's own fields */
    const char *labels;         /* for {labels}, behind them; NULL: nothing */
};

/* PROMPT and COMPLETION are replaced. -1 names a field that is not there or has no text. */
MUST_USE int template_prompt(const struct template *t, const struct record *rec,
                             const struct template_values *v, struct buf *prompt);
MUST_USE int template_completion(const struct template *t, const struct record *rec,
                                 const struct template_values *v, const char *answer, size_t n,
                                 struct buf *completion);

#endif
