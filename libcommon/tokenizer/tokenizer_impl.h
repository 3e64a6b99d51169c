/*
 * tokenizer_impl.h - what the files of the tokenizer share. Nobody else includes it.
 *
 * A text goes through these stages, each in a file of its own:
 *   tokenizer_added.c  cuts out added tokens, first those marked normalized=false, and later, from
 *                      what has been normalized, the others
 *   tokenizer_norm.c   normalizes what is between
 *   tokenizer_split.c  cuts what is left into words, by any list of pre-tokenizers
 *   tokenizer_pre.c    does the same for the patterns that most models have
 *   tokenizer_bpe.c    turns a word into ids
 *   tokenizer.c        the door: encode, look-ups
 * and back through tokenizer_decode.c. tokenizer_load.c fills the tables from a model's files, with
 * tokenizer_parts.c for what surrounds the model; tokenizer_vocab.c holds them.
 */
#ifndef TOKENIZER_IMPL_H
#define TOKENIZER_IMPL_H

#include "mem.h"
#include "sha256.h"
#include "tokenizer.h"
#include "tokenizer_parts.h"
#include "unicode_class.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    TOKEN_IDS_MAX = 1 << 22, /* ids and merges; the largest vocabularies known have 2^18 */
    TOKEN_LEN_MAX = 4096,    /* bytes of one token's content */
    ADDED_LEN_MAX = 512,     /* of an added one's: it may be looked for at every byte of a text */
};
#define TOKEN_NONE UINT32_MAX

/* ---- vocabulary: id -> content and bytes, content -> id ---- */

enum { BYTE_CHARS = 0x144 }; /* GPT-2's alphabet ends below this code point */
enum { TOKEN_PRESENT = 1, TOKEN_MODEL = 2, TOKEN_ADDED = 4, TOKEN_SPECIAL = 8 };

struct token {
    uint32_t content, content_len; /* as the files spell it: place in vocab.arena */
    uint32_t said, said_len;       /* what a decoder is given: an added token as it is normalized */
    uint32_t bytes, bytes_len;     /* what it decodes to by itself */
    uint32_t flags;                /* 0: no token has this id */
};

struct vocab_slot {
    uint32_t id_1; /* id + 1; 0: free */
    uint32_t hash; /* of the content: most others are told by it alone */
};

/* How a token's content says its bytes: in GPT-2's alphabet; or as it is, but for <0x41> and the
 * character that stands for a space. */
enum spelling { SPELT_BYTE_LEVEL, SPELT_PLAIN };

struct vocab {
    struct token *token; /* by id, n_ids of them */
    uint32_t n_ids;      /* one more than the largest id */
    uint32_t n_ids_cap;
    uint32_t n_tokens;
    struct buf arena;
    struct vocab_slot *slot;     /* open addressing */
    uint32_t slots;              /* a power of two */
    int16_t byte_of[BYTE_CHARS]; /* byte that a character of GPT-2's alphabet stands for, or -1 */
    enum spelling spelling;
    struct part_text space; /* SPELT_PLAIN: lent; empty: none */
};

/* With room for N tokens; more are possible. Keeps SPELLING and SPACE. */
void vocab_init(struct vocab *v, size_t n);
void vocab_free(struct vocab *v);
/* Adds a token; -1 when its id or its content is taken, or it is out of bounds. */
MUST_USE int vocab_add(struct vocab *v, const char *content, size_t len, uint32_t id,
                       uint32_t flags);
/* From now on decoders are given the N bytes at SAID for token ID. */
MUST_USE int vocab_say(struct vocab *v, uint32_t id, const char *said, size_t n);
/* TOKEN_NONE when there is none. */
uint32_t vocab_find(const struct vocab *v, const char *content, size_t len);
/* NULL when there is none. */
static inline const struct token *vocab_token(const struct vocab *v, uint32_t id)
{
    return id < v->n_ids && v->token[id].flags ? v->token + id : NULL;
}
/* The character that stands for BYTE in GPT-2's alphabet, as UTF-8; its length. */
int byte_level_char(uint8_t byte, char out[2]);
/* Appends the bytes that the characters of CONTENT stand for; CONTENT itself where one stands for
 * none, as the ByteLevel decoder does token by token. */
