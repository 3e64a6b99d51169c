#include "tokenizer_impl.h"
#include "tokenizer_scan.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHORT_WORD = 40,   /* bytes; above, the heap beats looking through all pairs again */
    STRETCH = 1 << 16, /* bytes of a text for whose ids room is made at a time */
};

/* ---- the table of merges ---- */

static inline uint32_t merge_slot(const struct merges *m, uint64_t pair)
{
    return (uint32_t)((pair * UINT64_C(0x9E3779B97F4A7C15)) >> m->shift);
}

void merges_free(struct merges *m)
{
    free(m->slot);
}

static void put(struct merges *m, struct merge one)
{
    uint32_t i = merge_slot(m, one.pair);

    while (m->slot[i].pair != MERGE_EMPTY && m->slot[i].pair != one.pair)
        i = (i + 1) & m->mask;
    m->n += m->slot[i].pair == MERGE_EMPTY;
    m->slot[i] = one;
}

/* SIZE is a power of two. */
static void init(struct merges *m, size_t size)
{
    *m = (struct merges){ .mask = (uint32_t)(size - 1), .shift = 64 - __builtin_ctzll(size) };
    m->slot = xnmalloc(size, sizeof *m->slot);
    for (size_t i = 0; i < size; i++)
        m->slot[i].pair = MERGE_EMPTY;
}

void merges_init(struct merges *m)
{
    init(m, 1 << 15);
}

/* Keeps half of the slots free. */
static void grow(struct merges *m)
{
    const struct merges old = *m;

    init(m, 2 * ((size_t)old.mask + 1));
    for (size_t i = 0; i <= old.mask; i++)
        if (old.slot[i].pair != MERGE_EMPTY)
            put(m, old.slot[i]);
    free(old.slot);
}

void merges_add(struct merges *m, uint32_t left, uint32_t right, uint32_t rank, uint32_t id)
{
    if (2 * m->n >= m->mask)
        grow(m);
    put(m, (struct merge){ (uint64_t)left << 32 | right, rank, id });
}

/* The merge of two ids, or NULL. */
static inline const struct merge *merge_of(const struct merges *m, uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << 32 | right;
    uint32_t i = merge_slot(m, pair);

    while (m->slot[i].pair != pair) {
        if (m->slot[i].pair == MERGE_EMPTY)
            return NULL;
        i = (i + 1) & m->mask;
    }
    return m->slot + i;
}

/* ---- what a word is before anything is merged ---- */

/* The token of the model with this content, or TOKEN_NONE. */
static uint32_t model_token(const struct tokenizer *t, const char *content, size_t n)
{
    const uint32_t id = vocab_find(&t->vocab, content, n);

    return id != TOKEN_NONE && t->vocab.token[id].flags & TOKEN_MODEL ? id : TOKEN_NONE;
}

/* Puts ID behind the K symbols in OUT, or notes that an unknown one is WAITING; how many there are
 * then. As Hugging Face has it, an unknown token goes in only when the next token or unknown
 * character comes: behind bytes that stand between. */
static inline size_t put_symbol(const struct tokenizer *t, uint32_t *out, size_t k, uint32_t id,
                                bool *waiting)
{
    if (*waiting && (id != TOKEN_NONE || !t->fuse_unk))
        out[k++] = t->unk;
    *waiting = id == TOKEN_NONE;
    if (!*waiting)
        out[k++] = id;
    return k;
}

/* A symbol a character, where it is a token; else one for each of its bytes; else the unknown
 * token, one for all that stand together with fuse_unk. */
static size_t characters(const struct tokenizer *t, const uint8_t *p, size_t n, uint32_t *out)
{
    const uint8_t *end = p + n;
    bool waiting = false;
    int len;

    for (n = 0; p < end; p += len) {
        (void)utf8_decode((const char *)p, &len);
        const uint32_t id =
            len == 1 ? t->ascii_id[*p] : model_token(t, (const char *)p, (size_t)len);

        if (id == TOKEN_NONE && t->byte_fallback) {
            for (int i = 0; i < len; i++)
                out[n++] = t->byte_id[p[i]];
            continue;
        }
        n = put_symbol(t, out, n, id, &waiting);
    }
    if (waiting)
        out[n++] = t->unk;
    return n;
}

