#include "texts.h"

#include "mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { COEFFICIENT = 7, AHEAD = 16 }; /* bytes; rows whose slots are asked for beforehand */

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

static bool same(const struct text_key *a, const struct text_key *b)
{
    return a->at[0] == b->at[0] && a->at[1] == b->at[1];
}

int64_t *first_of_text(const struct text_key *key, int64_t n)
{
    size_t slots = 2;

    while (slots < 2 * (size_t)n)
        slots *= 2;
    int64_t *row = xnmalloc(slots, sizeof *row), *first = xnmalloc((size_t)n, sizeof *first);

    for (size_t at = 0; at < slots; at++)
        row[at] = -1;
    for (int64_t i = 0; i < n; i++) {
        size_t at = (size_t)key[i].at[0] & (slots - 1);

        if (i + AHEAD < n)
            __builtin_prefetch(&row[(size_t)key[i + AHEAD].at[0] & (slots - 1)], 1);
        while (row[at] >= 0 && !same(&key[row[at]], &key[i]))
            at = (at + 1) & (slots - 1);
        if (row[at] < 0)
            row[at] = i;
        first[i] = row[at];
    }
    free(row);
    return first;
}
