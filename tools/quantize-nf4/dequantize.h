/* dequantize.h - a 4-bit model, or a GGUF file, as floats: in the types its weights had, or others. */
#ifndef QUANTIZE_DEQUANTIZE_H
#define QUANTIZE_DEQUANTIZE_H

#include "kernels.h"
#include "tensors.h"

/* Writes model.safetensors into OUT, of the tensors T of FROM: codes times scales, rounded once to the
 * type NAMED, NULL: the one each weight had; other tensors unchanged. Of a GGUF file NAMED is given, and
 * all matrices are brought to it. */
MUST_USE int dequantize(struct tensors *t, const struct pack *from, struct pack_writer *out,
                        const struct ops *ops, const char *named);

#endif
