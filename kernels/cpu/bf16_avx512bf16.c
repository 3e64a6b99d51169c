/*
 * Packing for products in bfloat16, and their tile with vdpbf16ps. NF4 is expanded straight to
 * bfloat16: a block's 16 values are scaled and rounded once, and its codes look them up, 32 at a
 * time.
 */
#include "bf16.h"
#include "cpu_impl.h"
#include "nf4_code.h"
#include "simd.h"

static __m512i bf16_of(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* The N <= 32 floats at x, 0 behind them. */
static __m512i bf16_part(const float *x, int64_t n)
{
    const uint32_t mask = n >= 32 ? ~0u : (1u << n) - 1;

    return bf16_of(_mm512_maskz_loadu_ps((__mmask16)mask, x),
                   _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), x + 16));
}

void bf16_pack_a(uint16_t *to, const float *row, int64_t n, bool there)
{
    for (int64_t k = 0; k < n; k += BF16_STEP)
        _mm512_store_si512(to + k * BF16_TILE,
                           there ? bf16_part(row + k, n - k) : _mm512_setzero_si512());
}

/* ---- B ---- */

static const uint8_t *weight_bytes(const struct weight *w)
{
    return (const uint8_t *)(const void *)w->data;
}

/* Whether any 64 codes from a multiple of 64 of a row on lie in one block. */
static bool nf4_by_64(const struct weight *w)
{
    return w->dtype == DT_NF4 && w->block % 64 == 0 && w->cols % w->block == 0;
}

/* The values of the block at ROW, COL, twice over. */
static __m512i nf4_table(const struct weight *w, int64_t row, int64_t col)
{
    static const float value[16] = NF4_VALUES;
    const float scale = const_f32(w->absmax)[row * (w->cols / w->block) + col / w->block];
    const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(value), _mm512_set1_ps(scale));

    return bf16_of(x, x);
}

/* Of the 32 codes in the 16 bytes at p; the first of a byte is in the high nibble. Bits above a
 * code's four do no harm: the table repeats, and the look-up sees five. */
static __m512i nf4_look_up(__m128i bytes, __m512i table)
{
    const __m512i x = _mm512_cvtepu8_epi32(bytes);

    return _mm512_permutexvar_epi16(
        _mm512_or_si512(_mm512_srli_epi32(x, 4), _mm512_slli_epi32(x, 16)), table);
}

static __m128i nf4_bytes(const struct weight *w, int64_t row, int64_t col)
{
    return _mm_loadu_si128(
        (const __m128i *)(const void *)(weight_bytes(w) + (row * w->cols + col) / 2));
}

/* dst (16 rows, TILE pairs apart) = the dwords of v transposed. */
static void store_transposed(uint16_t *dst, const __m512i *v)
{
    __m512i a[16], b[16];

    UNROLL(8)
    for (int i = 0; i < 8; i++) { /* pairs of rows */
        a[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    UNROLL(4)
    for (int i = 0; i < 4; i++) { /* fours: b[4 * i + j] has columns j, j + 4, j + 8, j + 12 */
        b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        const __m512i lo0 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88),
                      lo1 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88),
                      hi0 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd),
                      hi1 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);

        _mm512_store_si512(dst + j * 2 * BF16_TILE, _mm512_shuffle_i32x4(lo0, lo1, 0x88));
        _mm512_store_si512(dst + (j + 8) * 2 * BF16_TILE, _mm512_shuffle_i32x4(lo0, lo1, 0xdd));
        _mm512_store_si512(dst + (j + 4) * 2 * BF16_TILE, _mm512_shuffle_i32x4(hi0, hi1, 0x88));
        _mm512_store_si512(dst + (j + 12) * 2 * BF16_TILE, _mm512_shuffle_i32x4(hi0, hi1, 0xdd));
    }
}

