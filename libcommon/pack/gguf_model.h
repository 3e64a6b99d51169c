/*
 * gguf_model.h - a GGUF file as the Hugging Face folder that it stands for: what its keys say as
 * config.json, generation_config.json, tokenizer.json and tokenizer_config.json, and its tensors under
 * Hugging Face's names.
 *
 * The mapping is that of transformers' GGUF loader (5.24) and of the converter of llama.cpp, read
 * backwards. An architecture, a key, a tensor or a tokenizer that is not here is EXIT_NODEVICE by its
 * name; what contradicts itself is EXIT_DATA.
 */
#ifndef GGUF_MODEL_H
#define GGUF_MODEL_H

#include "gguf.h"
#include "mem.h"
#include "tensors.h"

/* A set of architectures. */
enum {
    GGUF_LLAMA = 1, GGUF_QWEN2 = 2, GGUF_QWEN3 = 4, GGUF_PHI3 = 8, GGUF_PHI2 = 16,
};

struct gguf_arch {
    const char *name;           /* general.architecture */
    const char *model_type, *class_name;    /* Hugging Face's */
    const char *norm_key;       /* of the epsilon, behind "NAME." */
    const char *norm_name;      /* "rms_norm_eps" or "layer_norm_eps" */
    int bit;
};

struct gguf_model {
    const struct gguf *g;
    const struct gguf_arch *arch;
    int64_t layers, dim, inner, heads, kv_heads, head_dim, rot, positions, vocab;
    int64_t window;             /* 0: none */
    bool tied;                  /* there is no output.weight */
    float eps, rope_theta;
};

/* M from the keys of G, which must outlive it; nothing is to be freed. */
MUST_USE int gguf_model_read(struct gguf_model *m, const struct gguf *g);
/* "ARCH.KEY", good in the block where this stands. */
#define GGUF_KEY(m, key) gguf_model_key(m, (char[128]){ 0 }, key)
const char *gguf_model_key(const struct gguf_model *m, char room[128], const char *key);

/* Appends config.json. */
MUST_USE int gguf_put_config(const struct gguf_model *m, struct buf *b);
/* Appends the value of "rope_scaling", or nothing. */
MUST_USE int gguf_put_rope_scaling(const struct gguf_model *m, struct buf *b);
/* Appends generation_config.json where that says more than config.json does, else nothing. */
MUST_USE int gguf_put_generation(const struct gguf_model *m, struct buf *b);

/* A tensor under its Hugging Face name. */
struct gguf_named {
    struct tensor t;
    int64_t heads; /* not 0: rows of each of so many heads stand in rotary pairs, see gguf_unpair */
};

/* All tensors of the model, *N of them, which gguf_named_free releases; their data is the file's. */
MUST_USE int gguf_name_tensors(const struct gguf_model *m, struct gguf_named **out, int *n);
void gguf_named_free(struct gguf_named *t, int n);
/* Copies T's data to OUT with the rows of each head in Hugging Face's order: the first and second
 * elements of the rotary pairs apart. Rows are moved as they are, whatever their type. */
void gguf_unpair(const struct gguf_named *t, uint8_t *out);

/* The tokenizer: -1 refuses it, 0 there is none in the file, 1 all that gguf_put_tokenizer and
 * gguf_put_tokenizer_config want is there. */
MUST_USE int gguf_check_tokenizer(const struct gguf *g);
void gguf_put_tokenizer(const struct gguf *g, struct buf *b);
void gguf_put_tokenizer_config(const struct gguf *g, struct buf *b);

#endif
