/*
 * loader.h - tensors of a file on their way to a device: found by name, checked, adopted; for the
 * files that say what a model is made of.
 *
 * A loader without ops only checks: what it adopts is NULL, and values are not looked at.
 */
#ifndef LOADER_H
#define LOADER_H

#include "files/weights.h"

enum { STEM_MAX = 160 };

struct loader {
    struct weights *w;
    const struct ops *ops; /* NULL: names, types and shapes alone */
    enum dtype round;
    const struct tensor **used; /* every tensor that something asked for */
    int n_used;
    struct { /* the linear that the parts of fused ones are taken from */
        char stem[STEM_MAX];
        struct linear_weights l;
    } whole;
};

/* The tensor STEM followed by SUFFIX, marked as used; NULL when the file has none (no error). */
const struct tensor *loader_find(struct loader *ld, const char *stem, const char *suffix);
/* The same, but NULL with EXIT_DATA when the file has none. */
const struct tensor *loader_need(struct loader *ld, const char *stem, const char *suffix);
/* -1 unless T has this dtype and N elements (the shape is not looked at). */
MUST_USE int loader_check(const struct tensor *t, enum dtype dtype, int64_t n);
/* -1 unless T is a matrix of ROWS by COLS, or, ROWS 0, a vector of COLS. */
MUST_USE int loader_check_shape(const struct tensor *t, int64_t rows, int64_t cols);
/* A device view of T's bytes where they lie / of N floats that the loader makes and keeps. */
MUST_USE int loader_adopt(struct loader *ld, const struct dev **out, const struct tensor *t);
float *loader_floats(struct loader *ld, int64_t n);
MUST_USE int loader_adopt_floats(struct loader *ld, const struct dev **out, const float *v,
                                 int64_t n);
/* -1, naming T, when one of its N values of DTYPE is not finite. */
MUST_USE int loader_finite(struct loader *ld, const struct tensor *t, const struct dev *d,
                           enum dtype dtype, int64_t n);
/* -1, naming T, when one of the blocks that it is made of (dtype_is_blocks) has a scale that is not
 * finite, and so none of its values is. */
MUST_USE int loader_finite_blocks(const struct tensor *t);
/* -1, naming T, when one of the N floats at V, which are T's, is beyond the type that products
 * round to. */
MUST_USE int loader_rounds(const struct loader *ld, const struct tensor *t, const float *v,
                           int64_t n);
/* The same of T's own elements, all finite, where it is dense. */
MUST_USE int loader_rounds_matrix(const struct loader *ld, const struct tensor *t);
/* A bias or a gain of N, float32 on the device whatever it is in the file. */
MUST_USE int loader_vector(struct loader *ld, const struct dev **out, const char *stem,
                           const char *suffix, int64_t n);

/* A linear that bitsandbytes quantised: STATE is its quant_state tensor (weights_nf4.c). */
MUST_USE int load_nf4(struct loader *ld, struct weight *w, const char *stem,
                      const struct tensor *state, int64_t rows, int64_t cols);

#endif
