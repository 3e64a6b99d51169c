/*
 * tokenizer_pattern.h - regular expressions of a tokenizer.json, by PCRE2.
 *
 * Hugging Face reads them with Oniguruma in Ruby's syntax. What the two libraries take to mean
 * different things is refused by its name. The classes of a text are Hugging Face's, whatever
 * version of Unicode PCRE2 has: see pattern_subject.
 */
#ifndef TOKENIZER_PATTERN_H
#define TOKENIZER_PATTERN_H

#include "mem.h"

#include <stddef.h>
#include <stdint.h>

enum { PATTERN_MAX = 4096 }; /* bytes */

struct pattern;         /* constant after compiling: threads may share one */
struct pattern_scratch; /* one per thread */

/* TEXT of N bytes; -1: not a pattern (EXIT_DATA), or one with a feature that is not here. */
MUST_USE int pattern_compile(struct pattern **out, const char *text, size_t n);
void pattern_free(struct pattern *p);

struct pattern_scratch *pattern_scratch_new(void);
void pattern_scratch_free(struct pattern_scratch *s);

/* What pattern_find is to be given for the text [P, END): itself, or a copy in ROOM with other code
 * points of the same class and size, where it has code points that PCRE2's Unicode may not know.
 * CLASSES has UC_NEW. */
const uint8_t *pattern_subject(const uint8_t *classes, struct buf *room, const uint8_t *p,
                               const uint8_t *end);

struct match {
    size_t start, end;
};

/* The first match in the N bytes of valid UTF-8 at SUBJECT that begins at FROM or behind: 1, or 0
 * when there is none; -1 when it takes more steps or memory than any sensible pattern. */
MUST_USE int pattern_find(const struct pattern *p, struct pattern_scratch *s,
                          const uint8_t *subject, size_t n, size_t from, struct match *m);

#endif
