/* vec_transpose.h - rows into the columns of a panel. Included by isa_*.c only. */
#ifndef VEC_TRANSPOSE_H
#define VEC_TRANSPOSE_H

#include "vec_tile.h"
#include "vec_turn.h"

/* dst (n, 8), rows LD apart, = the eight rows (n) transposed. */
static void transpose_rows8(float *dst, int64_t ld, const float *const row[8], int64_t n)
{
    int64_t k = 0;

#if defined(__AVX2__)
    for (; k + 8 <= n; k += 8) {
        __m256 t[8];

        transposed8(t, row, k);
        UNROLL(8)
        for (int j = 0; j < 8; j++)
            _mm256_storeu_ps(dst + (k + j) * ld, t[j]);
    }
#endif
    for (; k < n; k++)
        for (int i = 0; i < 8; i++)
            dst[k * ld + i] = row[i][k];
}

/* to (kc, m) = the m rows transposed. The vector sets' rows are not whole eights: those of
 * AVX-512 are written as two eights that overlap, those of AVX2 as four and two. */
static void pack_a(float *to, const float *const *row, int m, int64_t kc)
{
    int64_t k = 0;

    if (m < MR) {
        for (; k < kc; k++)
            for (int i = 0; i < m; i++)
                to[k * m + i] = row[i][k];
        return;
    }
#if defined(__AVX512F__)
    transpose_rows8(to, MR, row, kc);
    transpose_rows8(to + MR - 8, MR, row + MR - 8, kc);
    k = kc;
#elif defined(__AVX2__)
    const float *const six[8] = { row[0], row[1], row[2], row[3], row[4], row[5], row[5], row[5] };

    for (; k + 8 <= kc; k += 8) {
        __m256 t[8];

        transposed8(t, six, k);
        UNROLL(8)
        for (int j = 0; j < 8; j++) {
            _mm_storeu_ps(to + (k + j) * MR, _mm256_castps256_ps128(t[j]));
            _mm_storel_pi((__m64 *)(void *)(to + (k + j) * MR + 4), _mm256_extractf128_ps(t[j], 1));
        }
    }
#endif
    for (; k < kc; k++)
        for (int i = 0; i < MR; i++)
            to[k * MR + i] = row[i][k];
}

#endif
