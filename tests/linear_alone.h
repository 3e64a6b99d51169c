/* linear_alone.h - linear_forward of one linear. */
#ifndef LINEAR_ALONE_H
#define LINEAR_ALONE_H

#include "kernels.h"

static inline int linear_alone(const struct ops *o, struct dev *y, struct dev *u,
                               const struct dev *x, const struct weight *w, const struct dev *bias,
                               const struct lora *lora, const struct packed *rows, int64_t N)
{
    return o->linear_forward(&(struct linear){ y, u, w, bias, lora }, 1, x, rows, N);
}

#endif
