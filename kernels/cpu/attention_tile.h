/*
 * attention_tile.h - what both directions of attention on the CPU are made of: which keys a query
 * sees, a thread's memory, and products of tiles of queries by keys. For attention.c and
 * attention_back.c.
 *
 * A tile's keys and values are packed once for all queries at hand of all heads that read them;
 * then a panel of rows at a time goes the whole way, its scores in the first cache. Each number is
 * what gemm.h says of a product's. A query's result depends on the keys it sees alone: tiles of
 * keys are cut by the key's number in the sequence, and what a query does not see adds zeros.
 */
#ifndef ATTENTION_TILE_H
#define ATTENTION_TILE_H

#include "cpu_impl.h"

enum {
    QUERIES = 128, /* of a head in a task */
    KEYS = 256,    /* of a tile */
    PANEL = MR_MAX * ROW_LD,
};

struct inputs { /* as kernels.h has them */
    const float *q, *k, *v;
    int64_t H, K, D, q_ld, kv_ld, window;
    float scale;
};

struct inputs attend_inputs(const struct dev *q, const struct dev *k, const struct dev *v,
                            const struct attention *shape);

/* ---- which keys a query sees ---- */

/* How many keys there are up to query i's own. */
static inline int64_t attend_seen(const struct seq *s, int64_t i)
{
    return s->shared_len + s->k_len - s->q_len + i + 1;
}

/* The first key that it sees. */
static inline int64_t attend_first_key(const struct inputs *a, const struct seq *s, int64_t i)
{
    return a->window ? max_i64(attend_seen(s, i) - a->window, 0) : 0;
}

/* Where the first tile of keys begins that it sees any of. */
static inline int64_t attend_first_tile(const struct inputs *a, const struct seq *s, int64_t i)
{
    return attend_first_key(a, s, i) / KEYS * KEYS;
}

/* The first of the N keys from J on lie before what query i sees: how many; their scores become
 * 0. */
int64_t attend_hide(float *scores, const struct inputs *a, const struct seq *s, int64_t i,
                    int64_t j, int64_t n);

/* ---- memory ---- */

/* Rows that the thread likely wants next, short and far from each other, so that the machine does
 * not foresee them: asked for in pieces while others are multiplied. */
struct ahead {
    struct {
        const float *at;
        int64_t ld, n;
    } part[8];
    int parts;
    int64_t rows;
    int64_t done, line, row; /* parts that are done; of the next what comes next */
};

/* N floats of each row, the first at AT. */
void ahead_add(struct ahead *x, const float *at, int64_t ld, int64_t n);

/* A thread's memory. Rows are ROW_LD apart; of x and y, chunks of KC columns PANEL apart. */
struct tile {
    float *scores, *slopes;                   /* (QUERIES, KEYS) */
    float *x, *y;                             /* (MR_MAX, D): rows of a product */
    float *sums;                              /* (MR_MAX, D): a product */
    float *keys, *values;                     /* (KEYS, D), where a tile is not in one piece */
    float *keys_t, *values_t, *keys_straight; /* packed */
    struct ahead ahead;
};

/* That of the calling thread, a part of MEMORY (cpu_attention_scratch). */
struct tile attend_memory(float *memory, int64_t D);
/* Row R of x or y = x (D) * by. */
void attend_take(float *to, int64_t r, const float *x, int64_t D, float by);

/* ---- products ---- */

/* B (K, N) as a tile reads it: chunks of KC of k, in each panel after panel. */
struct packed_b {
    const float *at;
    int64_t K, N; /* N: of whole panels */
};

/* x (rows, cols), rows LD apart, or its transpose. */
struct packed_b attend_pack(float *to, const float *x, int64_t ld, int64_t rows, int64_t cols,
                            bool trans);
/* c (m, n), and what is left of a vector, = a (m, K) b, of which K rows count; asks for some of
 * AHEAD meanwhile. */
void attend_multiply(float *c, int64_t ldc, int64_t m, int64_t n, const float *a, int64_t K,
                     const struct packed_b *b, struct ahead *ahead);

/* ---- threads ---- */

/* The work on all heads together, as elements of an op that does little with each. */
int64_t attend_elements(const struct inputs *a, const struct packed *rows);
/* Tasks that follow one another are a thread's as long as there are many. */
int attend_together(int64_t tasks);

#endif
