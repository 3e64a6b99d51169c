/* Packing floats as three bfloat16 each (bf16.h): what is left of a float behind its first parts is
 * exact, so the parts add up to it. */
#include "bf16.h"
#include "bf16_pairs.h"
#include "cpu_impl.h"
#include "simd.h"

enum { STEP_SIZE = BF16_STEP * BF16_TILE };

/* The elements as floats. */
static __m512 floats_of(__m256i bf16)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

/* 32 floats: their parts go to every STEP_SIZE elements of TO. */
static void split(uint16_t *to, __m512 low, __m512 high)
{
    UNROLL(3)
    for (int p = 0; p < BF16_PARTS; p++) {
        const __m512i part = bf16_of(low, high);

        _mm512_store_si512(to + p * STEP_SIZE, part);
        low = _mm512_sub_ps(low, floats_of(_mm512_castsi512_si256(part)));
        high = _mm512_sub_ps(high, floats_of(_mm512_extracti64x4_epi64(part, 1)));
    }
}

void bf16x3_pack_a(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there)
{
    if (!there)
        n = 0;
    for (int64_t k = 0; k < n; k += BF16_STEP, to += ld) {
        const uint32_t mask = n - k >= BF16_STEP ? ~0u : (1u << (n - k)) - 1;

        split(to, _mm512_maskz_loadu_ps((__mmask16)mask, row + k),
              _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), row + k + 16));
    }
}

/* The same for pairs of 16 columns from two rows. */
static void split_pairs(uint16_t *to, __m512 even, __m512 odd)
{
    const __m512i above = _mm512_set1_epi32((int)0xffff0000);

    UNROLL(3)
    for (int p = 0; p < BF16_PARTS; p++) {
        const __m512i part = pairs_of(even, odd);

        _mm512_store_si512(to + p * STEP_SIZE, part);
        even = _mm512_sub_ps(even, _mm512_castsi512_ps(_mm512_slli_epi32(part, 16)));
        odd = _mm512_sub_ps(odd, _mm512_castsi512_ps(_mm512_and_si512(part, above)));
    }
}

void bf16x3_pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                   int64_t n0)
{
    const int64_t whole = (kc + BF16_STEP - 1) / BF16_STEP * BF16_STEP;
    _Alignas(64) float panel[KC * BF16_TILE];

    cpu_isa()->pack_b(panel, w, w->cols, trans, k0, kc, n0);
    memset(panel + kc * BF16_TILE, 0, (size_t)((whole - kc) * BF16_TILE) * sizeof *panel);
    for (int64_t k = 0; k < whole; k += 2) {
        const float *const row = panel + k * BF16_TILE;
        uint16_t *const to =
            dst + k / BF16_STEP * BF16_PARTS * STEP_SIZE + k % BF16_STEP * BF16_TILE;

        split_pairs(to, _mm512_load_ps(row), _mm512_load_ps(row + BF16_TILE));
        split_pairs(to + BF16_TILE, _mm512_load_ps(row + 16), _mm512_load_ps(row + BF16_TILE + 16));
    }
}
