/* vec_low_rank.h - the thin products of LoRA, with dropout's choices as bits. What each element is,
 * gemm.h says. Included by isa_*.c only. */
#ifndef VEC_LOW_RANK_H
#define VEC_LOW_RANK_H

#include "vec_dropout.h"

/* ---- choices ---- */

/* A vector's bits from BITS on; bit i of byte j is that of element 8 j + i. */
#if defined(__AVX512F__)
typedef __mmask16 vf_bits;

FORCE_INLINE vf_bits bits_at(const uint8_t *bits, int64_t i)
{
    uint16_t b;

    memcpy(&b, bits + i / 8, sizeof b);
    return b;
}

#define vf_where(b, a) _mm512_maskz_mov_ps(b, a)

/* The bits of the 16 words at WORD that are not below BAR. */
FORCE_INLINE void put_bits(uint8_t *bits, const uint32_t *word, uint32_t bar)
{
    const uint16_t b =
        _mm512_cmpge_epu32_mask(_mm512_loadu_si512(word), _mm512_set1_epi32((int)bar));

    memcpy(bits, &b, sizeof b);
}
#else
#if defined(__AVX2__)
typedef __m256 vf_bits;

FORCE_INLINE vf_bits bits_at(const uint8_t *bits, int64_t i)
{
    const __m256i one = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i all = _mm256_set1_epi32(bits[i / 8]);

    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, one), one));
}

#define vf_where(b, a) _mm256_and_ps(b, a)
#else
typedef vi vf_bits;

FORCE_INLINE vf_bits bits_at(const uint8_t *bits, int64_t i)
{
    const int32_t all = bits[i / 8] >> i % 8;
    const vi one = { 1, 2, 4, 8 };

    return ((vi){ all, all, all, all } & one) == one;
}

#define vf_where(b, a) ((vf)((vi)(a) & (b)))
#endif

FORCE_INLINE void put_bits(uint8_t *bits, const uint32_t *word, uint32_t bar)
{
    for (int j = 0; j < 2; j++, word += 8) {
        unsigned b = 0;

        for (int i = 0; i < 8; i++)
            b |= (unsigned)(word[i] >= bar) << i;
        bits[j] = (uint8_t)b;
    }
}
#endif

static void draw(uint8_t *bits, int64_t n, const struct mask *m, int64_t token)
{
    enum { STEP = VECTORS * 4 * PER_VECTOR };
    const uint32_t bar = (uint32_t)ceil((double)m->drop->p * 0x1p32);
    uint32_t word[STEP];

    for (int64_t i = 0; i < n; i += STEP) {
        philox(word, VECTORS, (uint32_t)(i / 4), (uint32_t)m->pos[token], m->sample[token],
               m->drop->site, m->drop->seed);
        for (int j = 0; j < STEP && i + j < n; j += 16)
            put_bits(bits + (i + j) / 8, word + j, bar);
    }
}

static void keep(float *out, const float *x, int64_t n, const uint8_t *bits, float scale)
{
    const vf by = vf_set(scale);
    int64_t i = 0;

    if (bits) {
        for (; i + W <= n; i += W)
            vf_store(out + i, vf_where(bits_at(bits, i), vf_mul(vf_load(x + i), by)));
        for (; i < n; i++)
            out[i] = bits[i / 8] >> i % 8 & 1 ? x[i] * scale : 0;
    } else {
        for (; i + W <= n; i += W)
            vf_store(out + i, vf_mul(vf_load(x + i), by));
        for (; i < n; i++)
            out[i] = x[i] * scale;
    }
}

/* MASKED and BASED are constants where this is inlined. */
FORCE_INLINE void put_row(const bool masked, const bool based, float *c, int64_t n, const float *x,
                          const float *base, const uint8_t *bits, float scale)
{
    const vf by = vf_set(scale);
    int64_t i = 0;

    for (; i + W <= n; i += W) {
        vf v = vf_load(x + i);

        if (masked)
            v = vf_where(bits_at(bits, i), vf_mul(v, by));
        vf_store(c + i, based ? vf_add(vf_load(base + i), v) : v);
    }
    for (; i < n; i++) {
        const float v = !masked ? x[i] : bits[i / 8] >> i % 8 & 1 ? x[i] * scale : 0;

        c[i] = based ? base[i] + v : v;
    }
}

