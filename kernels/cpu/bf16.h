/*
 * bf16.h - products with a weight that rounds to bfloat16, on machines with instructions for them.
 *
 * Both operands are packed as bfloat16, in steps of 32 along k. Elsewhere gemm.c rounds its float
 * panels instead. The instances add in different orders, all in f32:
 *
 *   amxbf16     a step at a time: its 16 even products in one chain of fused multiply-adds, its odd
 *               ones in another, their sum added to the element
 *   avx512bf16  a pair of products at a time, the odd one first
 *   the others  see gemm.h
 *
 * From 0 on in order of k, base (gemm.h) last, so that K products of size 1 differ by about sqrt(K)
 * 2^-24 between instances, and not at all between numbers of threads or with other rows. Subnormal
 * operands count as 0 in the first two.
 *
 * A float is also the sum of three bfloat16, each the rounded rest of those before it: high, middle
 * and low hold its 24 bits (Henry, Tang and Heinecke, 2019). Of the nine products of two such
 * floats six count, the others are 2^-27 of the whole; bf16_pairs has them, the small ones first. A
 * machine with AMX can take less time for six such products than for one of floats, and since a
 * step of 32 is summed before it joins the rest, the sums are nearer than a chain of multiply-adds.
 * Parts below 2^-126 are lost, and from 3.39e38 on the high part is infinite.
 */
#ifndef BF16_H
#define BF16_H

#include "gemm.h"

/* ROWS pieces of memory that will be wanted soon, of BYTES, LD apart: EACH of them a step. */
struct bf16_soon {
    const void *at;
    int64_t rows, bytes, ld, each;
    bool write;
};

enum {
    BF16_STEP = 32, /* along k: a row of an A tile */
    BF16_TILE = 32, /* rows and columns of a tile of c */
    BF16_PARTS = 3, /* of a float */
    BF16_PAIRS = 6, /* of parts that are multiplied */
    BF16_SOON = 3,  /* of c, of the weight, of its scales */
};

/* Parts of A and B, in the order in which their products are added. */
static const struct {
    int a, b;
} bf16_pairs[BF16_PAIRS] = { { 0, 2 }, { 0, 1 }, { 1, 1 }, { 1, 0 }, { 2, 0 }, { 0, 0 } };

/* Whether pair P counts where operands have PARTS parts and B_PARTS of B's are not 0. */
static inline __attribute__((always_inline)) bool bf16_counts(int parts, int b_parts, int p)
{
    return parts == 1 ? p == BF16_PAIRS - 1 : bf16_pairs[p].b < b_parts;
}

struct bf16_isa {
    const char *name;
    int parts; /* 1: operands are rounded; BF16_PARTS: they are split, and a step is so many */
    /* k of a panel of B, which lies in the first cache while A streams past it: CHUNK, or up to
     * LAST_CHUNK where these are all that is left, so that c is moved less. */
    int chunk, last_chunk;
    /* Each thread calls these around its tiles. */
    void (*begin)(void);
    void (*end)(void);
    /* A row of n floats, or of 0 where it is not THERE, rounded: step s at to + s * LD, the last
     * filled up with 0; further parts STEP * TILE elements apart. */
    void (*pack_a)(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there);
    /* dst (kc/2 up to whole steps, TILE, 2), of parts (steps, parts, STEP/2, TILE, 2) = pairs along
     * k of columns n0.. of the matrix B, rows k0..: B is w transposed (trans) or w. 0 behind kc,
     * anything finite behind w's end. */
    void (*pack_b)(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                   int64_t n0);
    /* c (TILE, TILE), at least its first ROWS rows = A B, added to c when ADD. a (steps, parts,
     * TILE, STEP), b as pack_b leaves it, with B_PARTS parts that are not 0. SOON (BF16_SOON) is
     * asked for on the way. */
    void (*tile)(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, int b_parts,
                 float *c, bool add, const struct bf16_soon *soon);
    /* The same for rows <= FEW of A, rounded and LDA apart, with all of w's rows n0.. where they
     * lie; only if few_can_read(w, w->cols). NULL: not there. */
    void (*few)(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
                float *c);
};

/* Asks for a step's pieces: they are far apart, and in no near cache. All at once would keep
 * products from their own operands. */
static inline void bf16_ask(const struct bf16_soon *soon, int64_t step)
{
    enum { LINE = 64 };

    for (const struct bf16_soon *s = soon; s < soon + BF16_SOON; s++)
        for (int64_t i = step * s->each; i < (step + 1) * s->each && i < s->rows; i++)
            for (int64_t j = 0; j < s->bytes + LINE; j += LINE) {
                const char *const p = (const char *)s->at + i * s->ld + min_i64(j, s->bytes - 1);

                if (s->write)
                    __builtin_prefetch(p, 1);
                else
                    __builtin_prefetch(p);
            }
}

extern const struct bf16_isa bf16_emulated, bf16x3_emulated; /* amx's in plain C, for tests */
#ifdef __x86_64__
extern const struct bf16_isa bf16_avx512, bf16_amx, bf16x3_amx;
/* Whether the system lets this process use the tile registers; asks for it. */
bool bf16_amx_allowed(void);
/* The first packs for the second. */
void bf16_pack_a(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there);
void bf16_pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                 int64_t n0);
void bf16x3_pack_a(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there);
void bf16x3_pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                   int64_t n0);
/* bf16_pack_b for block formats, which it calls. */
void bf16_pack_blocks(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                      int64_t n0);
/* few, as each of them adds. */
void bf16_few(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
              float *c);
void bf16_few_by_step(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
                      float *c);
#endif

/* As gemm_run, for N products of one term with nothing but a_rows on their A. To each a product in
 * f32 is added, REST (n), of one term with another K; terms 0: none. */
void bf16_run(const struct bf16_isa *isa, const struct gemm *g, const struct gemm *rest, int n,
              void *work);
size_t bf16_work(const struct bf16_isa *isa, int64_t M, int64_t K, int64_t rest);

#endif
