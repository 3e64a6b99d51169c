/*
 * block_value.h - the value of one element of each block format of GGUF files, as block_code.h words
 * it. The definition of every backend; on the CPU's hot paths it is computed by whole strips.
 */
#ifndef BLOCK_VALUE_H
#define BLOCK_VALUE_H

#include "block_code.h"
#include "dtype.h"

#include <stdbool.h>

static inline float half_at(const uint8_t *p)
{
    return f32_of_f16((uint16_t)(p[0] | p[1] << 8));
}

/* Code E of 32 in 16 bytes. */
static inline int four_bits(const uint8_t *p, int e)
{
    return p[e % 16] >> 4 * (e / 16) & 15;
}

static inline int bit_of(const uint8_t *p, int e)
{
    return p[e / 8] >> e % 8 & 1;
}

static inline int iq4(int code)
{
    static const int8_t value[16] = IQ4_VALUES;

    return value[code];
}

/* ---- blocks of 32: element E of block B ---- */

static inline float q4_0(const uint8_t *b, int e)
{
    return half_at(b + Q4_0_D) * (float)(four_bits(b + Q4_0_CODES, e) - 8);
}

static inline float q4_1(const uint8_t *b, int e)
{
    return half_at(b + Q4_1_D) * (float)four_bits(b + Q4_1_CODES, e) + half_at(b + Q4_1_M);
}

static inline float q5_0(const uint8_t *b, int e)
{
    const int code = four_bits(b + Q5_0_CODES, e) | bit_of(b + Q5_0_HIGH, e) << 4;

    return half_at(b + Q5_0_D) * (float)(code - 16);
}

static inline float q5_1(const uint8_t *b, int e)
{
    const int code = four_bits(b + Q5_1_CODES, e) | bit_of(b + Q5_1_HIGH, e) << 4;

    return half_at(b + Q5_1_D) * (float)code + half_at(b + Q5_1_M);
}

static inline float q8_0(const uint8_t *b, int e)
{
    return half_at(b + Q8_0_D) * (float)(int8_t)b[Q8_0_CODES + e];
}

static inline float iq4_nl(const uint8_t *b, int e)
{
    return half_at(b + IQ4_NL_D) * (float)iq4(four_bits(b + IQ4_NL_CODES, e));
}

/* ---- blocks of 256 ---- */

/* Two bits of element E. */
static inline int two_bits(const uint8_t *p, int e)
{
    return p[32 * (e / 128) + e % 32] >> 2 * (e / 32 % 4) & 3;
}

static inline float q2_k(const uint8_t *b, int e)
{
    const int scale = b[Q2_K_SCALES + e / 16];
    const float d = half_at(b + Q2_K_D) * (float)(scale & 15),
                m = half_at(b + Q2_K_DMIN) * (float)(scale >> 4);

    return d * (float)two_bits(b + Q2_K_CODES, e) - m;
}

static inline float q3_k(const uint8_t *b, int e)
{
    const uint8_t *const scales = b + Q3_K_SCALES;
    const int i = e / 16;
    const int scale = (scales[i % 8] >> 4 * (i / 8) & 15) | (scales[8 + i % 4] >> 2 * (i / 4) & 3)
                                                                << 4;
    const int code = two_bits(b + Q3_K_CODES, e) | (b[Q3_K_HIGH + e % 32] >> e / 32 & 1) << 2;

    return half_at(b + Q3_K_D) * (float)(scale - 32) * (float)(code - 4);
}

/* Scale I of Q4_K and Q5_K; from 4 on its min. */
static inline int six_bits(const uint8_t *scales, int i, bool min)
{
    const uint8_t *const low = scales + (min ? 4 : 0);

    if (i < 4)
        return low[i] & 63;
    return (scales[4 + i] >> (min ? 4 : 0) & 15) | low[i - 4] >> 6 << 4;
}

/* Element with CODE in a block whose halves and scales are Q4_K's. */
static inline float with_min(const uint8_t *b, int e, int code)
{
    const float d = half_at(b + Q4_K_D) * (float)six_bits(b + Q4_K_SCALES, e / 32, false),
                m = half_at(b + Q4_K_DMIN) * (float)six_bits(b + Q4_K_SCALES, e / 32, true);

    return d * (float)code - m;
}

/* The low four bits of the code in strips of 32, two after another in 32 bytes. */
static inline int low_bits(const uint8_t *p, int e)
{
    return p[32 * (e / 64) + e % 32] >> 4 * (e / 32 % 2) & 15;
}

static inline float q4_k(const uint8_t *b, int e)
{
    return with_min(b, e, low_bits(b + Q4_K_CODES, e));
}

static inline float q5_k(const uint8_t *b, int e)
{
    return with_min(b, e, low_bits(b + Q5_K_CODES, e) | (b[Q5_K_HIGH + e % 32] >> e / 32 & 1) << 4);
}

static inline float q6_k(const uint8_t *b, int e)
{
    const int low = b[Q6_K_CODES + 64 * (e / 128) + e % 64] >> 4 * (e / 64 % 2) & 15;
    const int code = low | two_bits(b + Q6_K_HIGH, e) << 4;

    return half_at(b + Q6_K_D) * (float)(int8_t)b[Q6_K_SCALES + e / 16] * (float)(code - 32);
}

static inline float iq4_xs(const uint8_t *b, int e)
{
    const int i = e / 32;
    const int scale = (b[IQ4_XS_SCALES + i / 2] >> 4 * (i % 2) & 15) |
                      (b[IQ4_XS_SCALES_HIGH + i / 4] >> 2 * (i % 4) & 3) << 4;

    return half_at(b + IQ4_XS_D) * (float)(scale - 32) *
           (float)iq4(four_bits(b + IQ4_XS_CODES + 16 * i, e % 32));
}

/* Element E of the block of format T that begins at B. */
static inline float block_value(enum dtype t, const uint8_t *b, int e)
{
    switch (t) {
    case DT_Q4_0:
        return q4_0(b, e);
    case DT_Q4_1:
        return q4_1(b, e);
    case DT_Q5_0:
        return q5_0(b, e);
    case DT_Q5_1:
        return q5_1(b, e);
    case DT_Q8_0:
        return q8_0(b, e);
    case DT_Q2_K:
        return q2_k(b, e);
    case DT_Q3_K:
        return q3_k(b, e);
    case DT_Q4_K:
        return q4_k(b, e);
    case DT_Q5_K:
        return q5_k(b, e);
    case DT_Q6_K:
        return q6_k(b, e);
    case DT_IQ4_NL:
        return iq4_nl(b, e);
    case DT_IQ4_XS:
        return iq4_xs(b, e);
    default:
        return 0; /* no block format */
    }
}

#endif