static void put_rows(float *c, int64_t ldc, int64_t rows, int64_t n, const float *x, int64_t ldx,
                     const float *base, int64_t ldbase, const uint8_t *bits, int64_t ldb,
                     float scale)
{
    for (int64_t r = 0; r < rows; r++, c += ldc, x += ldx) {
        if (bits && base)
            put_row(true, true, c, n, x, base + r * ldbase, bits + r * ldb, scale);
        else if (bits)
            put_row(true, false, c, n, x, NULL, bits + r * ldb, scale);
        else if (base)
            put_row(false, true, c, n, x, base + r * ldbase, NULL, scale);
        else
            put_row(false, false, c, n, x, NULL, NULL, scale);
    }
}

/* ---- sums over rows ---- */

/* What outer reads and writes, at one column. */
struct outer {
    int64_t kc;
    const float *d;
    int64_t ldd;
    const float *x;
    int64_t ldx;
    const uint8_t *bits;
    int64_t ldb, column;
    float scale;
};

/* ROWS and MASKED are constants where this is inlined. */
FORCE_INLINE void outer_rows(const int rows, const bool masked, const struct outer *o, float *c,
                             int64_t ldc)
{
    enum { SOON = 12 };
    const vf by = vf_set(o->scale);
    vf sum[16];

    UNROLL(16)
    for (int i = 0; i < rows; i++)
        sum[i] = vf_set(0.0f);
    for (int64_t k = 0; k < o->kc; k++) {
        vf x = vf_mul(vf_load(o->x + k * o->ldx), by);

        __builtin_prefetch(o->x + (k + SOON) * o->ldx);
        if (masked)
            x = vf_where(bits_at(o->bits + k * o->ldb, o->column), x);
        UNROLL(16)
        for (int i = 0; i < rows; i++)
            sum[i] = vf_fma(vf_set(o->d[k * o->ldd + i]), x, sum[i]);
    }
    UNROLL(16)
    for (int i = 0; i < rows; i++)
        vf_store(c + i * ldc, vf_add(vf_load(c + i * ldc), sum[i]));
}

FORCE_INLINE void outer_some(const int rows, struct outer *o, float **c, int64_t ldc)
{
    if (o->bits)
        outer_rows(rows, true, o, *c, ldc);
    else
        outer_rows(rows, false, o, *c, ldc);
    o->d += rows;
    *c += rows * ldc;
}

/* R rows, W columns. */
static void outer_vector(int64_t r, struct outer o, float *c, int64_t ldc)
{
#if defined(__AVX512F__)
    for (; r >= 16; r -= 16)
        outer_some(16, &o, &c, ldc);
#endif
    for (; r >= 8; r -= 8)
        outer_some(8, &o, &c, ldc);
    for (; r >= 2; r -= 2)
        outer_some(2, &o, &c, ldc);
    if (r > 0)
        outer_some(1, &o, &c, ldc);
}

/* The last N < W columns, by way of whole vectors. */
static void outer_rest(int64_t r, struct outer o, int64_t n, float *c, int64_t ldc)
{
    float x[KC * W], sum[OUTER_ROWS * W];

    for (int64_t k = 0; k < o.kc; k++)
        for (int64_t i = 0; i < W; i++)
            x[k * W + i] = i < n ? o.x[k * o.ldx + i] : 0;
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < W; j++)
            sum[i * W + j] = j < n ? c[i * ldc + j] : 0;
    o.x = x;
    o.ldx = W;
    outer_vector(r, o, sum, W);
    for (int64_t i = 0; i < r; i++)
        memcpy(c + i * ldc, sum + i * W, (size_t)n * sizeof *c);
}

static void outer(int64_t r, int64_t kc, const float *d, int64_t ldd, const float *x, int64_t ldx,
                  int64_t n, const uint8_t *bits, int64_t ldb, float scale, float *c, int64_t ldc)
{
    struct outer o = { kc, d, ldd, x, ldx, bits, ldb, 0, scale };

    for (; o.column + W <= n; o.column += W, o.x += W)
        outer_vector(r, o, c + o.column, ldc);
    if (o.column < n)
        outer_rest(r, o, n - o.column, c + o.column, ldc);
}

#endif