/* The same of bytes where some are no tokens. */
static size_t bytes_with_gaps(const struct tokenizer *t, const uint8_t *p, size_t n, uint32_t *out)
{
    bool waiting = false;
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        const uint32_t id = t->byte_id[p[i]];

        if (id == TOKEN_NONE && t->unk == TOKEN_NONE)
            continue;
        k = put_symbol(t, out, k, id, &waiting);
    }
    if (waiting)
        out[k++] = t->unk;
    return k;
}

/* The first symbols of the word of N bytes at P into OUT, at most N of them; how many. */
static inline size_t first_symbols(const struct tokenizer *t, const uint8_t *p, size_t n,
                                   uint32_t *out)
{
    if (!t->bytes)
        return characters(t, p, n, out);
    if (t->gaps)
        return bytes_with_gaps(t, p, n, out);
    for (size_t i = 0; i < n; i++)
        out[i] = t->byte_id[p[i]];
    return n;
}

/* ---- short words: look through all pairs, merge the best, repeat ---- */

struct pair {
    uint32_t rank, id; /* of this symbol with the next; rank TOKEN_NONE: no merge */
};

static inline struct pair pair_of(const struct merges *m, uint32_t left, uint32_t right)
{
    const struct merge *merge = merge_of(m, left, right);

    return merge ? (struct pair){ merge->rank, merge->id } : (struct pair){ TOKEN_NONE, 0 };
}

/* Ids of the N <= SHORT_WORD bytes at P into OUT; how many. */
static size_t bpe_short(const struct tokenizer *t, const uint8_t *p, size_t n, uint32_t *out)
{
    struct pair pair[SHORT_WORD];

    n = first_symbols(t, p, n, out);
    for (size_t i = 0; i + 1 < n; i++)
        pair[i] = pair_of(&t->merges, out[i], out[i + 1]);
    while (n > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < n; i++)
            if (pair[i].rank < pair[best].rank)
                best = i;
        if (pair[best].rank == TOKEN_NONE)
            break;
        out[best] = pair[best].id;
        memmove(out + best + 1, out + best + 2, (n - best - 2) * sizeof *out);
        memmove(pair + best, pair + best + 1, (n - best - 2) * sizeof *pair);
        n--;
        if (best + 1 < n)
            pair[best] = pair_of(&t->merges, out[best], out[best + 1]);
        if (best > 0)
            pair[best - 1] = pair_of(&t->merges, out[best - 1], out[best]);
    }
    return n;
}

/* ---- long words: a heap of possible merges over a linked list ---- */

