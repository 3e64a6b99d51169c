/*
 * config.h - what config.json says about a model, checked: every size positive, within limits, and
 * consistent with the others, so that nobody after this module has to ask again.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "kernels.h"
#include "pack.h"

enum { CONFIG_STOP_IDS = 8 };
/* Sizes beyond these are a damaged file, not a model: products of any two fit into 63 bits. */
enum {
    CONFIG_MAX_VOCAB = 1 << 24,
    CONFIG_MAX_DIM = 1 << 17,
    CONFIG_MAX_INNER = 1 << 20,
    CONFIG_MAX_LAYERS = 1024,
    CONFIG_MAX_HEADS = 1024,
    CONFIG_MAX_HEAD_DIM = 1024,
    CONFIG_MAX_POSITIONS = 1 << 18,
};

struct arch;

struct quant_config { /* quantization_config of a bitsandbytes 4-bit model */
    bool present;
    bool nested;        /* bnb_4bit_use_double_quant */
    enum dtype compute; /* bnb_4bit_compute_dtype */
};

struct config {
    const struct arch *arch; /* by model_type */
    int64_t vocab, dim, inner, layers, heads, kv_heads, head_dim, max_positions;
    int64_t rot; /* rotary dimensions of a head, even */
    float rope_theta, norm_eps;
    float resid_pdrop, embd_pdrop, attention_pdrop;
    bool tied;                      /* lm_head is the embedding */
    enum dtype dtype;               /* torch_dtype / dtype; DT_F32 when absent */
    uint32_t stop[CONFIG_STOP_IDS]; /* eos ids: of generation_config.json where that is there */
    int stops;
    int64_t bos; /* what stands before an empty text; the first stop id or -1 when absent */
    struct quant_config quant;
};

/* From config.json and generation_config.json of P. EXIT_DATA names the key; an architecture or a
 * feature we do not have is EXIT_NODEVICE by its name. */
MUST_USE int config_load(struct config *c, const struct pack *p);

#endif
