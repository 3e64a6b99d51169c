/* dequantize.h - a 4-bit model back to the types its weights had, or to another. */
#ifndef QUANTIZE_DEQUANTIZE_H
#define QUANTIZE_DEQUANTIZE_H

#include "kernels.h"
#include "tensors.h"

/* Writes model.safetensors into OUT: codes times scales, rounded once to the type NAMED, NULL: the
 * one each weight had; other tensors unchanged. */
MUST_USE int dequantize(struct tensors *t, struct pack_writer *out, const struct ops *ops,
                        const char *named);

#endif
