/*
 * template.h - a prompt with places for fields: "{text}" or any other field of the record, at most
 * one "{completion}"; "{{" and "}}" are braces.
 *
 * What stands before {completion}, stripped of white space at both ends as Python's str.strip does,
 * is the prompt. The white space directly before {completion} begins the completion, and what
 * follows {completion} ends it, stripped at its end. Without a {completion} the whole template is
 * the prompt and a completion begins with a space. An answer that itself begins with white space
 * takes the place of that which the template gives.
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

/* PROMPT and COMPLETION are replaced. SET (KEY=VALUE) goes before the record's own fields. -1 names
 * a field that is not there or has no text. */
MUST_USE int template_prompt(const struct template *t, const struct record *rec,
                             const struct cli_list *set, struct buf *prompt);
MUST_USE int template_completion(const struct template *t, const struct record *rec,
                                 const struct cli_list *set, const char *answer, size_t n,
                                 struct buf *completion);

#endif
