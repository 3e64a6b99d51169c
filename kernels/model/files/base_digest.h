/*
 * base_digest.h - which weights a model has, in whatever form they are stored.
 *
 * An adapter belongs to the weights it was trained on. Those come in many forms: 32 or 16 bits, in
 * 4 bits by quantize-nf4 or by bitsandbytes, with plain or nested scales, and expanded again. What
 * the forms share are the NF4 codes of the linears in blocks of 64, and the values of all else: the
 * digest is over these. Of a large tensor it looks at eight places, enough to tell models from each
 * other (training moves every weight) and few enough to cost milliseconds. Weights that were
 * rounded to another type on the way, or coded in other blocks, count as another model.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "files/weights.h"
#include "sha256.h"

/* The digest in hexadecimal; -1 when an op fails. */
MUST_USE int base_digest(const struct weights *w, char hex[SHA256_HEX + 1]);

#endif
