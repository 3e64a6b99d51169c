/*
 * weights_nf4.c - a linear as bitsandbytes stores it in 4 bits (NUMERICS B.5): codes, scales
 * (plain, or themselves in 8 bits), the table of code values, and a JSON text that says how to read
 * them.
 */
#include "files/loader.h"
#include "mem.h"
#include "nf4_code.h"
#include "nf4_nest.h"
#include "files/quant_state.h"

#include <string.h>

static int check_shape(const struct quant_state *q, const struct tensor *state, int64_t rows,
                       int64_t cols)
{
    if (q->rows == rows && q->cols == cols)
        return 0;
    return err_set(EXIT_DATA, "tensor '%s': shape is not %lldx%lld, which config.json wants",
                   state->name, (long long)rows, (long long)cols);
}

/* The file's own table has to be NF4's: kernels know no other. */
static int check_table(struct loader *ld, const char *stem)
{
    static const float nf4[16] = NF4_VALUES;
    const struct tensor *t = loader_need(ld, stem, ".weight.quant_map");

    if (!t || loader_check(t, DT_F32, 16) < 0)
        return -1;
    return memcmp(t->data, nf4, sizeof nf4) == 0
               ? 0
               : err_set(EXIT_NODEVICE,
                         "tensor '%s' is not the table of NF4 values; quantise the original with "
                         "quantize-nf4",
                         t->name);
}

static int load_nested_scales(struct loader *ld, struct weight *w, const char *stem,
                              const struct quant_state *q, const struct tensor *absmax,
                              int64_t blocks)
{
    const struct tensor *scales = loader_need(ld, stem, ".weight.nested_absmax");
    const struct tensor *map = loader_need(ld, stem, ".weight.nested_quant_map");

    if (!scales || !map || loader_check(absmax, DT_U8, blocks) < 0 ||
        loader_check(map, DT_F32, NEST_MAP) < 0 ||
        loader_check(scales, DT_F32, (blocks + q->nested_block - 1) / q->nested_block) < 0)
        return -1;
    float *v = loader_floats(ld, blocks);

    nest_expand(v, absmax->data, (const float *)(const void *)scales->data,
                (const float *)(const void *)map->data, (float)q->offset, blocks,
                (int)q->nested_block);
    return loader_rounds(ld, absmax, v, blocks) < 0
               ? -1
               : loader_adopt_floats(ld, &w->absmax, v, blocks);
}

int load_nf4(struct loader *ld, struct weight *w, const char *stem, const struct tensor *state,
             int64_t rows, int64_t cols)
{
    const struct tensor *codes = loader_need(ld, stem, ".weight");
    const struct tensor *absmax = loader_need(ld, stem, ".weight.absmax");
    struct quant_state q;

    if (!codes || !absmax || quant_state_parse(&q, state) < 0 ||
        check_shape(&q, state, rows, cols) < 0 || check_table(ld, stem) < 0)
        return -1;
    const int64_t n = rows * cols, blocks = (n + q.block - 1) / q.block;

    *w = (struct weight){
        .dtype = DT_NF4, .rows = rows, .cols = cols, .block = (int)q.block, .round = ld->round
    };
    if (loader_check(codes, DT_U8, (n + 1) / 2) < 0 || loader_adopt(ld, &w->data, codes) < 0)
        return -1;
    if (q.nested_block) {
        if (load_nested_scales(ld, w, stem, &q, absmax, blocks) < 0)
            return -1;
    } else if (loader_check(absmax, DT_F32, blocks) < 0 ||
               loader_rounds(ld, absmax, (const float *)(const void *)absmax->data, blocks) < 0 ||
               loader_adopt(ld, &w->absmax, absmax) < 0) {
        return -1;
    }
    return loader_finite(ld, absmax, w->absmax, DT_F32, blocks);
}
