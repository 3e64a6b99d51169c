/*
 * vec_pack.h - weights of any storage as floats, flat or as a panel for the tile kernel: this is
 * where NF4 and half floats are expanded, into the first cache, once for all rows of a block.
 * Included by isa_*.c only.
 */
#ifndef VEC_PACK_H
#define VEC_PACK_H

#include "dtype.h"
#include "isa.h"
#include "simd.h"
#include "vec_block_rows.h"
#include "vec_half.h"
#include "vec_nf4.h"
#include "vec_nf4_rows.h"
#include "vec_tile.h"
#include "vec_transpose.h"

/* ---- a run of the flattened weight ---- */

static void round_run(float *out, const float *x, int64_t n, enum dtype to)
{
    int64_t i = 0;

    if (to == DT_F16) {
        for (; i + W <= n; i += W)
            vf_store(out + i, vf_round_f16(vf_load(x + i)));
        for (; i < n; i++)
            out[i] = f32_of_f16(f16_of_f32(x[i]));
    } else if (to == DT_BF16) { /* compilers make vectors of it */
        for (; i < n; i++)
            out[i] = f32_of_bf16(bf16_of_f32(x[i]));
    }
}

/* Within one block of NF4: a lone element before the first whole byte, vectors, the rest. */
static void span_block(float *out, const uint8_t *codes, float scale, int64_t first, int64_t n)
{
    int64_t i = 0;

    for (; i < n && (first + i) % 2; i++)
        out[i] = nf4_value[codes[(first + i) / 2] & 15] * scale;
    for (; i + W <= n; i += W)
        vf_store(out + i, vf_mul(nf4_run(codes + (first + i) / 2), vf_set(scale)));
    for (; i < n; i++) {
        const uint8_t pair = codes[(first + i) / 2];

        out[i] = nf4_value[(first + i) % 2 ? pair & 15 : pair >> 4] * scale;
    }
}

static void span_nf4(float *out, const struct weight *w, int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n;) {
        const int64_t block = (first + i) / w->block;
        const int64_t end = min_i64(n, (block + 1) * w->block - first);

        span_block(out + i, weight_bytes(w), weight_scales(w)[block], first + i, end - i);
        i = end;
    }
}

static void span_half(float *out, const uint8_t *p, bool brain, int64_t n)
{
    int64_t i = 0;

    for (; i + W <= n; i += W)
        vf_store(out + i, brain ? vf_of_bf16(p + 2 * i) : vf_of_f16(p + 2 * i));
    for (; i < n; i++) {
        uint16_t h;

        memcpy(&h, p + 2 * i, sizeof h);
        out[i] = brain ? f32_of_bf16(h) : f32_of_f16(h);
    }
}

static void span_exact(float *out, const struct weight *w, int64_t first, int64_t n)
{
    switch (w->dtype) {
    case DT_F32:
        memcpy(out, weight_bytes(w) + 4 * first, (size_t)n * sizeof *out);
        break;
    case DT_F16:
    case DT_BF16:
        span_half(out, weight_bytes(w) + 2 * first, w->dtype == DT_BF16, n);
        break;
    case DT_NF4:
        span_nf4(out, w, first, n);
        break;
    default:
        span_blocks(out, w, first, n);
    }
}

static void span(float *out, const struct weight *w, int64_t first, int64_t n)
{
    span_exact(out, w, first, n);
    round_run(out, out, n, w->round);
}

/* ---- panels ---- */

/* The flattened weight from element FIRST on where it can be read as it lies, else NULL: mapped
 * files may hold floats anywhere. */
static const float *floats_at(const struct weight *w, int64_t first)
{
    return w->dtype == DT_F32 && (uintptr_t)w->data % sizeof(float) == 0
               ? (const float *)(const void *)w->data + first
               : NULL;
}

/* dst (kc, 8) of a panel = eight rows of the weight transposed, from column k0 on; the weight's
 * last row stands in for rows behind it. */
static void pack_rows8(float *dst, const struct weight *w, int64_t ld, int64_t k0, int64_t kc,
                       int64_t n0)
{
    float rows[8][KC];
    const float *row[8];

    for (int i = 0; i < 8; i++) {
        const int64_t first = min_i64(n0 + i, w->rows - 1) * ld + k0;

        row[i] = floats_at(w, first);
        if (row[i])
            continue;
        span_exact(rows[i], w, first, kc);
        row[i] = rows[i];
    }
    transpose_rows8(dst, NR, row, kc);
}

/* The same for W rows of NF4. */
static void pack_nf4_rows(float *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    struct nf4_rows rows;

    nf4_rows_begin(&rows, w, k0, kc, n0);
    for (int64_t k = 0; k < kc; k += 8, dst += 8 * NR) {
        vi first, second;

        nf4_rows_next(&rows, &first, &second);
        const vf s0 = vf_load(rows.scale), s1 = vf_load(rows.scale + W);

#define PUT_CODE(j)                                                                                \
    vf_store(dst + (j)*NR, vf_mul(nf4_pick(first, j), s0));                                        \
    vf_store(dst + (j)*NR + W, vf_mul(nf4_pick(second, j), s1))
        PUT_CODE(0);
        PUT_CODE(1);
        PUT_CODE(2);
        PUT_CODE(3);
        PUT_CODE(4);
        PUT_CODE(5);
        PUT_CODE(6);
        PUT_CODE(7);
#undef PUT_CODE
    }
}

