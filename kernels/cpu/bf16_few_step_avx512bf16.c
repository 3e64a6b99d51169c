/*
 * Few rows in bfloat16 (vec_bf16_few.h), added as the tile registers of AMX add: these are made for
 * 16 rows, so that one would take as long as 16.
 */
#include "bf16.h"
#include "bf16_pairs.h"
#include "vec_block_rows.h"
#include "vec_half.h"
#include "vec_nf4_rows.h"

enum { FEW_COLUMNS = 2 * W };

struct operand {
    float x[FEW][KC];
};

/* A conversion rounds two vectors to one of words; its dwords hold the even rows of the weight in
 * their low halves and the odd ones in their high halves, left rows first. Index 0 are the sums of
 * the even rows, 1 those of the odd ones. */
struct sums {
    __m512 of[2][FEW];
    __m512 even[2][FEW], odd[2][FEW]; /* this step's: of its even and of its odd products */
};

FORCE_INLINE void open_operand(int rows, struct operand *x, const uint16_t *a, int64_t lda,
                               int64_t n)
{
    for (int i = 0; i < rows; i++)
        for (int64_t k = 0; k < n; k += W)
            _mm512_storeu_ps(x->x[i] + k, low_half(_mm512_cvtepu16_epi32(_mm256_loadu_si256(
                                                       (const __m256i *)(a + i * lda + k))),
                                                   true));
}

/* Column K to the sums in TO. */
FORCE_INLINE void add_one(const int rows, __m512 to[2][FEW], const struct operand *x, int64_t k,
                          __m512 left, __m512 right)
{
    const __m512i words = bf16_of(left, right);
    const __m512 even = (__m512)_mm512_slli_epi32(words, 16);
    const __m512 odd = (__m512)_mm512_and_si512(words, _mm512_set1_epi32((int)0xffff0000));

    UNROLL(4)
    for (int i = 0; i < rows; i++) {
        to[0][i] = _mm512_fmadd_ps(_mm512_set1_ps(x->x[i][k]), even, to[0][i]);
        to[1][i] = _mm512_fmadd_ps(_mm512_set1_ps(x->x[i][k]), odd, to[1][i]);
    }
}

FORCE_INLINE void add_two(const int rows, struct sums *s, const struct operand *x, int64_t k,
                          __m512 left0, __m512 right0, __m512 left1, __m512 right1)
{
    add_one(rows, s->even, x, k, left0, right0);
    add_one(rows, s->odd, x, k + 1, left1, right1);
}

FORCE_INLINE void add_pairs(const int rows, struct sums *s, const struct operand *x, int64_t k,
                            __m512i left, __m512i right)
{
    add_two(rows, s, x, k, low_half(left, true), low_half(right, true), high_half(left, true),
            high_half(right, true));
}

FORCE_INLINE void add_step(const int rows, struct sums *s)
{
    UNROLL(2)
    for (int j = 0; j < 2; j++)
        UNROLL(4)
    for (int i = 0; i < rows; i++) {
        s->of[j][i] = _mm512_add_ps(s->of[j][i], _mm512_add_ps(s->even[j][i], s->odd[j][i]));
        s->even[j][i] = s->odd[j][i] = _mm512_setzero_ps();
    }
}

FORCE_INLINE void put_sums(const int rows, const struct sums *s, float *c)
{
    const __m512i left = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i right = _mm512_add_epi32(left, _mm512_set1_epi32(8));
    struct sums all = *s;

    add_step(rows, &all); /* the last one may be short */
    for (int i = 0; i < rows; i++) {
        vf_store(c + i * BF16_TILE, _mm512_permutex2var_ps(all.of[0][i], left, all.of[1][i]));
        vf_store(c + i * BF16_TILE + W, _mm512_permutex2var_ps(all.of[0][i], right, all.of[1][i]));
    }
}

#include "vec_bf16_few.h"

/* The tile registers take subnormal operands and results for 0. */
void bf16_few_by_step(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
                      float *c)
{
    enum { SUBNORMALS_ARE_ZERO = 0x8040 };
    const unsigned usual = _mm_getcsr();

    _mm_setcsr(usual | SUBNORMALS_ARE_ZERO);
    few(rows, a, lda, w, n0, c);
    _mm_setcsr(usual);
}
