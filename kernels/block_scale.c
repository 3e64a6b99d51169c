/* Each block format has one or two half floats; all else are small whole numbers. */
#include "block_scale.h"
#include "block_code.h"

#include <assert.h>

static const struct {
    short first, second; /* where the halves are; the same place twice: there is one */
} halves[] = {
    [DT_Q4_0] = { Q4_0_D, Q4_0_D },       [DT_Q4_1] = { Q4_1_D, Q4_1_M },
    [DT_Q5_0] = { Q5_0_D, Q5_0_D },       [DT_Q5_1] = { Q5_1_D, Q5_1_M },
    [DT_Q8_0] = { Q8_0_D, Q8_0_D },       [DT_Q2_K] = { Q2_K_D, Q2_K_DMIN },
    [DT_Q3_K] = { Q3_K_D, Q3_K_D },       [DT_Q4_K] = { Q4_K_D, Q4_K_DMIN },
    [DT_Q5_K] = { Q5_K_D, Q5_K_DMIN },    [DT_Q6_K] = { Q6_K_D, Q6_K_D },
    [DT_IQ4_NL] = { IQ4_NL_D, IQ4_NL_D }, [DT_IQ4_XS] = { IQ4_XS_D, IQ4_XS_D },
};

/* Whether the half's exponent, all of it in the second byte, is that of infinity and NaN. */
static int is_bad(const uint8_t *half)
{
    return (half[1] & 0x7c) == 0x7c;
}

int64_t blocks_first_bad(const void *blocks, enum dtype t, int64_t n)
{
    const size_t size = dtype_bytes(t, (size_t)dtype_block(t));
    const uint8_t *const first_half = (const uint8_t *)blocks + halves[t].first,
                         *const second_half = (const uint8_t *)blocks + halves[t].second;
    int64_t first = n;

    assert(dtype_is_blocks(t));
#pragma omp parallel for schedule(static) reduction(min : first)
    for (int64_t i = 0; i < n; i++) {
        const size_t at = (size_t)i * size;

        if ((is_bad(first_half + at) | is_bad(second_half + at)) && i < first)
            first = i;
    }
    return first < n ? first : -1;
}
