/*
 * block_code.h - where the parts of a block lie, for each block format of GGUF files (dtype.h).
 *
 * Half floats and other numbers are little-endian, at any address. Element e has a code and a scale
 * d, and in some formats an offset m. In blocks of 32 both are halves of the block. In those of 256
 * they are small numbers of each 16 or 32 elements, times a half of the block:
 *
 *   Q4_0, Q5_0, Q8_0, IQ4_NL   d * (code - 8 or 16 or 0)           IQ4_NL: d * value of the code
 *   Q4_1, Q5_1                 d * code + m
 *   Q2_K, Q4_K, Q5_K           (D * scale) * code - (DMIN * min)
 *   Q3_K, Q6_K                 (D * (scale - 32 or 0)) * (code - 4 or 32)
 *   IQ4_XS                     (D * (scale - 32)) * value of the code
 *
 * Each operation is one of float32. All but the last are exact: a half has 11 bits, and the numbers
 * it meets are small. So it does not matter whether they are fused, and only a sum or, in Q6_K, the
 * product with the code is rounded.
 *
 * Codes, CODES: in blocks of 32, and in the strips of 32 that IQ4_XS has, byte j holds elements j
 * (low four bits) and j + 16; Q8_0: bytes with a sign. In the other blocks of 256, 32 bytes hold
 * the low bits of strips of 32 elements one after another: two each of four bits (Q4_K, Q5_K), four
 * each of two (Q2_K, Q3_K), and Q6_K: 64 bytes strips 0 and 1 of four, then 2 and 3. HIGH: the bits
 * above: bit e of 32 (Q5_0, Q5_1); bit s of byte e of strip s (Q3_K, Q5_K), two bits for each of
 * four strips (Q6_K).
 *
 * Scales, SCALES: a byte for each 16 elements (Q2_K: scale low, min high four bits; Q6_K with a
 * sign); six bits for each 16 (Q3_K: low four bits in bytes 0-7, of 8-15 in their high half, high
 * two in bytes 8-11 in the same manner); six bits each of scale and min for each 32 (Q4_K, Q5_K:
 * scales 0-3 in bytes 0-3, mins in 4-7, 4-7 in bytes 8-11, their high two bits on top of bytes
 * 0-7); six bits for each 32 (IQ4_XS: four in SCALES, two in SCALES_HIGH).
 */
#ifndef BLOCK_CODE_H
#define BLOCK_CODE_H

enum {
    Q4_0_D = 0, Q4_0_CODES = 2,
    Q4_1_D = 0, Q4_1_M = 2, Q4_1_CODES = 4,
    Q5_0_D = 0, Q5_0_HIGH = 2, Q5_0_CODES = 6,
    Q5_1_D = 0, Q5_1_M = 2, Q5_1_HIGH = 4, Q5_1_CODES = 8,
    Q8_0_D = 0, Q8_0_CODES = 2,
    IQ4_NL_D = 0, IQ4_NL_CODES = 2,
    Q2_K_SCALES = 0, Q2_K_CODES = 16, Q2_K_D = 80, Q2_K_DMIN = 82,
    Q3_K_HIGH = 0, Q3_K_CODES = 32, Q3_K_SCALES = 96, Q3_K_D = 108,
    Q4_K_D = 0, Q4_K_DMIN = 2, Q4_K_SCALES = 4, Q4_K_CODES = 16,
    Q5_K_D = 0, Q5_K_DMIN = 2, Q5_K_SCALES = 4, Q5_K_HIGH = 16, Q5_K_CODES = 48,
    Q6_K_CODES = 0, Q6_K_HIGH = 128, Q6_K_SCALES = 192, Q6_K_D = 208,
    IQ4_XS_D = 0, IQ4_XS_SCALES_HIGH = 2, IQ4_XS_SCALES = 4, IQ4_XS_CODES = 8,
};

/* Values of the codes of IQ4_NL and IQ4_XS. */
#define IQ4_VALUES { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 }

#endif
