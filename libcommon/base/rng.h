/*
 * rng.h - the two random streams of this project.
 *
 * mt19937: what numpy's RandomState(seed) and torch's CPU generator share, draw by draw (init_genrand
 * seeding). philox: counter-based (Salmon et al. 2011, Philox4x32-10): the numbers at a counter do
 * not depend on who asks or in which order, so dropout masks are the same for any packing or threads.
 */
#ifndef RNG_H
#define RNG_H

#include <stdint.h>

struct mt19937 {
    uint32_t key[624];
    int pos;
};

void mt19937_seed(struct mt19937 *g, uint32_t seed);
uint32_t mt19937_u32(struct mt19937 *g);
/* numpy legacy: uniform integer in 0..max by masked rejection; max 0 draws nothing. */
uint64_t mt19937_interval(struct mt19937 *g, uint64_t max);
/* numpy RandomState.randint(0, max + 1, n): N such integers, to OUT. */
void mt19937_intervals(struct mt19937 *g, uint32_t *out, int64_t n, uint32_t max);
/* numpy RandomState.shuffle(v) of a one-dimensional array; of 0..n-1 it is permutation(n). */
void mt19937_shuffle(struct mt19937 *g, int64_t *v, int64_t n);
/* torch.randperm(n) on the CPU, n < 2^32 / 20: OUT (n) int64. */
void mt19937_torch_randperm(struct mt19937 *g, int64_t *out, int64_t n);
/* torch uniform_ float32 in [a, b). */
float mt19937_torch_uniform(struct mt19937 *g, float a, float b);

/* Philox4x32-10 of COUNTER under KEY; four words. */
static inline void philox4x32(uint32_t out[4], const uint32_t counter[4], uint64_t key)
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;

        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

#endif