void put_byte_level(struct buf *out, const int16_t byte_of[BYTE_CHARS], const char *content,
                    size_t len);
/* The byte that CONTENT, "<0x41>", stands for, as Hugging Face reads it; -1: it is no such token. */
int byte_of_token(const char *content, size_t len);

/* ---- merges ---- */

struct merge {
    uint64_t pair; /* left id << 32 | right id; MERGE_EMPTY: free */
    uint32_t rank, id;
};
#define MERGE_EMPTY UINT64_MAX

struct merges {
    struct merge *slot; /* open addressing */
    uint32_t n, mask;
    int shift;
};

void merges_init(struct merges *m);
void merges_free(struct merges *m);
/* A pair that is there already gets the new rank, as in Hugging Face's map. */
void merges_add(struct merges *m, uint32_t left, uint32_t right, uint32_t rank, uint32_t id);

/* ---- added tokens ---- */

struct added { /* one row of tokenizer.json's added_tokens */
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized;
};

struct trie_node {
    uint32_t child, sibling; /* node numbers; 0: none */
    uint32_t added;          /* index of the added token that ends here, or TOKEN_NONE */
    uint8_t byte;
};

struct matcher {            /* a set of added tokens that are looked for together */
    struct trie_node *node; /* node 0 is the root */
    uint32_t n, cap;
    uint64_t pair[1024]; /* bit: some token begins with these two bytes, or is the first */
};

void matcher_init(struct matcher *m);
void matcher_free(struct matcher *m);
void matcher_add(struct matcher *m, const uint8_t *content, size_t len, uint32_t added);

struct tokenizer;
struct tokenizer_scratch;
typedef void piece_fn(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                      const uint8_t *end);
/* Pushes the ids of the tokens of M found in [P, END) and hands what lies between them to PIECE. */
void split_added(const struct tokenizer *t, const struct matcher *m, struct tokenizer_scratch *s,
                 const uint8_t *p, const uint8_t *end, piece_fn *piece);

/* ---- words ---- */

#define PATTERN_GPT2 \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define PATTERN_NEWER(numbers)                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                              \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PATTERN_QWEN2 PATTERN_NEWER("\\p{N}")
#define PATTERN_LLAMA3 PATTERN_NEWER("\\p{N}{1,3}")

#define SPACE_MARK "\xE2\x96\x81" /* U+2581, which stands for a space */
enum { SPACE_MARK_LEN = 3, SPACE_MARK_FIRST = 0xE2 };
static inline bool begins_with_mark(const void *p, size_t n)
{
    return n >= SPACE_MARK_LEN && !memcmp(p, SPACE_MARK, SPACE_MARK_LEN);
}

/* End of the word that begins at P (P < END, valid UTF-8): one match of GPT-2's pattern in
 * [P, END), which all of a text is made of. */
word_fn next_word;
/* The same of SmolLM's, where every digit is a word; of the two patterns above; of Llama 2's, where
 * U+2581 begins a word unless it follows another; the whole text. */
word_fn next_word_digits, next_word_qwen2, next_word_llama3, next_word_spaces, next_word_whole;
/* The one of the patterns above that TEXT is, or NULL. */
word_fn *known_pattern(const char *text);
/* Classes of the code point at P, its length in *LEN. */
uint8_t class_at(const uint8_t *classes, const uint8_t *p, int *len);

/* ---- the whole ---- */

struct tokenizer {
    struct vocab vocab;
    struct merges merges;
    struct parts_read parts;
    word_fn *next;         /* how a piece becomes words, or NULL: by the list of pre-tokenizers */
    bool bytes;            /* a word's first symbols are its bytes, else its characters */
    bool gaps;             /* bytes: some that UTF-8 has are no tokens */
    uint32_t byte_id[256]; /* TOKEN_NONE for bytes that UTF-8 never has and nobody trained; of
                              characters: the tokens <0x00> to <0xFF>, where all are there */
    uint32_t ascii_id[128];
    uint32_t unk; /* what stands for a character that is no token, or TOKEN_NONE */
    bool byte_fallback, fuse_unk;
    bool crosses_marks; /* a merge may join U+2581 to another character in front of it */
    bool cuts_at_spaces; /* see tokenizer_cut */
    bool ignore_merges;    /* a word that is a token is that token, whatever the merges say */
    struct added *added;
    uint32_t n_added, added_cap;
    uint32_t n_model, next_added;     /* tokens of the model; one more than the largest added id */
    struct matcher exact, normalized; /* the two sets, in the order in which they are applied */
    uint8_t *classes;
    int64_t eos;
    char *name; /* of the file, for messages */
    uint8_t digest[SHA256_BYTES];
};

