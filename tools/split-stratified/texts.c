#include "texts.h"

#include "mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    AHEAD = 16,    /* rows whose slots are asked for beforehand */
    TAG_BITS = 12, /* of a hash, that tell most other rows apart without a look at them */
};

struct texts {
    uint64_t key[2];
    uint64_t *hash; /* (cap) */
    int64_t n, cap;
    uint64_t *slot; /* (slots) first rows, by their hashes: 0, or the row from 1 on above a tag */
    size_t slots;
};

struct texts *texts_new(void)
{
    struct texts *t = xcalloc(1, sizeof *t);

    if (getentropy(t->key, sizeof t->key) < 0)
        die(EXIT_NUMERIC, "the system gives no random numbers: %s", strerror(errno));
    return t;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ const unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Under a key that is another one in each run, so that nobody can make texts of one hash. */
static uint64_t hash_of(const uint64_t key[2], const char *text, size_t n)
{
    uint64_t h = n, word[2];

    for (; n >= sizeof word; n -= sizeof word, text += sizeof word) {
        memcpy(word, text, sizeof word);
        h = mix(word[0] ^ key[0], word[1] ^ key[1] ^ h);
    }
    memset(word, 0, sizeof word);
    memcpy(word, text, n);
    h = mix(word[0] ^ key[0], word[1] ^ key[1] ^ h);
    return mix(h ^ key[1], key[0]);
}

void texts_add(struct texts *t, const void *text, size_t n)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 1024;
        t->hash = xnrealloc(t->hash, (size_t)t->cap, sizeof *t->hash);
    }
    t->hash[t->n++] = hash_of(t->key, text, n);
}

static size_t slot_of(const struct texts *t, int64_t row)
{
    __extension__ const unsigned __int128 product = (unsigned __int128)t->hash[row] * t->slots;

    return (size_t)(product >> 64);
}

/* The first row that has the text of ROW; -1. */
static int64_t find(struct texts *t, int64_t row, int (*same)(void *user, int64_t a, int64_t b),
                    void *user)
{
    const uint64_t mask = (1 << TAG_BITS) - 1, tag = t->hash[row] & mask;
    size_t at = slot_of(t, row);

    for (; t->slot[at]; at = at + 1 < t->slots ? at + 1 : 0) {
        const int64_t other = (int64_t)(t->slot[at] >> TAG_BITS) - 1;
        const int is = (t->slot[at] & mask) == tag ? same(user, other, row) : 0;

        if (is)
            return is < 0 ? -1 : other;
    }
    t->slot[at] = (uint64_t)(row + 1) << TAG_BITS | tag;
    return row;
}

int64_t *texts_first(struct texts *t, int (*same)(void *user, int64_t a, int64_t b), void *user)
{
    int64_t *first = xnmalloc((size_t)t->n, sizeof *first);

    t->slots = (size_t)t->n + (size_t)t->n / 2 + 1;
    t->slot = xcalloc(t->slots, sizeof *t->slot);
    for (int64_t row = 0; first && row < t->n; row++) {
        if (row + AHEAD < t->n)
            __builtin_prefetch(&t->slot[slot_of(t, row + AHEAD)], 1);
        first[row] = find(t, row, same, user);
        if (first[row] < 0) {
            free(first);
            first = NULL;
        }
    }
    free(t->hash);
    free(t->slot);
    free(t);
    return first;
}
