/*
 * tokenizer_parts.h - what of a tokenizer.json surrounds the model: normalizers, pre-tokenizers,
 * decoders and post-processors, each a list of steps that are done one after the other (a Sequence
 * within a Sequence is the same list).
 */
#ifndef TOKENIZER_PARTS_H
#define TOKENIZER_PARTS_H

#include "tokenizer_pattern.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARTS_MAX = 32,     /* steps of one list */
    PART_TEXT_MAX = 64, /* bytes of a text that is put into others */
};

struct part_text { /* N bytes, which need not end in 0; empty: P is NULL or not */
    char *p;
    size_t n;
};

/* What is looked for: a text, or a regular expression. */
struct search {
    struct part_text text;
    struct pattern *pattern; /* NULL: the text */
};

/* ---- normalizers ---- */

enum normalizer_kind { NORM_PREPEND, NORM_REPLACE, NORM_NFC };

struct normalizer {
    enum normalizer_kind kind;
    struct search from;     /* replace */
    struct part_text to;    /* replace, prepend */
};

/* ---- pre-tokenizers ---- */

enum pre_kind { PRE_DIGITS, PRE_SPLIT, PRE_BYTE_LEVEL, PRE_METASPACE };
enum behavior { SPLIT_REMOVED, SPLIT_ISOLATED, SPLIT_PREVIOUS, SPLIT_NEXT, SPLIT_CONTIGUOUS };
enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

/* End of the word that begins at P: see next_word. */
typedef const uint8_t *word_fn(const uint8_t *classes, const uint8_t *p, const uint8_t *end);

struct pre {
    enum pre_kind kind;
    enum behavior behavior; /* digits, split */
    bool invert;            /* split */
    struct search at;       /* split */
    word_fn *known;         /* split: one of the patterns that are matched by hand, or NULL */
    bool prefix, use_regex; /* byte level */
    struct part_text space; /* metaspace: the character that stands for a space */
    enum prepend_scheme scheme;
    bool split; /* metaspace */
};

/* ---- decoders ---- */

enum decoder_kind { DEC_BYTE_LEVEL, DEC_METASPACE, DEC_BYTE_FALLBACK, DEC_FUSE, DEC_STRIP, DEC_REPLACE };

struct decoder {
    enum decoder_kind kind;
    struct search from;   /* replace */
    struct part_text to;  /* replace */
    struct part_text one; /* strip, metaspace: a character */
    uint32_t start, stop; /* strip: how many at most */
    bool keep_first;      /* metaspace: the first token's spaces, too */
};

/* ---- post-processors: only what adds tokens ---- */

struct specials {
    uint32_t *before, *after; /* ids */
    size_t n_before, n_after;
    char *refused; /* a post-processor that is not supported: an error once they are asked for; NULL: none */
};

/* ---- all ---- */

struct parts_read {
    struct normalizer normalizer[PARTS_MAX];
    struct pre pre[PARTS_MAX];
    struct decoder decoder[PARTS_MAX];
    int n_normalizers, n_pre, n_decoders;
    struct specials specials;
};

/* What the members of ROOT, a tokenizer.json, say. EXIT_DATA names a feature that is not supported. *P is to be freed also then. */
MUST_USE int parts_load(struct parts_read *p, const cJSON *root);
void parts_free(struct parts_read *p);

struct tokenizer;
/* The post-processor's ids, when all tokens have been loaded; EXIT_DATA names one that does not exist. */
MUST_USE int specials_load(struct tokenizer *t, const cJSON *root);

#endif
