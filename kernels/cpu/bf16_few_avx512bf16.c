/* Few rows in bfloat16 (vec_bf16_few.h), added a pair of products at a time. */
#include "bf16.h"
#include "bf16_pairs.h"
#include "vec_block_rows.h"
#include "vec_half.h"
#include "vec_nf4_rows.h"

enum { FEW_COLUMNS = 2 * W };

struct operand {
    const uint16_t *a;
    int64_t lda;
};

struct sums {
    __m512 left[FEW], right[FEW];
};

FORCE_INLINE void open_operand(int rows, struct operand *x, const uint16_t *a, int64_t lda,
                               int64_t n)
{
    (void)rows;
    (void)n;
    *x = (struct operand){ a, lda };
}

FORCE_INLINE void add_pairs(const int rows, struct sums *s, const struct operand *x, int64_t k,
                            __m512i left, __m512i right)
{
    UNROLL(4)
    for (int i = 0; i < rows; i++) {
        int32_t pair;

        memcpy(&pair, x->a + i * x->lda + k, sizeof pair);
        const __m512bh a = (__m512bh)_mm512_set1_epi32(pair);

        s->left[i] = _mm512_dpbf16_ps(s->left[i], a, (__m512bh)left);
        s->right[i] = _mm512_dpbf16_ps(s->right[i], a, (__m512bh)right);
    }
}

FORCE_INLINE void add_two(const int rows, struct sums *s, const struct operand *x, int64_t k,
                          __m512 left0, __m512 right0, __m512 left1, __m512 right1)
{
    add_pairs(rows, s, x, k, pairs_of(left0, left1), pairs_of(right0, right1));
}

FORCE_INLINE void add_step(const int rows, struct sums *s)
{
    (void)rows;
    (void)s;
}

FORCE_INLINE void put_sums(const int rows, const struct sums *s, float *c)
{
    for (int i = 0; i < rows; i++) {
        vf_store(c + i * BF16_TILE, s->left[i]);
        vf_store(c + i * BF16_TILE + W, s->right[i]);
    }
}

#include "vec_bf16_few.h"

void bf16_few(int rows, const uint16_t *a, int64_t lda, const struct weight *w, int64_t n0,
              float *c)
{
    few(rows, a, lda, w, n0, c);
}
