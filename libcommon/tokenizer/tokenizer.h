/*
 * tokenizer.h - BPE of bytes or characters from Hugging Face's tokenizer.json (or vocab.json +
 * merges.txt).
 *
 * Ids equal tokenizers' encode(text, add_special_tokens=False) on every valid UTF-8 text. A feature
 * of tokenizer.json that is not here is refused by its name when the file is opened.
 */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "mem.h"
#include "pack.h"

struct tokenizer;         /* constant after opening: threads may share one */
struct tokenizer_scratch; /* one per thread */

/* From a model pack. -1 when it has no tokenizer (EXIT_NOINPUT) or one with an unknown feature. */
MUST_USE int tokenizer_open(struct tokenizer **t, const struct pack *p);
/* From PATH: a tokenizer.json, or whatever pack_open takes. */
MUST_USE int tokenizer_open_path(struct tokenizer **t, const char *path);
void tokenizer_close(struct tokenizer *t); /* NULL is fine */
/* One more than the largest id. */
int64_t tokenizer_vocab_size(const struct tokenizer *t);
/* The token that ends a text: the eos_token of the model's configuration files, else <|endoftext|>
 * where there is one, else -1. */
int64_t tokenizer_eos(const struct tokenizer *t);
/* SHA-256 of what the tables were read from: the bytes of tokenizer.json, or of the files that
 * stand for it. */
void tokenizer_digest(const struct tokenizer *t, uint8_t out[SHA256_BYTES]);
/* The same of what tokenizer_open would read from P, which need not be valid; false: there is none. */
bool tokenizer_digest_in(const struct pack *p, uint8_t out[SHA256_BYTES]);

struct tokenizer_scratch *tokenizer_scratch_new(void);
void tokenizer_scratch_free(struct tokenizer_scratch *s); /* NULL is fine */
/* Ids of TEXT; *IDS belongs to S until the next call. -1: invalid UTF-8, with the byte's offset; or
 * a regular expression of the tokenizer takes too long. */
MUST_USE int tokenizer_encode(const struct tokenizer *t, struct tokenizer_scratch *s,
                              const char *text, size_t len, const uint32_t **ids, size_t *n);
/* How many ids TEXT has, without memory for them. */
MUST_USE int tokenizer_count(const struct tokenizer *t, struct tokenizer_scratch *s,
                             const char *text, size_t len, size_t *n);
/* From now on tokenizer_encode stops soon behind the MOST first ids of a text: *N is larger than MOST
 * then, and nobody knows how many there are. */
void tokenizer_limit(struct tokenizer_scratch *s, size_t most);
/* The last place in the first N bytes of TEXT, not too near their end, where it can be cut: what is
 * before it and what is behind it have together the ids of the whole, whatever follows the N bytes.
 * 0: none was found. */
size_t tokenizer_cut(const struct tokenizer *t, const char *text, size_t n);
struct token_list {
    const uint32_t *ids; /* lent by the tokenizer */
    size_t n;
};
/* The ids that belong before and behind a text's: what its post-processor adds for
 * encode(text, add_special_tokens=True). EXIT_DATA where that post-processor is not supported. */
MUST_USE int tokenizer_specials(const struct tokenizer *t, struct token_list *before,
                                struct token_list *after);
/* Appends the text of IDS by the tokenizer's decoder; invalid UTF-8 becomes U+FFFD as Hugging Face's
 * decoders do. SKIP_SPECIAL leaves special tokens out. An id that is no token decodes to nothing. */
void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool skip_special,
                      struct buf *out);
/* Bytes of one token, lent by T; NULL when ID is none. */
const char *tokenizer_token(const struct tokenizer *t, uint32_t id, size_t *len);
/* The id of a special or ordinary token by its exact content, -1 when there is none. */
int64_t tokenizer_id_of(const struct tokenizer *t, const char *content, size_t len);

#endif
