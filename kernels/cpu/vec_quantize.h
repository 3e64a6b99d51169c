/* vec_quantize.h - one block of NF4 from floats. Included by isa_*.c only. */
#ifndef VEC_QUANTIZE_H
#define VEC_QUANTIZE_H

#include "nf4_code.h"
#include "simd.h"

#include <math.h>

/* What bitsandbytes on the CPU takes for a scale at least, so that zeros get code 7. */
#define NF4_LEAST_SCALE 1e-38f

/* Sixteen codes, as integers in the floats' bits. */
FORCE_INLINE v16 nf4_codes(v16 x)
{
    static const float threshold[15] = NF4_THRESHOLDS;
    v16 code = v16_set(0.0f);

    UNROLL(15)
    for (int i = 0; i < 15; i++)
        code = v16_count_more(code, x, v16_set(threshold[i]));
    return code;
}

/* As nf4_quantize says; CODES NULL: only the scale. bitsandbytes' CPU code divides in a short last
 * block and stores what it divided by. What stands behind an odd n is a 0, scaled like the rest. */
static float nf4_block(uint8_t *codes, const float *x, int64_t n, bool short_block, int zero_code)
{
    const bool divide = zero_code == 7 && short_block;
    v16 top = v16_set(0.0f);

    for (int64_t i = 0; i < n; i += 16)
        top = v16_max(top, v16_abs(n - i < 16 ? v16_load_part(x + i, n - i, 0) : v16_load(x + i)));
    const float most = v16_most(top);
    const float scale = zero_code == 7 ? fmaxf(most, NF4_LEAST_SCALE) : most;
    const v16 by = v16_set(divide ? scale : 1.0f / scale);

    for (int64_t i = 0; codes && i < n; i += 16) {
        const v16 in = n - i < 16 ? v16_load_part(x + i, n - i, 0) : v16_load(x + i);
        const v16 scaled = divide ? v16_div(in, by) : v16_mul(in, by);
        float counted[16];
        uint32_t code[16];
        uint8_t byte[8];

        v16_store(counted, nf4_codes(scaled));
        memcpy(code, counted, sizeof code);
        for (int j = 0; j < 8; j++)
            byte[j] = (uint8_t)(code[2 * j] << 4 | code[2 * j + 1]);
        memcpy(codes + i / 2, byte, (size_t)(n - i < 16 ? (n - i + 1) / 2 : 8));
    }
    return divide ? scale : most;
}

#endif
