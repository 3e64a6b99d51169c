#include "texts.h"

#include "mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    COEFFICIENT = 7, /* bytes */
    BATCH = 1 << 10, /* texts, that are looked up at a time */
    AHEAD = 16,      /* rows whose slots are asked for beforehand */
    FEW = 1 << 10,   /* rows and slots in the beginning */
};

static const uint64_t prime = ((uint64_t)1 << 61) - 1;

/* The number modulo the prime, or up to 7 more than the prime. */
static uint64_t fold(uint64_t v)
{
    return (v & prime) + (v >> 61);
}

static uint64_t reduce(uint64_t v)
{
    return v < prime ? v : v - prime;
}

/* V X^2 + C X + D, folded, for V as fold leaves it, X and its square reduced, C and D < 2^57. */
static uint64_t horner(uint64_t v, const struct text_point *x, uint64_t c, uint64_t d)
{
    __extension__ const unsigned __int128 sum =
        (unsigned __int128)v * x->square + (unsigned __int128)c * x->x + d;

    return fold((uint64_t)(sum & prime) + (uint64_t)(sum >> 61));
}

void text_points_draw(struct text_point x[2])
{
    uint64_t drawn[2];

    if (getentropy(drawn, sizeof drawn) < 0)
        die(EXIT_NUMERIC, "the system gives no random numbers: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        x[i] = (struct text_point){ reduce(drawn[i] & prime), 0 };
        x[i].square = reduce(horner(x[i].x, &(struct text_point){ 0, x[i].x }, 0, 0));
    }
}

/* COEFFICIENT bytes at P, behind which there is one more. */
static uint64_t coefficient(const unsigned char *p)
{
    uint64_t c;

    memcpy(&c, p, sizeof c);
    return c & (((uint64_t)1 << 8 * COEFFICIENT) - 1);
}

/* The last coefficient, of N bytes at P and a 1 behind them. */
static uint64_t last_coefficient(const unsigned char *p, size_t n)
{
    uint64_t c = 0;

    memcpy(&c, p, n);
    return c | (uint64_t)1 << 8 * n;
}

/* Before the coefficients comes a 1, and behind an odd number of them a 0, which is no last one: so
 * no two texts have the same. Two at a time, as one product need not wait for the other. */
struct text_key text_key_of(const struct text_point x[2], const void *text, size_t n)
{
    const unsigned char *p = text;
    uint64_t key[2] = { 1, 1 };

    for (; n > 2 * COEFFICIENT; n -= 2 * COEFFICIENT, p += 2 * COEFFICIENT) {
        const uint64_t c = coefficient(p), d = coefficient(p + COEFFICIENT);

        key[0] = horner(key[0], &x[0], c, d);
        key[1] = horner(key[1], &x[1], c, d);
    }
    const bool two = n > COEFFICIENT;
    const uint64_t c = two ? coefficient(p) : last_coefficient(p, n);
    const uint64_t d = two ? last_coefficient(p + COEFFICIENT, n - COEFFICIENT) : 0;

    return (struct text_key){ { reduce(horner(key[0], &x[0], c, d)),
                                reduce(horner(key[1], &x[1], c, d)) } };
}

/* ---- which rows have the same key ---- */

struct texts {
    struct text_point x[2];
    struct text_key *key; /* (n) */
    int64_t *first;       /* (found) */
    int64_t n, found, cap;
    int64_t *slot; /* (slots, a power of two) first rows by their keys, -1: free */
    size_t slots;
};

static bool same(const struct text_key *a, const struct text_key *b)
{
    return a->at[0] == b->at[0] && a->at[1] == b->at[1];
}

/* The slot of KEY, or the free one where it would be. */
static int64_t *slot_of(const struct texts *t, const struct text_key *key)
{
    size_t at = (size_t)key->at[0] & (t->slots - 1);

    while (t->slot[at] >= 0 && !same(&t->key[t->slot[at]], key))
        at = (at + 1) & (t->slots - 1);
    return &t->slot[at];
}

/* At least twice as many slots as there are keys. */
static void make_slots(struct texts *t)
{
    t->slots = t->slots ? t->slots : FEW;
    while (t->slots < 2 * (size_t)t->n)
        t->slots *= 2;
    free(t->slot);
    t->slot = xnmalloc(t->slots, sizeof *t->slot);
    for (size_t at = 0; at < t->slots; at++)
        t->slot[at] = -1;
    for (int64_t i = 0; i < t->found; i++)
        if (t->first[i] == i)
            *slot_of(t, &t->key[i]) = i;
}

/* Looks up the texts that were added. */
static void find_first(struct texts *t)
{
    if (t->slots < 2 * (size_t)t->n)
        make_slots(t);
    for (int64_t i = t->found; i < t->n; i++) {
        if (i + AHEAD < t->n)
            __builtin_prefetch(&t->slot[t->key[i + AHEAD].at[0] & (t->slots - 1)], 1);
        int64_t *slot = slot_of(t, &t->key[i]);

        if (*slot < 0)
            *slot = i;
        t->first[i] = *slot;
    }
    t->found = t->n;
}

struct texts *texts_new(void)
{
    struct texts *t = xcalloc(1, sizeof *t);

    text_points_draw(t->x);
    t->cap = FEW;
    t->key = xnmalloc(FEW, sizeof *t->key);
    t->first = xnmalloc(FEW, sizeof *t->first);
    return t;
}

void texts_add(struct texts *t, const void *text, size_t n)
{
    if (t->n == t->cap) {
        t->cap *= 2;
        t->key = xnrealloc(t->key, (size_t)t->cap, sizeof *t->key);
        t->first = xnrealloc(t->first, (size_t)t->cap, sizeof *t->first);
    }
    t->key[t->n++] = text_key_of(t->x, text, n);
    if (t->n - t->found == BATCH)
        find_first(t);
}

int64_t *texts_first(struct texts *t)
{
    find_first(t);
    int64_t *first = t->first;

    free(t->key);
    free(t->slot);
    free(t);
    return first;
}