static inline bool before(const struct candidate *a, const struct candidate *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static void heap_push(struct tokenizer_scratch *s, struct candidate c)
{
    size_t i = s->heap_n++;

    if (s->heap_n > s->heap_cap) {
        s->heap_cap = s->heap_cap ? 2 * s->heap_cap : 1024;
        s->heap = xnrealloc(s->heap, s->heap_cap, sizeof *s->heap);
    }
    while (i > 0 && before(&c, s->heap + (i - 1) / 2)) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = c;
}

static struct candidate heap_pop(struct tokenizer_scratch *s)
{
    const struct candidate top = s->heap[0], moved = s->heap[--s->heap_n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < s->heap_n) {
        if (child + 1 < s->heap_n && before(s->heap + child + 1, s->heap + child))
            child++;
        if (!before(s->heap + child, &moved))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = moved;
    return top;
}

static void note_pair(const struct tokenizer *t, struct tokenizer_scratch *s, uint32_t left)
{
    const uint32_t right = s->symbol[left].next;

    if (right == TOKEN_NONE)
        return;
    const struct merge *m = merge_of(&t->merges, s->symbol[left].id, s->symbol[right].id);

    if (m)
        heap_push(
            s, (struct candidate){ m->rank, left, s->symbol[left].id, s->symbol[right].id, m->id });
}

/* The N symbols of a long word, or of what is left of it: one of the two is NULL. */
struct long_word {
    const uint8_t *bytes;
    const uint32_t *ids;
    size_t n;
};

static void symbols_init(const struct tokenizer *t, struct tokenizer_scratch *s,
                         const struct long_word *w, size_t n)
{
    if (n > s->symbol_cap) {
        s->symbol_cap = n;
        s->symbol = xnrealloc(s->symbol, n, sizeof *s->symbol);
    }
    for (size_t i = 0; i < n; i++)
        s->symbol[i] = (struct symbol){ w->ids ? w->ids[i] : t->byte_id[w->bytes[i]],
                                        (uint32_t)i - 1, (uint32_t)i + 1 };
    s->symbol[n - 1].next = TOKEN_NONE;
}

/* Merges the pair C stands for, unless one of its symbols has been merged since. A symbol that was
 * swallowed by its left neighbour has the id TOKEN_NONE, which no candidate carries. */
static void apply(const struct tokenizer *t, struct tokenizer_scratch *s, const struct candidate *c)
{
    struct symbol *left = s->symbol + c->at;

    if (left->id != c->left || left->next == TOKEN_NONE || s->symbol[left->next].id != c->right)
        return;
    struct symbol *right = s->symbol + left->next;

    left->id = c->id;
    left->next = right->next;
    right->id = TOKEN_NONE;
    if (left->next != TOKEN_NONE)
        s->symbol[left->next].prev = c->at;
    note_pair(t, s, c->at);
    if (left->prev != TOKEN_NONE)
        note_pair(t, s, left->prev);
}

/* Merges the first N symbols of W as far as they go: the list from symbol 0 on holds their ids. */
static void merge_all(const struct tokenizer *t, struct tokenizer_scratch *s,
                      const struct long_word *w, size_t n)
{
    symbols_init(t, s, w, n);
    s->heap_n = 0;
    for (size_t i = 0; i + 1 < n; i++)
        note_pair(t, s, (uint32_t)i);
    while (s->heap_n) {
        const struct candidate c = heap_pop(s);

        apply(t, s, &c);
    }
}

/* Pushes the ids of the list up to the last one that begins at STOP or before, which is left out;
 * where it begins. */
static uint32_t push_before(struct tokenizer_scratch *s, size_t stop)
{
    uint32_t i = 0;

    for (; s->symbol[i].next != TOKEN_NONE && s->symbol[i].next <= stop; i = s->symbol[i].next)
        push_id(s, s->symbol[i].id);
    return i;
}

/*
 * Pieces of SIZE symbols, so that memory does not grow with the word. A piece begins with the last
 * token that was sure of the piece before, and has to begin with this token when it is merged by
 * itself. Then the two fit together: merges are done in an order that each side of a token keeps
 * when the other side is not there, so that nothing would join them but what had joined the token
 * to one of them before. False where a piece begins otherwise: its end was not far enough from what
 * it decides.
 */
static bool bpe_pieces(const struct tokenizer *t, struct tokenizer_scratch *s, struct long_word w,
                       size_t size)
{
    uint32_t first = TOKEN_NONE; /* what the piece has to begin with; TOKEN_NONE: anything */

    for (;;) {
        const size_t take = w.n < size ? w.n : size;

        merge_all(t, s, &w, take);
        if (first != TOKEN_NONE && s->symbol[0].id != first)
            return false;
        if (enough_ids(s))
            return true;
        const uint32_t at = push_before(s, take < w.n ? take - take / 8 : take);

        first = s->symbol[at].id;
        if (take == w.n)
            break;
        if (at == 0) /* one token, or nearly: a longer piece is needed to get on */
            return false;
        if (w.ids)
            w.ids += at;
        else
            w.bytes += at;
        w.n -= at;
    }
    push_id(s, first);
    return true;
}

static void bpe_long(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                     size_t n)
{
    const size_t before_n = s->n, before_counted = s->counted;
    struct long_word w = { .bytes = p, .n = n };

    if (!t->bytes || t->gaps) {
        if (n > s->first_cap) {
            s->first_cap = n;
            s->first = xnrealloc(s->first, n, sizeof *s->first);
        }
        w = (struct long_word){ .ids = s->first, .n = first_symbols(t, p, n, s->first) };
        if (!w.n)
            return;
    }
    for (size_t size = s->piece; !bpe_pieces(t, s, w, size); size *= 8) {
        s->n = before_n;
        s->counted = before_counted;
    }
}

/* ---- a word ---- */

/* The id of the word as a whole when it is a token of the model, else TOKEN_NONE. */
static uint32_t whole_word(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                           size_t n)
{
    const char *content = (const char *)p;

    if (t->bytes) {
        buf_clear(&s->spelled);
        for (size_t i = 0; i < n; i++) {
            char c[2];
            const int len = byte_level_char(p[i], c);

            buf_add(&s->spelled, c, (size_t)len);
        }
        content = s->spelled.p;
        n = s->spelled.n;
    }
    return model_token(t, content, n);
}

static void encode_word(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                        size_t n)
{
    if (t->ignore_merges && n <= TOKEN_LEN_MAX) {
        const uint32_t id = whole_word(t, s, p, n);

        if (id != TOKEN_NONE) {
            push_id(s, id);
            return;
        }
    }
    if (n <= SHORT_WORD)
        s->n += bpe_short(t, p, n, s->ids + s->n);
    else
        bpe_long(t, s, p, n);
}

/* The word's bytes padded with zeros, as two integers: a key that is compared at once. */
static inline void word_key(uint64_t key[2], const uint8_t *p, size_t n, const uint8_t *readable)
{
    static const uint8_t keep[2 * WORD_KEY] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };
    uint64_t mask[2];

    if (readable - p < WORD_KEY) { /* nothing behind the text is read */
        key[0] = key[1] = 0;
        memcpy(key, p, n);
        return;
    }
    memcpy(key, p, WORD_KEY);
    memcpy(mask, keep + WORD_KEY - n, WORD_KEY);
    key[0] &= mask[0];
    key[1] &= mask[1];
}

static inline uint32_t key_slot(const uint64_t key[2])
{
    const uint64_t h =
        (key[0] ^ key[1] * UINT64_C(0xC2B2AE3D27D4EB4F)) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint32_t)((h ^ h >> 29) * UINT64_C(0xBF58476D1CE4E5B9) >> (64 - WORD_CACHE_BITS));
}

