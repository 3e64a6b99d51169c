#include "dtype.h"

static const struct {
    const char *name, *torch;
    size_t size; /* of an element, or of a block */
    int block;   /* 0: none */
} types[] = {
    [DT_NONE] = { "none", "none", 0, 0 },
    [DT_BOOL] = { "BOOL", "bool", 1, 0 },
    [DT_U8] = { "U8", "uint8", 1, 0 },
    [DT_I8] = { "I8", "int8", 1, 0 },
    [DT_F8_E5M2] = { "F8_E5M2", "float8_e5m2", 1, 0 },
    [DT_F8_E4M3] = { "F8_E4M3", "float8_e4m3fn", 1, 0 },
    [DT_I16] = { "I16", "int16", 2, 0 },
    [DT_U16] = { "U16", "uint16", 2, 0 },
    [DT_F16] = { "F16", "float16", 2, 0 },
    [DT_BF16] = { "BF16", "bfloat16", 2, 0 },
    [DT_I32] = { "I32", "int32", 4, 0 },
    [DT_U32] = { "U32", "uint32", 4, 0 },
    [DT_F32] = { "F32", "float32", 4, 0 },
    [DT_C64] = { "C64", "complex64", 8, 0 },
    [DT_F64] = { "F64", "float64", 8, 0 },
    [DT_I64] = { "I64", "int64", 8, 0 },
    [DT_U64] = { "U64", "uint64", 8, 0 },
    [DT_NF4] = { "NF4", "nf4", 0, 0 },
    [DT_BF16X3] = { "BF16X3", "bf16x3", 0, 0 },
    [DT_Q4_0] = { "Q4_0", "q4_0", 18, 32 },
    [DT_Q4_1] = { "Q4_1", "q4_1", 20, 32 },
    [DT_Q5_0] = { "Q5_0", "q5_0", 22, 32 },
    [DT_Q5_1] = { "Q5_1", "q5_1", 24, 32 },
    [DT_Q8_0] = { "Q8_0", "q8_0", 34, 32 },
    [DT_Q2_K] = { "Q2_K", "q2_k", 84, 256 },
    [DT_Q3_K] = { "Q3_K", "q3_k", 110, 256 },
    [DT_Q4_K] = { "Q4_K", "q4_k", 144, 256 },
    [DT_Q5_K] = { "Q5_K", "q5_k", 176, 256 },
    [DT_Q6_K] = { "Q6_K", "q6_k", 210, 256 },
    [DT_IQ4_NL] = { "IQ4_NL", "iq4_nl", 18, 32 },
    [DT_IQ4_XS] = { "IQ4_XS", "iq4_xs", 136, 256 },
};

size_t dtype_size(enum dtype t)
{
    return types[t].block ? 0 : types[t].size;
}

int dtype_block(enum dtype t)
{
    return types[t].block ? types[t].block : 1;
}

size_t dtype_bytes(enum dtype t, size_t n)
{
    return n / (size_t)dtype_block(t) * types[t].size;
}

const char *dtype_name(enum dtype t)
{
    return types[t].name;
}

const char *dtype_torch_name(enum dtype t)
{
    return types[t].torch;
}

enum dtype dtype_of(const char *name)
{
    for (int t = DT_BOOL; t < DT_NF4; t++)
        if (!strcmp(types[t].name, name) || !strcmp(types[t].torch, name))
            return (enum dtype)t;
    return DT_NONE;
}

enum dtype dtype_of_compute(const char *name)
{
    return strcmp(name, types[DT_BF16X3].torch) ? dtype_of(name) : DT_BF16X3;
}

int64_t f32_first_beyond(const float *x, int64_t n, enum dtype to)
{
    /* bits of half a step above the largest value: from there on rounding goes up */
    const uint32_t beyond = to == DT_F16 ? 0x477ff000u : to == DT_BF16 ? 0x7f7f8000u : 0x7f800000u;

    for (int64_t i = 0; i < n; i++) {
        uint32_t u;

        memcpy(&u, &x[i], sizeof u);
        u &= 0x7fffffffu;
        if (u >= beyond && u < 0x7f800000u)
            return i;
    }
    return -1;
}
