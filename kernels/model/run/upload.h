/*
 * upload.h - the arrays that describe a batch, side by side in one piece, so that they go to the
 * device at once.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include "kernels.h"

struct upload {
    uint8_t *host;
    size_t n, cap;
};

enum { UPLOAD_ALIGN = 64 };

/* Copies BYTES of DATA behind the others, aligned to UPLOAD_ALIGN; gives their offset. */
size_t upload_add(struct upload *u, const void *data, size_t bytes);
void upload_free(struct upload *u);

#endif