/* The same for W rows of half floats, 16 columns at a time. */
FORCE_INLINE void pack_half_rows(float *dst, const struct weight *w, const bool brain, int64_t ld,
                                 int64_t k0, int64_t kc, int64_t n0)
{
    const uint8_t *p = weight_bytes(w) + 2 * (n0 * ld + k0);
    int32_t at[W];

    half_rows(at, W, w, ld, n0);
    for (int64_t k = 0; k < kc; k += 16, p += 32) {
        vi pair[8];

        turn_rows(pair, p, at);
        UNROLL(8)
        for (int j = 0; j < 8; j++) {
            vf_store(dst + (k + 2 * j) * NR, low_half(pair[j], brain));
            vf_store(dst + (k + 2 * j + 1) * NR, high_half(pair[j], brain));
        }
    }
}

/* The same for W rows of a block format. */
static void pack_block_rows(float *dst, const struct weight *w, int64_t k0, int64_t kc, int64_t n0)
{
    next_columns *const next = columns_of(w->dtype);
    struct block_rows rows;

    block_rows_begin(&rows, w, k0, n0);
    for (int64_t k = 0; k < kc; k += STRIP)
        next(&rows, dst + k * NR);
}

static void pack_transposed(float *dst, const struct weight *w, int64_t ld, int64_t k0, int64_t kc,
                            int64_t n0)
{
    if (nf4_by_eight(w) && kc % 8 == 0)
        pack_nf4_rows(dst, w, k0, kc, n0);
    else if (w->dtype == DT_F16 && kc % 16 == 0)
        for (int j = 0; j < NR; j += W)
            pack_half_rows(dst + j, w, false, ld, k0, kc, min_i64(n0 + j, w->rows - 1));
    else if (w->dtype == DT_BF16 && kc % 16 == 0)
        for (int j = 0; j < NR; j += W)
            pack_half_rows(dst + j, w, true, ld, k0, kc, min_i64(n0 + j, w->rows - 1));
    else if (dtype_is_blocks(w->dtype))
        for (int j = 0; j < NR; j += W)
            pack_block_rows(dst + j, w, k0, kc, min_i64(n0 + j, w->rows - 1));
    else
        for (int j = 0; j < NR; j += 8)
            pack_rows8(dst + j, w, ld, k0, kc, min_i64(n0 + j, w->rows - 1));
}

/* dst (kc, NR) = rows of the weight as they lie, NF4 of which a panel's part of a row is in one
 * block. */
static void pack_nf4_straight(float *dst, const struct weight *w, int64_t k0, int64_t kc,
                              int64_t n0)
{
    const int64_t across = w->cols / w->block;
    const float *scale = weight_scales(w) + k0 * across + n0 / w->block;
    const uint8_t *codes = weight_bytes(w) + (k0 * w->cols + n0) / 2;

    for (int64_t k = 0; k < kc; k++, scale += across, codes += w->cols / 2) {
        const vf s = vf_set(*scale);

        for (int j = 0; j < NR; j += W)
            vf_store(dst + k * NR + j, vf_mul(nf4_run(codes + j / 2), s));
    }
}

/* The same for N columns of dense rows, in whole vectors. */
static void pack_dense_straight(float *dst, const struct weight *w, int64_t ld, int64_t k0,
                                int64_t kc, int64_t n0, int64_t n)
{
    const size_t size = w->dtype == DT_F32 ? 4 : 2;

    for (int64_t k = 0; k < kc; k++) {
        const uint8_t *const row = weight_bytes(w) + (size_t)((k0 + k) * ld + n0) * size;

        for (int j = 0; j < NR; j += W)
            vf_store(dst + k * NR + j, j >= n               ? vf_set(0.0f)
                                       : w->dtype == DT_F32 ? vf_of_f32(row + 4 * j)
                                       : w->dtype == DT_F16 ? vf_of_f16(row + 2 * j)
                                                            : vf_of_bf16(row + 2 * j));
    }
}

/* The same for blocks: a panel's part of a row is in one strip. */
static void pack_block_straight(float *dst, const struct weight *w, int64_t k0, int64_t kc,
                                int64_t n0)
{
    const int64_t row = (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);
    const int64_t strips = strips_of(w->dtype), strip = n0 / STRIP;
    const int64_t size = (int64_t)dtype_bytes(w->dtype, (size_t)(strips * STRIP));
    const struct some_strips rows = {
        .p = weight_bytes(w) + k0 * row + strip / strips * size,
        .count = kc,
        .step = row,
        .s = (int)(strip % strips),
        .from = (int)(n0 % STRIP),
        .n = NR,
    };

    strip_values_of(w->dtype)(dst, NR, &rows);
}

static void pack_straight(float *dst, const struct weight *w, int64_t ld, int64_t k0, int64_t kc,
                          int64_t n0)
{
    const int64_t n = min_i64(NR, w->cols - n0);

    if (nf4_by_eight(w) && n == NR && w->cols % w->block == 0 && w->block % NR == 0) {
        pack_nf4_straight(dst, w, k0, kc, n0);
        return;
    }
    if (dtype_is_blocks(w->dtype)) {
        pack_block_straight(dst, w, k0, kc, n0);
        return;
    }
    if (w->dtype != DT_NF4 && n % W == 0) {
        pack_dense_straight(dst, w, ld, k0, kc, n0, n);
        return;
    }
    for (int64_t k = 0; k < kc; k++) {
        span_exact(dst + k * NR, w, (k0 + k) * ld + n0, n);
        for (int64_t j = n; j < NR; j++)
            dst[k * NR + j] = 0;
    }
}

static void pack_b(float *dst, const struct weight *w, int64_t ld, bool trans, int64_t k0,
                   int64_t kc, int64_t n0)
{
    if (trans)
        pack_transposed(dst, w, ld, k0, kc, n0);
    else
        pack_straight(dst, w, ld, k0, kc, n0);
    round_run(dst, dst, kc * NR, w->round);
}

#endif
