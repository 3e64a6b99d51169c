/*
 * low_rank.h - the thin products of LoRA, whose one side is its rank: they read their large operand
 * where it lies, once, and take dropout's choices as bits. gemm.h says what each element is.
 */
#ifndef LOW_RANK_H
#define LOW_RANK_H

#include "isa.h"

/* Dropout's choices for (N, C), drawn once for all products under them, both ways. */
struct kept {
    uint8_t *bits; /* of row n from bits + n * ld on, in order; NULL: all are kept */
    int64_t ld;    /* bytes */
    float scale;   /* what is kept is multiplied with */
};

/* The operand x (N, K), rows K apart, multiplied with SCALE; or, where KEPT has bits, with its
 * scale where they say so, else 0. */
struct thin {
    const float *x;
    int64_t N, K;
    float scale;
    const struct kept *kept; /* NULL: none */
};

/* That of LORA on x (N, C). */
struct kept kept_of(const struct lora *lora, int64_t C);

/* All of these: by every thread of a team, or outside of one by the one. */
void kept_draw(const struct kept *k, const struct mask *m, int64_t N, int64_t C);
/* out (N, R) = x B, B (K, R): W's rows transposed (trans) or W. PANELS is room for
 * thin_panels(K, R) bytes. */
void thin_project(float *out, const struct thin *x, const struct weight *w, bool trans, int64_t R,
                  float *panels);
size_t thin_panels(int64_t K, int64_t R);
/* c[r * ldc + k * step] += the sum of d[n][r] x[n][k], d (N, R). Returns before the others of a
 * team are done. */
void thin_gradient(float *c, int64_t ldc, int64_t step, const struct thin *x, const float *d,
                   int64_t R);

#endif
