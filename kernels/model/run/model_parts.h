/* model_parts.h - the inside of a model; for the files of this folder. */
#ifndef MODEL_PARTS_H
#define MODEL_PARTS_H

#include "blocks/blocks.h"
#include "files/weights.h"
#include "run/model.h"
#include "run/upload.h"

struct model {
    struct engine e;
    struct weights weights;
    struct dev *rotary; /* cosines, sines behind them */
    int64_t positions;  /* that it has */
    struct upload upload;
    int64_t passes, played; /* of inference; those that the device played again */
};

/* Makes the cosines and sines of positions 0 .. N-1, where they are not there yet. -1 when an op
 * fails, as all of these. */
MUST_USE int rotary_reach(struct model *m, int64_t n);

/* ---- pass.c ---- */

/* The rows of a batch that the head looks at, on the host. */
struct picked {
    int64_t n;
    const int32_t *row, *target; /* (n); TARGET NULL: none */
    const float *weight;         /* (n); NULL: none */
};

/* What a pass without training adds: rows in the cache, and the rows that the last layer goes on
 * with; NULL: none. */
struct extras {
    const int32_t *kv_row;    /* (batch tokens) */
    const struct batch *tail; /* its positions and sequences */
    const int32_t *tail_row;  /* (tail tokens) */
};

/* Describes B in PASS and puts all that the device has to know of it there at once. Where K has
 * targets, nothing behind the last attention is made of the rows that it does not name. */
MUST_USE int pass_begin(struct pass *p, struct model *m, const struct batch *b,
                        const struct picked *k, const struct extras *x);
/* What ops->begin is told of a forward pass whose ops are all those of pass_forward and what else
 * ASKED tells apart. */
uint64_t pass_key(const struct pass *p, int64_t asked);
/* From ids to the stream that leaves the last layer, acts.x_out: PASS goes on with its rows. */
MUST_USE int pass_forward(struct pass *p);
/* From the stream's gradient, acts.dx, to those of the lora_set. */
MUST_USE int pass_backward(struct pass *p);
/* The first layer whose input is not finite, or the number of layers and more: who is to blame. */
MUST_USE int pass_find_bad_layer(const struct pass *p, int *layer);

/* What an error that says that a value is not finite ends with: float16's way out, else nothing. */
const char *float16_advice(const struct engine *e);

/* ---- infer.c ---- */

/* What S asks of the picks from FIRST on; EXIT_NUMERIC: a logit is not finite. */
MUST_USE int pass_select(const struct pass *p, int64_t first, const struct selected *s);

#endif
