/*
 * config.h - what a model is, as numbers. files/config_load.h fills it from config.json and checks
 * it, so that nobody who gets one has to check again.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "kernels.h"

enum { CONFIG_STOP_IDS = 8 };
/* Sizes beyond these are a damaged file, not a model: products of any two fit into 63 bits. */
enum {
    CONFIG_MAX_VOCAB = 1 << 24,
    CONFIG_MAX_DIM = 1 << 17,
    CONFIG_MAX_INNER = 1 << 20,
    CONFIG_MAX_LAYERS = 1024,
    CONFIG_MAX_HEADS = 1024,
    CONFIG_MAX_HEAD_DIM = 1024,
    CONFIG_MAX_POSITIONS = 1 << 22,
};

struct arch; /* archs/arch.h */

struct quant_config { /* quantization_config of a bitsandbytes 4-bit model */
    bool present;
    bool nested;        /* bnb_4bit_use_double_quant */
    enum dtype compute; /* bnb_4bit_compute_dtype */
};

/* How the frequencies of the rotation are stretched (NUMERICS A.4). */
enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3, ROPE_LONG };
struct rope {
    enum rope_kind kind;
    int64_t rot; /* rotary dimensions of a head, even */
    float theta;
    double factor;              /* linear, llama3 */
    double low_freq, high_freq; /* llama3 */
    int64_t original;           /* llama3, longrope: positions before stretching */
    float scale;                /* cosines and sines are multiplied by it; 1 but for longrope */
    float divisor[CONFIG_MAX_HEAD_DIM / 2]; /* longrope: of each frequency, for short texts */
};

struct config {
    const struct arch *arch; /* by model_type */
    int64_t vocab, dim, inner, layers, heads, kv_heads, head_dim, max_positions;
    struct rope rope;
    float norm_eps;
    float resid_pdrop, embd_pdrop, attention_pdrop;
    enum activation act;
    bool qkv_bias, out_bias, mlp_bias; /* which linears have one */
    int64_t window;                    /* of attention in the layers that have one; 0: none has */
    bool windowed[CONFIG_MAX_LAYERS];
    bool tied;                      /* lm_head is the embedding */
    enum dtype dtype;               /* torch_dtype / dtype; DT_F32 when absent */
    uint32_t stop[CONFIG_STOP_IDS]; /* eos ids: of generation_config.json where that is there */
    int stops;
    int64_t bos; /* what stands before an empty text; the first stop id or -1 when absent */
    struct quant_config quant;
};

#endif
