/* shape.h - the model that was asked for: its sizes, and what its config.json says. */
#ifndef MKMODEL_SHAPE_H
#define MKMODEL_SHAPE_H

#include "archs/arch.h"

#include <stdbool.h>

/* Sizes of 0, fractions below 0 and DT_NONE were not asked for. */
struct shape {
    const struct arch *arch;
    int64_t hidden, layers, heads, kv_heads, head_dim, inner, vocab, positions, window;
    double partial_rotary, resid_pdrop;
    int64_t eos; /* begins and ends texts */
    bool tied;
    enum dtype dtype;
};

/* The family that config.json calls NAME; EXIT_USAGE where it is none, or one of another form. */
MUST_USE int shape_family(struct shape *m, const char *name);
/* Puts into M what was not asked for: Phi-2's (its published config.json), or that of a small model. */
void shape_complete(struct shape *m, bool like_phi_2);

/* Appends config.json as transformers writes it, with the keys that the engine's family reads; C is the
 * model that it describes. EXIT_USAGE where there is none, or where the family has no place for what
 * was asked for. */
MUST_USE int shape_put_config(struct buf *b, struct config *c, const struct shape *m);
/* Appends generation_config.json. */
void shape_put_generation_config(struct buf *b, const struct shape *m);

#endif
