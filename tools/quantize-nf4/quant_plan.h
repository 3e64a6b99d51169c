/*
 * quant_plan.h - what becomes of each tensor of a model, and the pieces of tensors that threads work on.
 *
 * A safetensors file holds its widest types first, so all scales stand before the first code. Where
 * the file can be written in any order, one pass over the weights makes both. A stream needs two:
 * plan_scan keeps all scales (1/16 byte a weight), then the codes are computed in the file's order.
 */
#ifndef QUANT_PLAN_H
#define QUANT_PLAN_H

#include "kernels.h"
#include "nf4_nest.h"
#include "progress.h"
#include "tensors.h"

/* Weights worked on at a time: a multiple of every block size, and few enough that they and their
 * codes stay in the second cache from one step to the next. */
enum { PIECE = 1 << 18 };

enum { LET_GO = 16 }; /* pieces whose pages are given back together */

struct nf4_options {
    int64_t block;
    bool nested;
    enum nest_compat compat;
    const bool *quantised; /* of each tensor; the others stay as they are */
    bool widen;            /* matrices of floats are brought to float32, as blocks always are */
};

struct quant_tensor { /* one tensor of the input */
    const struct tensor *t;
    enum dtype dtype; /* of what is quantised or written: T's own, or F32 where T is expanded */
    bool quantised;
    int64_t blocks;
    float *absmax; /* (blocks) as a reader will see them: nested ones coded and expanded */
    uint8_t *q;    /* (blocks) nested: their codes */
    float *nested; /* ((blocks + 255) / 256) */
    char *state;   /* quant_state as JSON; of nested ones after plan_scan */
};

struct quant_piece { /* elements FROM .. FROM + N of a tensor */
    const struct quant_tensor *item;
    int64_t from, n;
};

struct piece_buffers { /* of one piece */
    struct dev *codes, *scales;
    uint8_t *host_codes; /* the same again */
    float *host_scales;
    struct dev *values; /* the piece expanded, or NULL */
    float *host_values; /* the same again */
};

struct quant_plan {
    const struct ops *ops;
    const struct pack *pack; /* where the tensors come from */
    struct nf4_options opt;
    struct quant_tensor *item; /* in the order of their names */
    struct quant_piece *piece;
    int n, pieces;
    struct piece_buffers *room; /* of each thread */
    int threads;
};

/* What becomes of the tensors of MODEL; P has ops, pack and opt. -1 names the tensor: a type that
 * cannot be quantised. plan_free releases what was made in both cases. */
MUST_USE int plan_make(struct quant_plan *p, const struct tensors *model);
void plan_free(struct quant_plan *p);

/* Calls WORK for each piece of each tensor, by all threads in any order. -1 is the failure of the first piece that fails; no later ones are begun. */
typedef int piece_work(void *context, int thread, const struct quant_piece *piece);
MUST_USE int plan_each(const struct quant_plan *p, piece_work *work, void *context,
                       struct progress *progress);

/* Computes and keeps all scales, and looks at the values of all floats: -1 names the first that is
 * not finite (EXIT_NUMERIC). */
MUST_USE int plan_scan(struct quant_plan *p, struct progress *progress);

/* Computes the scales, and where CODES the codes, (n + 1) / 2 bytes, of a piece that is quantised
 * into ROOM; of others looks at the values, and where CODES expands those that are. -1 as plan_scan. */
MUST_USE int plan_piece(const struct quant_plan *p, const struct piece_buffers *room,
                        const struct quant_piece *piece, bool codes);
/* The bytes of a piece in the model, and how many. */
const uint8_t *piece_data(const struct quant_piece *piece);
size_t piece_bytes(const struct quant_piece *piece);
/* What is written of a piece that is not quantised: its place in its tensor, how many bytes, and
 * these: the model's, or what plan_piece has just expanded into ROOM. */
size_t piece_copy_place(const struct quant_piece *piece);
size_t piece_copy_bytes(const struct quant_piece *piece);
const void *piece_copy(const struct quant_piece *piece, const struct piece_buffers *room);
/* Whether it is expanded. */
bool is_expanded(const struct quant_tensor *it);
/* The piece that begins at FROM. */
struct quant_piece piece_at(const struct quant_tensor *it, int64_t from);

#endif
