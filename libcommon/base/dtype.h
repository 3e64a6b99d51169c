/* dtype.h - element types of tensors, their safetensors names, and exact conversions to float. */
#ifndef DTYPE_H
#define DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* In safetensors' own order: its writer sorts tensors by this, largest first. */
enum dtype {
    DT_NONE, DT_BOOL, DT_U8, DT_I8, DT_F8_E5M2, DT_F8_E4M3, DT_I16, DT_U16, DT_F16, DT_BF16,
    DT_I32, DT_U32, DT_F32, DT_C64, DT_F64, DT_I64, DT_U64,
    DT_NF4,                     /* not in files: a weight of struct weight in kernels.h */
    DT_BF16X3,                  /* of no tensor: a way to multiply floats, see there */
    /* Block formats of GGUF files (NUMERICS J): elements of a row in blocks of dtype_block, each block
     * with its scales. Not in safetensors. */
    DT_Q4_0, DT_Q4_1, DT_Q5_0, DT_Q5_1, DT_Q8_0, DT_Q2_K, DT_Q3_K, DT_Q4_K, DT_Q5_K, DT_Q6_K,
    DT_IQ4_NL, DT_IQ4_XS,
};

size_t dtype_size(enum dtype t);            /* bytes an element; 0 for DT_NONE, DT_NF4 and blocks */
/* Elements of a block, which a row has a whole number of: 32 or 256; 1 for what has no blocks. */
int dtype_block(enum dtype t);
/* Bytes of N elements, N a multiple of dtype_block; 0 for DT_NONE and DT_NF4. */
size_t dtype_bytes(enum dtype t, size_t n);
static inline int dtype_is_blocks(enum dtype t)
{
    return t >= DT_Q4_0;
}
const char *dtype_name(enum dtype t);       /* "F32", as safetensors writes it */
const char *dtype_torch_name(enum dtype t); /* "float32", as torch and INTERFACE write it */
enum dtype dtype_of(const char *name);      /* either spelling, no blocks; DT_NONE when it is neither */
enum dtype dtype_of_compute(const char *name); /* the same, and "bf16x3" */

static inline float f32_of_bf16(uint16_t h)
{
    const uint32_t u = (uint32_t)h << 16;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float f32_of_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, mag = h & 0x7fff;
    uint32_t u = mag << 13;
    float f;

    if (mag >= 0x7c00) {                    /* infinity and NaN */
        u |= 0x7f800000u;
    } else if (mag >= 0x0400) {             /* normal: move the exponent's bias from 15 to 127 */
        u += (uint32_t)(127 - 15) << 23;
    } else {                                /* subnormal: mag * 2^-24 exactly */
        f = (float)mag * 0x1p-24f;
        memcpy(&u, &f, sizeof u);
    }
    u |= sign;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Round to nearest, ties to even; NaN stays NaN: a quiet one, never rounded into infinity. */
static inline uint16_t bf16_of_f32(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? u >> 16 | 0x40
                                                      : (u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t f16_of_f32(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000);

    u &= 0x7fffffffu;
    if (u > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00 | (u >> 13 & 0x3ff));
    if (u >= 0x477ff000u) /* 65520, halfway between the largest half and the next */
        return sign | 0x7c00;
    if (u < 0x38800000u) { /* below 2^-14: adding 0.5 rounds to multiples of 2^-24 */
        float shifted;

        memcpy(&shifted, &u, sizeof shifted);
        shifted += 0.5f;
        memcpy(&u, &shifted, sizeof u);
        return (uint16_t)(sign | (u - 0x3f000000u));
    }
    u += 0xfffu + (u >> 13 & 1);
    return (uint16_t)(sign | (u - ((127u - 15) << 23)) >> 13);
}

/* The first of N finite floats that becomes infinite when it is rounded to DT_F16 or DT_BF16, or -1. */
int64_t f32_first_beyond(const float *x, int64_t n, enum dtype to);
/* The float nearest to x that DT_F16 or DT_BF16 can hold; any other type: x. */
static inline float f32_rounded(float x, enum dtype to)
{
    switch (to) {
    case DT_F16:
        return f32_of_f16(f16_of_f32(x));
    case DT_BF16:
        return f32_of_bf16(bf16_of_f32(x));
    default:
        return x;
    }
}

#endif
