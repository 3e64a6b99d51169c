/* shape.h - the model that was asked for: its sizes, and what its config.json says. */
#ifndef MKMODEL_SHAPE_H
#define MKMODEL_SHAPE_H

#include "dtype.h"
#include "mem.h"

#include <stdbool.h>

struct family; /* what its config.json has of its own */

struct shape {
    const struct family *family;
    int64_t hidden, layers, heads, kv_heads, head_dim, inner, vocab, positions, window;
    double partial_rotary, resid_pdrop;
    int64_t bos, eos;
    bool tied;
    enum dtype dtype;
};

/* Phi-2 as published (its real config.json). */
extern const struct shape shape_phi_2;

/* The family called NAME, one of the choices of --arch. */
const struct family *family_find(const char *name);
/* EXIT_USAGE where the family's config.json has no place for what M wants. */
MUST_USE int shape_check(const struct shape *m);

/* Appends config.json and generation_config.json as transformers writes them. */
void shape_put_config(struct buf *b, const struct shape *m);
void shape_put_generation_config(struct buf *b, const struct shape *m);

#endif
