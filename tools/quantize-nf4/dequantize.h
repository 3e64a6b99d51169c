/* dequantize.h - a 4-bit model back to the types its weights had. */
#ifndef QUANTIZE_DEQUANTIZE_H
#define QUANTIZE_DEQUANTIZE_H

#include "kernels.h"
#include "tensors.h"

/* Writes model.safetensors into OUT: codes times scales, rounded once; other tensors unchanged. */
MUST_USE int dequantize(struct tensors *t, struct pack_writer *out, const struct ops *ops);

#endif