/* Words that came by lately and their ids: direct-mapped, so its size is fixed and a look-up is one
 * comparison. What is in it never changes a result. */
enum { WORD_KEY = 16, WORD_IDS = 3, WORD_CACHE_BITS = 15, WORD_CACHE_SIZE = 1 << WORD_CACHE_BITS };

struct cached_word {
    uint8_t key[WORD_KEY]; /* padded with zeros */
    uint32_t id[WORD_IDS];
    uint8_t len, n; /* len 0: nothing here */
};
_Static_assert(sizeof(struct cached_word) == 32, "two to a cache line");

enum { PIECE = 1 << 16 }; /* the longest token is a small part of it */

struct symbol { /* of a long word: a doubly linked list */
    uint32_t id;
    uint32_t prev, next; /* TOKEN_NONE at the ends */
};

struct candidate {        /* a merge that may still be possible */
    uint32_t rank, at;    /* position of the left symbol */
    uint32_t left, right; /* ids when it was noted: stale when they have changed */
    uint32_t id;
};

struct tokenizer_scratch {
    uint8_t owner[SHA256_BYTES]; /* digest of the tokenizer the cache belongs to */
    struct cached_word *cache;   /* in cache_memory, each entry within one line of the CPU's */
    void *cache_memory;
    uint64_t n_texts; /* encoded so far */
    uint32_t *ids;
    size_t n, cap, most;
    bool counting; /* ids are let go, COUNTED of them so far */
    size_t counted;
    bool failed;                    /* err_set says why */
    const uint8_t *text, *text_end; /* as it was given */
    const uint8_t *origin;          /* the piece that begins here begins the text; or NULL */
    const uint8_t *readable;        /* end of the memory that words are in */
    struct buf normal[2];           /* a piece, normalized */
    struct buf step[PARTS_MAX], subject; /* and changed by a pre-tokenizer */
    struct pattern_scratch *matching;
    uint32_t *first; /* a long word's symbols, where they are not its bytes */
    size_t first_cap;
    size_t piece; /* symbols of a long word that are merged at a time */
    struct symbol *symbol;
    size_t symbol_cap;
    struct candidate *heap;
    size_t heap_n, heap_cap;
    struct buf spelled; /* a word in GPT-2's alphabet */
};

void push_id(struct tokenizer_scratch *s, uint32_t id);
/* To be asked now and then. Lets go of the ids where they are only counted; true: there are more
 * than are wanted. */
bool enough_ids(struct tokenizer_scratch *s);
/* Notes that err_set has been called. */
void encoding_failed(struct tokenizer_scratch *s);
struct pattern_scratch *scratch_matching(struct tokenizer_scratch *s);
/* [P, END) normalized: the same memory, or that of S. Sets S->origin and S->readable for it. */
const uint8_t *normalize(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                         const uint8_t **end);
/* The first ONE, which is not empty, in the N bytes at P, or NULL: memchr finds that there is none
 * much sooner than memmem. */
static inline const void *find_text(const void *p, size_t n, const struct part_text *one)
{
    const char *at = memchr(p, one->p[0], n), *end = (const char *)p + n;

    return at && one->n > 1 ? memmem(at, (size_t)(end - at), one->p, one->n) : at;
}
extern const struct part_text blank; /* one space */
/* Appends to OUT the N bytes at P, with TO in place of each FROM; an empty FROM is nowhere. */
void put_replaced(struct buf *out, const char *p, size_t n, const struct part_text *from,
                  const struct part_text *to);
