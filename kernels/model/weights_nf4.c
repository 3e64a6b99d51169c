/*
 * weights_nf4.c - a linear as bitsandbytes stores it in 4 bits (NUMERICS B.5): codes, scales
 * (plain, or themselves in 8 bits), the table of code values, and a JSON text that says how to read
 * them.
 */
#include "loader.h"
#include "mem.h"
#include "nf4_code.h"
#include "nf4_nest.h"

#include <math.h>
#include <string.h>

struct quant_state {
    int64_t block, nested_block; /* nested_block 0: scales are plain */
    double offset;
};

/* A key outside this list changes what the numbers mean in a way that we do not know. */
static int check_keys(const cJSON *json)
{
    static const char *const known[] = { "quant_type",   "blocksize",        "dtype",
                                         "shape",        "nested_blocksize", "nested_dtype",
                                         "nested_offset" };

    for (const cJSON *it = json->child; it; it = it->next) {
        size_t i = 0;

        while (i < sizeof known / sizeof *known && strcmp(known[i], it->string) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return err_set(EXIT_DATA, "unknown key '%s'", it->string);
    }
    return 0;
}

static int check_text(const cJSON *json, const char *key, const char *want)
{
    const char *text = NULL;
    const int got = json_text(json, key, &text);

    if (got < 0)
        return -1;
    if (!got || strcmp(text, want) != 0)
        return err_set(EXIT_DATA, "%s is '%s', not '%s'", key, got ? text : "", want);
    return 0;
}

static int check_shape(const cJSON *json, int64_t rows, int64_t cols)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(json, "shape");
    const cJSON *o = cJSON_IsArray(shape) ? cJSON_GetArrayItem(shape, 0) : NULL;
    const cJSON *c = o ? o->next : NULL;

    if (!c || c->next || !cJSON_IsNumber(o) || !cJSON_IsNumber(c) ||
        o->valuedouble != (double)rows || c->valuedouble != (double)cols)
        return err_set(EXIT_DATA, "shape is not %lldx%lld, which config.json wants",
                       (long long)rows, (long long)cols);
    return 0;
}

static int read_state(struct quant_state *q, const cJSON *json, int64_t rows, int64_t cols)
{
    const char *dtype = NULL;

    if (!cJSON_IsObject(json))
        return err_set(EXIT_DATA, "not an object");
    if (check_keys(json) < 0 || check_text(json, "quant_type", "nf4") < 0 ||
        check_shape(json, rows, cols) < 0 || json_text(json, "dtype", &dtype) < 0)
        return -1;
    if (json_int(json, "blocksize", &q->block, 32, 4096) <= 0 || (q->block & (q->block - 1)) != 0)
        return err_set(EXIT_DATA, "blocksize is not a power of two from 32 to 4096");
    const int nested = json_int(json, "nested_blocksize", &q->nested_block, 1, 1 << 20);

    if (nested <= 0)
        return nested;
    if (json_double(json, "nested_offset", &q->offset) <= 0 || !isfinite((float)q->offset))
        return err_set(EXIT_DATA, "nested_offset is not a number");
    return check_text(json, "nested_dtype", "float32");
}

static int parse_state(struct quant_state *q, const struct tensor *t, int64_t rows, int64_t cols)
{
    *q = (struct quant_state){ 0 };
    if (t->dtype != DT_U8)
        return err_set(EXIT_DATA, "tensor '%s' is %s, not U8", t->name, dtype_name(t->dtype));
    cJSON *json = json_parse((const char *)t->data, t->bytes);
    const int rc = json ? read_state(q, json, rows, cols) : -1;

    cJSON_Delete(json);
    return rc < 0 ? err_in("tensor '%s'", t->name) : 0;
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
               : err_set(EXIT_NODEVICE, "tensor '%s' is not the table of NF4 values", t->name);
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
    return loader_adopt_floats(ld, &w->absmax, v, blocks);
}

int load_nf4(struct loader *ld, struct weight *w, const char *stem, const struct tensor *state,
             int64_t rows, int64_t cols)
{
    const struct tensor *codes = loader_need(ld, stem, ".weight");
    const struct tensor *absmax = loader_need(ld, stem, ".weight.absmax");
    struct quant_state q;

    if (!codes || !absmax || parse_state(&q, state, rows, cols) < 0 || check_table(ld, stem) < 0)
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
               loader_adopt(ld, &w->absmax, absmax) < 0) {
        return -1;
    }
    return loader_finite(ld, absmax, w->absmax, DT_F32, blocks);
}