/* 16 columns of a panel: rows n0.. of the weight, the last one standing in for those behind it. */
static void pack_rows16(uint16_t *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    const bool nf4 = nf4_by_64(w);

    for (int64_t k = 0; k < kc; k += 2 * BF16_STEP) {
        const int64_t n = min_i64(kc - k, 2 * BF16_STEP);
        __m512i v[2][16];

        for (int i = 0; i < 16; i++) {
            const int64_t row = min_i64(n0 + i, w->rows - 1);

            if (nf4) {
                const __m512i table = nf4_table(w, row, k0 + k);

                v[0][i] = nf4_look_up(nf4_bytes(w, row, k0 + k), table);
                v[1][i] = nf4_look_up(nf4_bytes(w, row, k0 + k + BF16_STEP), table);
            } else {
                float x[2 * BF16_STEP];

                cpu_isa()->span(x, w, row * w->cols + k0 + k, n);
                v[0][i] = bf16_part(x, n);
                v[1][i] = bf16_part(x + BF16_STEP, max_i64(n - BF16_STEP, 0));
            }
        }
        store_transposed(dst + k * BF16_TILE, v[0]);
        if (n > BF16_STEP)
            store_transposed(dst + (k + BF16_STEP) * BF16_TILE, v[1]);
    }
}

/* Row K of the weight, columns n0..: TILE of them or fewer. */
static __m512i row32(const struct weight *w, int64_t k, int64_t n0, bool nf4)
{
    if (nf4)
        return nf4_look_up(nf4_bytes(w, k, n0), nf4_table(w, k, n0));

    const int64_t n = min_i64(BF16_TILE, w->cols - n0);
    float x[BF16_TILE];

    cpu_isa()->span(x, w, k * w->cols + n0, n);
    return bf16_part(x, n);
}

static void pack_straight(uint16_t *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    const bool nf4 = nf4_by_64(w);
    const __m512i zero = _mm512_setzero_si512();
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));

    for (int64_t k = 0; k < kc; k += 2) {
        const __m512i even = row32(w, k0 + k, n0, nf4),
                      odd = k + 1 < kc ? row32(w, k0 + k + 1, n0, nf4) : zero;
        uint16_t *const to = dst + k * BF16_TILE;

        _mm512_store_si512(to, _mm512_permutex2var_epi16(even, low, odd));
        _mm512_store_si512(to + BF16_TILE, _mm512_permutex2var_epi16(even, high, odd));
    }
    for (int64_t k = (kc + 1) / 2 * 2; k % BF16_STEP; k++)
        _mm512_store_si512(dst + k * BF16_TILE, zero);
}

void bf16_pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                 int64_t n0)
{
    if (!trans) {
        pack_straight(dst, w, k0, kc, n0);
        return;
    }
    pack_rows16(dst, w, k0, kc, n0);
    pack_rows16(dst + BF16_TILE, w, k0, kc, n0 + 16);
}

/* ---- the tile ---- */

static void nothing(void)
{
}

static __m512 dot_pairs(__m512 sum, const uint16_t *pair, __m512i b)
{
    int32_t x;

    memcpy(&x, pair, sizeof x);
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(x), (__m512bh)b);
}

static void tile(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, float *c, bool add)
{
    enum { ROWS = 8 }; /* whose sums stay in registers */

    for (int first = 0; first < rows; first += ROWS, a += ROWS * BF16_STEP, c += ROWS * BF16_TILE) {
        __m512 left[ROWS], right[ROWS];

        UNROLL(8)
        for (int i = 0; i < ROWS; i++) {
            left[i] = add ? _mm512_load_ps(c + i * BF16_TILE) : _mm512_setzero_ps();
            right[i] = add ? _mm512_load_ps(c + i * BF16_TILE + 16) : _mm512_setzero_ps();
        }
        for (int64_t s = 0; s < steps; s++)
            for (int k = 0; k < BF16_STEP; k += 2) {
                const uint16_t *const pairs = b + (s * BF16_STEP + k) * BF16_TILE;
                const __m512i b0 = _mm512_load_si512(pairs),
                              b1 = _mm512_load_si512(pairs + BF16_TILE);

                UNROLL(8)
                for (int i = 0; i < ROWS; i++) {
                    const uint16_t *const x = a + (s * BF16_TILE + i) * BF16_STEP + k;

                    left[i] = dot_pairs(left[i], x, b0);
                    right[i] = dot_pairs(right[i], x, b1);
                }
            }
        UNROLL(8)
        for (int i = 0; i < ROWS; i++) {
            _mm512_store_ps(c + i * BF16_TILE, left[i]);
            _mm512_store_ps(c + i * BF16_TILE + 16, right[i]);
        }
    }
}

const struct bf16_isa bf16_avx512 = {
    .name = "avx512bf16",
    .begin = nothing,
    .end = nothing,
    .pack_a = bf16_pack_a,
    .pack_b = bf16_pack_b,
    .tile = tile,
};