/* Appends to OUT the N bytes of valid UTF-8 at TEXT as Hugging Face's NFC gives them. */
void put_nfc(const uint8_t *classes, struct buf *out, const uint8_t *p, const uint8_t *end);
/* Whether NFC leaves [P, END) as it is. */
bool is_nfc(const uint8_t *classes, const uint8_t *p, const uint8_t *end);
/* Appends the ids of one word of N bytes, which is in the memory before READABLE. */
void encode_one(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p, size_t n,
                const uint8_t *readable);
/* Goes through the matches of SEARCH in a text, as Hugging Face does: an empty one is none right
 * behind another. All but SEARCH begins as 0. */
struct finder {
    const struct search *search;
    size_t from, last;
    bool found;
};
/* The next one in the N bytes at P; as pattern_find. SUBJECT is what pattern_subject made of P. */
MUST_USE int find_next(struct finder *f, struct tokenizer_scratch *s, const uint8_t *p,
                       const uint8_t *subject, size_t n, struct match *m);
/* Appends the ids of [P, END), one piece without added tokens: by the pre-tokenizers one by one. */
void split_words(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                 const uint8_t *end);
/* The same, by T->next or by them. */
void encode_words(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                  const uint8_t *end);

/* ---- loading ---- */

/* N bytes of CONTENT for a message: in JSON's quotes and escapes, shortened; OUT is returned. */
enum { QUOTED_MAX = 256 };
const char *quoted(char out[QUOTED_MAX], const char *content, size_t n);
#define QUOTED(content, n) quoted((char[QUOTED_MAX]){ 0 }, content, n)
/* V as an id, -1 when it is none. */
int64_t token_id(const cJSON *v);
/* Member KEY of O, or NULL where it is absent or null, or O is NULL. */
const cJSON *json_member(const cJSON *o, const char *key);
/* The place of NAME among the N texts of LIST; -1: it is none of them. */
int find_name(const char *name, const char *const *list, int n);
/* The model's tokens from an object of contents and ids: a place in a text that json_check has
 * passed (see json_walk.h), BYTES long at most. */
MUST_USE int load_vocab(struct tokenizer *t, const char *vocab, size_t bytes);
/* "tokenizer feature not supported", by its name: WHERE and WHAT one after the other. */
int refuse_feature(const char *where, const char *what);
/* -1 when object O has a member that is not among the space-separated KEYS. */
MUST_USE int known_keys(const cJSON *o, const char *where, const char *keys);
/* Finds byte_id and what stands for a byte that is no token: UNK, its name or NULL. Without one text
 * vanishes, as it does with Hugging Face: that is taken of control characters alone. */
MUST_USE int load_bytes(struct tokenizer *t, const char *unk);
/* Chooses how pieces become words from the parts of T, and adds the classes they need. */
void choose_words(struct tokenizer *t);
/* Merges are added one by one, in the order of their ranks. */
struct merge_loader {
    struct tokenizer *t;
    uint32_t rank, id;           /* of the next one; ID: what it probably makes */
    struct buf left, right, both; /* scratch */
};
void merge_loader_free(struct merge_loader *l);
/* One merge written "a b", exactly one space in it. */
MUST_USE int load_merge_text(struct merge_loader *l, const char *text, size_t n);
/* One added token; O (or NULL) holds its flags, SPECIAL and the rest are the defaults. ID is what
 * the file says (it must be what Hugging Face would give), -1 when it says nothing. */
MUST_USE int load_added(struct tokenizer *t, const char *content, int64_t id, const cJSON *o,
                        bool special);

/* Fills T from the bytes of a tokenizer.json. */
MUST_USE int tokenizer_load_json(struct tokenizer *t, const char *text, size_t n);
/* Fills T from vocab.json, merges.txt and the files beside them, as transformers does for GPT-2 and
 * CodeGen where there is no tokenizer.json. */
MUST_USE int tokenizer_load_files(struct tokenizer *t, const struct pack *p);
/* Finds out which token ends a text, from the configuration files of P (NULL: there are none). */
MUST_USE int tokenizer_load_eos(struct tokenizer *t, const struct pack *p);

#endif
