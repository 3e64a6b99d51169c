/* Weights as floats, whatever they are stored as. */
#include "ref_impl.h"
#include "nf4_code.h"

#include <math.h>
#include <string.h>

/* Blocks run over the flattened matrix, so one may begin in a row and end in the next. */
static void nf4_span(float *out, const struct weight *w, int64_t first, int64_t n)
{
    static const float value[16] = NF4_VALUES;
    const uint8_t *const codes = (const uint8_t *)(const void *)w->data;
    const float *const absmax = const_f32(w->absmax);

    for (int64_t i = 0; i < n;) {
        const int64_t block = (first + i) / w->block;
        const int64_t end = min_i64(n, (block + 1) * w->block - first);
        float level[16];

        for (int code = 0; code < 16; code++)
            level[code] = value[code] * absmax[block];
        for (; i < end; i++) {
            const uint8_t pair = codes[(first + i) / 2];

            out[i] = level[(first + i) % 2 ? pair & 15 : pair >> 4];
        }
    }
}

void ref_rounded(float *out, const float *x, int64_t n, enum dtype to)
{
    if (to == DT_F16 || to == DT_BF16)
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_rounded(x[i], to);
    else if (out != x)
        memcpy(out, x, (size_t)n * sizeof *out);
}

void ref_weight_span(float *out, const struct weight *w, int64_t first, int64_t n)
{
    const uint16_t *const half = (const uint16_t *)(const void *)w->data;

    switch (w->dtype) {
    case DT_F32:
        memcpy(out, const_f32(w->data) + first, (size_t)n * sizeof *out);
        break;
    case DT_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_of_f16(half[first + i]);
        break;
    case DT_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_of_bf16(half[first + i]);
        break;
    case DT_NF4:
        nf4_span(out, w, first, n);
        break;
    default:
        assert(dtype_is_blocks(w->dtype));
        ref_block_span(out, w, first, n);
    }
    ref_rounded(out, out, n, w->round);
}

static int expand(struct dev *out, const struct weight *w)
{
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < w->rows; row++)
        ref_weight_span(f32(out) + row * w->cols, w, row * w->cols, w->cols);
    return 0;
}

static int find_nonfinite(int64_t *bad, const struct dev *x, enum dtype dtype, int64_t n)
{
    enum { SPAN = 4096 };
    const struct weight flat = { .dtype = dtype, .data = x };
    int64_t first = n;

#pragma omp parallel for schedule(static) reduction(min : first)
    for (int64_t from = 0; from < n; from += SPAN) {
        const int64_t count = min_i64(SPAN, n - from);
        float value[SPAN];

        ref_weight_span(value, &flat, from, count);
        for (int64_t i = 0; i < count; i++)
            if (!isfinite(value[i]))
                first = min_i64(first, from + i);
    }
    *bad = first < n ? first : -1;
    return 0;
}

void ref_weight_ops(struct ops *o)
{
    o->expand = expand;
    o->find_nonfinite = find_nonfinite;
}
