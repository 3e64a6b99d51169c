/* gguf_tokens.h - the tokens of a GGUF file's vocabulary, as the files that make the tokenizer share them. */
#ifndef GGUF_TOKENS_H
#define GGUF_TOKENS_H

#include "gguf.h"
#include "mem.h"

#include <stdbool.h>

/* tokenizer.ggml.token_type */
enum { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER, TOKEN_UNUSED, TOKEN_BYTE };

struct gguf_pre {           /* how a byte-level tokenizer cuts text, by tokenizer.ggml.pre */
    const char *name;
    const char *pattern;    /* of a Split in front of the bytes; NULL: GPT-2's own */
    bool digits;            /* each digit apart first */
    bool nfc, ignore_merges, add_bos;
};

/* What the keys say of a tokenizer; checked by gguf_check_tokenizer. */
struct gguf_tokens {
    const struct gguf *g;
    const struct gguf_pre *pre;         /* NULL: pieces with scores, as SentencePiece has them */
    const struct gguf_value *tokens, *types, *scores, *merges;  /* the last three may be NULL */
    int64_t bos, eos, unk, pad;         /* -1: none */
    bool add_bos, add_eos, add_prefix;
    bool phi3;                          /* its special tokens take the white space behind them */
};

/* 1, or 0 without a tokenizer; -1 refuses it (gguf_model.h). T points into G and is not to be freed. */
MUST_USE int gguf_tokens_read(struct gguf_tokens *t, const struct gguf *g);
static inline int32_t gguf_token_type(const struct gguf_tokens *t, uint64_t i)
{
    return t->types ? gguf_i32_at(t->types, i) : TOKEN_NORMAL;
}

/* Appends the merges that the scores of pieces stand for, as a JSON array: of each token all its halves
 * that are tokens, the best score first (transformers' generate_merges). */
void gguf_put_score_merges(const struct gguf_tokens *t, struct buf *b);

#endif