/* encode_word for words that fit the cache. */
static inline void encode_short_word(const struct tokenizer *t, struct tokenizer_scratch *s,
                                     const uint8_t *p, size_t n, const uint8_t *readable)
{
    uint64_t key[2];

    word_key(key, p, n, readable);
    struct cached_word *w = s->cache + key_slot(key);

    if (w->len == n && !memcmp(w->key, key, sizeof key)) {
        memcpy(s->ids + s->n, w->id, sizeof w->id); /* there is room for all: see encode_words */
        s->n += w->n;
        return;
    }
    const size_t before_n = s->n;

    encode_word(t, s, p, n);
    if (s->n - before_n > WORD_IDS)
        return;
    memcpy(w->key, key, sizeof key);
    memcpy(w->id, s->ids + before_n, sizeof w->id);
    w->len = (uint8_t)n;
    w->n = (uint8_t)(s->n - before_n);
}

/* For the ids of words that begin within the next N bytes: at most as many as there are bytes, and
 * the last short word may reach beyond them; WORD_IDS more for the copy from the cache. A long word
 * makes room by itself. */
static inline void make_room(struct tokenizer_scratch *s, size_t n)
{
    const size_t want = s->n + n + SHORT_WORD + WORD_IDS;

    if (want > s->cap) {
        s->cap = want + want / 2;
        s->ids = xnrealloc(s->ids, s->cap, sizeof *s->ids);
    }
}

void encode_one(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p, size_t n,
                const uint8_t *readable)
{
    make_room(s, 0);
    if (n <= WORD_KEY)
        encode_short_word(t, s, p, n, readable);
    else
        encode_word(t, s, p, n);
}

/* The words of [P, END) as NEXT finds them: a constant, for it to be inlined. */
static inline void encode_each(const struct tokenizer *t, struct tokenizer_scratch *s,
                               const uint8_t *p, const uint8_t *end, word_fn *next)
{
    const uint8_t *const readable = s->readable, *const classes = t->classes;

    while (p < end && !enough_ids(s)) {
        const uint8_t *stop = end - p > STRETCH ? p + STRETCH : end;

        make_room(s, (size_t)(stop - p));
        while (p < stop) {
            const uint8_t *q = next(classes, p, end);
            const size_t n = (size_t)(q - p);

            if (n <= WORD_KEY)
                encode_short_word(t, s, p, n, readable);
            else
                encode_word(t, s, p, n);
            p = q;
        }
    }
}

void encode_words(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                  const uint8_t *end)
{
    if (!t->next)
        split_words(t, s, p, end);
    else if (t->next == next_word)
        encode_each(t, s, p, end, scan_word);
    else
        encode_each(t, s, p, end, t->next);
}
