#include "rng.h"

#include <math.h>

enum { N = 624, M = 397 };

void mt19937_seed(struct mt19937 *g, uint32_t seed)
{
    g->key[0] = seed;
    for (int i = 1; i < N; i++)
        g->key[i] = 1812433253u * (g->key[i - 1] ^ (g->key[i - 1] >> 30)) + (uint32_t)i;
    g->pos = N;
}

static uint32_t twist(uint32_t upper, uint32_t lower, uint32_t far)
{
    const uint32_t y = (upper & 0x80000000u) | (lower & 0x7fffffffu);

    return far ^ (y >> 1) ^ ((y & 1) ? 0x9908b0dfu : 0);
}

static void refill(struct mt19937 *g)
{
    for (int i = 0; i < N - M; i++)
        g->key[i] = twist(g->key[i], g->key[i + 1], g->key[i + M]);
    for (int i = N - M; i < N - 1; i++)
        g->key[i] = twist(g->key[i], g->key[i + 1], g->key[i + M - N]);
    g->key[N - 1] = twist(g->key[N - 1], g->key[0], g->key[M - 1]);
    g->pos = 0;
}

static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

uint32_t mt19937_u32(struct mt19937 *g)
{
    if (g->pos == N)
        refill(g);
    return temper(g->key[g->pos++]);
}

static uint64_t mt19937_u64(struct mt19937 *g)
{
    const uint64_t high = mt19937_u32(g);

    return high << 32 | mt19937_u32(g);
}

uint64_t mt19937_interval(struct mt19937 *g, uint64_t max)
{
    if (max == 0)
        return 0;
    const uint64_t mask = UINT64_MAX >> __builtin_clzll(max);
    uint64_t value;

    do
        value = mask & (max <= UINT32_MAX ? mt19937_u32(g) : mt19937_u64(g));
    while (value > max);
    return value;
}

/* At most as many words are taken as are missing, so that none is lost; no branch depends on them.
 */
void mt19937_intervals(struct mt19937 *g, uint32_t *out, int64_t n, uint32_t max)
{
    const uint32_t mask = max ? UINT32_MAX >> __builtin_clz(max) : 0;

    for (int64_t i = 0; i < n && max == 0; i++)
        out[i] = 0;
    for (int64_t got = 0; got < n && max > 0;) {
        uint32_t word[N];

        if (g->pos == N)
            refill(g);
        const int left = N - g->pos, take = n - got < left ? (int)(n - got) : left;

        for (int i = 0; i < take; i++)
            word[i] = temper(g->key[g->pos + i]) & mask;
        g->pos += take;
        for (int i = 0; i < take; i++) {
            out[got] = word[i];
            got += word[i] <= max;
        }
    }
}

static void ascending(int64_t *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = i;
}

static void swap(int64_t *a, int64_t *b)
{
    const int64_t kept = *a;

    *a = *b;
    *b = kept;
}

/* mt19937_interval for MAX, MAX - 1, ..., N of them and none 0; without branches, as above. */
static void falling_intervals(struct mt19937 *g, uint32_t *to, uint32_t max, int n)
{
    for (int got = 0; got < n;) {
        const uint32_t most = max - (uint32_t)got;

        to[got] = mt19937_u32(g) & (UINT32_MAX >> __builtin_clz(most));
        got += to[got] <= most;
    }
}

enum { DRAWS = 64 };

/* Draws come first, so that what they choose is on its way from memory when it is swapped. */
static int64_t shuffle_down(struct mt19937 *g, int64_t *v, int64_t i)
{
    uint32_t draw[DRAWS];
    const int n = i < DRAWS ? (int)i : DRAWS;

    falling_intervals(g, draw, (uint32_t)i, n);
    for (int k = 0; k < n; k++)
        __builtin_prefetch(&v[draw[k]], 1);
    for (int k = 0; k < n; k++)
        swap(&v[i - k], &v[draw[k]]);
    return i - n;
}

void mt19937_shuffle(struct mt19937 *g, int64_t *v, int64_t n)
{
    int64_t i = n - 1;

    for (; i > UINT32_MAX; i--)
        swap(&v[i], &v[mt19937_interval(g, (uint64_t)i)]);
    while (i > 0)
        i = shuffle_down(g, v, i);
}

void mt19937_torch_randperm(struct mt19937 *g, int64_t *out, int64_t n)
{
    ascending(out, n);
    for (int64_t i = 0; i < n - 1; i++)
        swap(&out[i], &out[i + mt19937_u32(g) % (uint64_t)(n - i)]);
}

float mt19937_torch_uniform(struct mt19937 *g, float a, float b)
{
    const float unit = (float)(mt19937_u32(g) & 0xffffff) * 0x1p-24f;

    return fmaf(unit, b - a, a); /* torch's kernel is compiled so that this is one rounding */
}
