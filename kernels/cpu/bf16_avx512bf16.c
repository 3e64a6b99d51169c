/*
 * Packing for products in bfloat16, and their tile with vdpbf16ps. NF4 is expanded straight to
 * bfloat16: a block's 16 values are scaled and rounded once, and its codes look them up, 32 at a
 * time.
 */
#include "bf16.h"
#include "bf16_pairs.h"
#include "cpu_impl.h"
#include "nf4_code.h"
#include "simd.h"

/* The N <= 32 floats at x, 0 behind them. */
static __m512i bf16_part(const float *x, int64_t n)
{
    const uint32_t mask = n >= 32 ? ~0u : (1u << n) - 1;

    return bf16_of(_mm512_maskz_loadu_ps((__mmask16)mask, x),
                   _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), x + 16));
}

void bf16_pack_a(uint16_t *to, int64_t ld, const float *row, int64_t n, bool there)
{
    for (int64_t k = 0; k < n; k += BF16_STEP)
        _mm512_store_si512(to + k / BF16_STEP * ld,
                           there ? bf16_part(row + k, n - k) : _mm512_setzero_si512());
}

/* ---- B ---- */

/* Where 64 codes from a multiple of 64 of a row on always lie in one block of NF4, the binary
 * logarithm of a block's size; else 0. */
static int block_bits(const struct weight *w)
{
    const bool whole = w->dtype == DT_NF4 && w->cols % 64 == 0 && w->block >= 64 &&
                       (w->block & (w->block - 1)) == 0;

    return whole ? __builtin_ctz((unsigned)w->block) : 0;
}

/* The values of a block, twice over. */
static __m512i nf4_table(const struct weight *w, int64_t block)
{
    static const float value[16] = NF4_VALUES;
    const __m512 scale = _mm512_set1_ps(weight_scales(w)[block]);
    const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(value), scale);

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

static __m128i nf4_bytes(const struct weight *w, int64_t at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)(weight_bytes(w) + at / 2));
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

/* N <= 32 elements of a dense weight from number AT on. */
static __m512i dense_part(const struct weight *w, int64_t at, int64_t n)
{
    const uint8_t *const half = weight_bytes(w) + 2 * at;
    float x[BF16_STEP];

    if (n >= BF16_STEP && w->dtype == DT_F16)
        return bf16_of(vf_of_f16(half), vf_of_f16(half + 32));
    if (n >= BF16_STEP && w->dtype == DT_BF16)
        return _mm512_loadu_si512(half);
    n = min_i64(n, BF16_STEP);
    cpu_isa()->span(x, w, at, n);
    return bf16_part(x, n);
}

/* 16 columns of a panel: rows n0.. of the weight, the last one standing in for those behind it. */
static void pack_rows16(uint16_t *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    const int bits = block_bits(w);

    for (int64_t k = 0; k < kc; k += 2 * BF16_STEP) {
        const int64_t n = kc - k;
        __m512i v[2][16];

        for (int i = 0; i < 16; i++) {
            const int64_t row = min_i64(n0 + i, w->rows - 1), at = row * w->cols + k0 + k;

            if (bits) {
                const __m512i table = nf4_table(w, at >> bits);

                v[0][i] = nf4_look_up(nf4_bytes(w, at), table);
                v[1][i] = nf4_look_up(nf4_bytes(w, at + BF16_STEP), table);
            } else {
                v[0][i] = dense_part(w, at, n);
                v[1][i] = dense_part(w, at + BF16_STEP, max_i64(n - BF16_STEP, 0));
            }
        }
        store_transposed(dst + k * BF16_TILE, v[0]);
        if (n > BF16_STEP)
            store_transposed(dst + (k + BF16_STEP) * BF16_TILE, v[1]);
    }
}

static void pack_straight(uint16_t *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    const int bits = block_bits(w);
    const int64_t n = w->cols - n0;
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));

    for (int64_t k = 0; k < (kc + BF16_STEP - 1) / BF16_STEP * BF16_STEP; k += 2) {
        __m512i row[2] = { _mm512_setzero_si512(), _mm512_setzero_si512() };

        for (int i = 0; i < 2 && k + i < kc; i++) {
            const int64_t at = (k0 + k + i) * w->cols + n0;

            row[i] = bits ? nf4_look_up(nf4_bytes(w, at), nf4_table(w, at >> bits))
                          : dense_part(w, at, n);
        }
        _mm512_store_si512(dst + k * BF16_TILE, _mm512_permutex2var_epi16(row[0], low, row[1]));
        _mm512_store_si512(dst + (k + 1) * BF16_TILE,
                           _mm512_permutex2var_epi16(row[0], high, row[1]));
    }
}

void bf16_pack_b(uint16_t *dst, const struct weight *w, bool trans, int64_t k0, int64_t kc,
                 int64_t n0)
{
    if (dtype_is_blocks(w->dtype)) {
        bf16_pack_blocks(dst, w, trans, k0, kc, n0);
        return;
    }
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

/* ROWS is a constant where this is inlined: at most 8, whose sums stay in registers. */
FORCE_INLINE void tile_rows(const int rows, int64_t steps, const uint16_t *a, const uint16_t *b,
                            float *c, bool add)
{
    __m512 left[8], right[8];

    UNROLL(8)
    for (int i = 0; i < rows; i++) {
        left[i] = add ? _mm512_load_ps(c + i * BF16_TILE) : _mm512_setzero_ps();
        right[i] = add ? _mm512_load_ps(c + i * BF16_TILE + 16) : _mm512_setzero_ps();
    }
    for (int64_t s = 0; s < steps; s++)
        for (int k = 0; k < BF16_STEP; k += 2) {
            const uint16_t *const pairs = b + (s * BF16_STEP + k) * BF16_TILE;
            const __m512i b0 = _mm512_load_si512(pairs), b1 = _mm512_load_si512(pairs + BF16_TILE);

            UNROLL(8)
            for (int i = 0; i < rows; i++) {
                const uint16_t *const x = a + (s * BF16_TILE + i) * BF16_STEP + k;

                left[i] = dot_pairs(left[i], x, b0);
                right[i] = dot_pairs(right[i], x, b1);
            }
        }
    UNROLL(8)
    for (int i = 0; i < rows; i++) {
        _mm512_store_ps(c + i * BF16_TILE, left[i]);
        _mm512_store_ps(c + i * BF16_TILE + 16, right[i]);
    }
}

static void tile(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, int b_parts,
                 float *c, bool add, const struct bf16_soon *soon)
{
    (void)b_parts;
    for (int64_t s = 0; s < steps; s++)
        bf16_ask(soon, s);
    for (; rows > 2; rows -= 8, a += 8 * BF16_STEP, c += 8 * BF16_TILE)
        tile_rows(8, steps, a, b, c, add);
    if (rows == 2)
        tile_rows(2, steps, a, b, c, add);
    else if (rows == 1)
        tile_rows(1, steps, a, b, c, add);
}

const struct bf16_isa bf16_avx512 = {
    .name = "avx512bf16",
    .parts = 1,
    .chunk = 256,
    .last_chunk = 384,
    .begin = nothing,
    .end = nothing,
    .pack_a = bf16_pack_a,
    .pack_b = bf16_pack_b,
    .tile = tile,
    .few = bf16_few,
};
