#include "files/quant_state.h"

#include "json.h"

#include <math.h>
#include <string.h>

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

static int read_dimension(const cJSON *v, int64_t *n)
{
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 1 && v->valuedouble <= INT32_MAX) ||
        v->valuedouble != floor(v->valuedouble))
        return -1;
    *n = (int64_t)v->valuedouble;
    return 0;
}

static int read_shape(struct quant_state *q, const cJSON *json)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(json, "shape");

    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) != 2 ||
        read_dimension(shape->child, &q->rows) < 0 ||
        read_dimension(shape->child->next, &q->cols) < 0)
        return err_set(EXIT_DATA, "shape is not two sizes");
    return 0;
}

static int read_dtype(struct quant_state *q, const cJSON *json)
{
    const char *name = NULL;
    const int got = json_text(json, "dtype", &name);

    if (got < 0)
        return -1;
    q->dtype = got ? dtype_of(name) : DT_NONE;
    if (q->dtype != DT_F32 && q->dtype != DT_F16 && q->dtype != DT_BF16)
        return err_set(EXIT_DATA, "dtype '%s' is none of float32, float16, bfloat16",
                       got ? name : "");
    return 0;
}

static int read_nested(struct quant_state *q, const cJSON *json)
{
    const int nested = json_int(json, "nested_blocksize", &q->nested_block, 1, 1 << 20);

    if (nested <= 0)
        return nested;
    if (json_double(json, "nested_offset", &q->offset) <= 0 || !isfinite((float)q->offset))
        return err_set(EXIT_DATA, "nested_offset is not a number");
    return check_text(json, "nested_dtype", "float32");
}

static int read_state(struct quant_state *q, const cJSON *json)
{
    if (!cJSON_IsObject(json))
        return err_set(EXIT_DATA, "not an object");
    if (check_keys(json) < 0 || check_text(json, "quant_type", "nf4") < 0 ||
        read_shape(q, json) < 0 || read_dtype(q, json) < 0)
        return -1;
    if (json_int(json, "blocksize", &q->block, 32, 4096) <= 0 || (q->block & (q->block - 1)) != 0)
        return err_set(EXIT_DATA, "blocksize is not a power of two from 32 to 4096");
    return read_nested(q, json);
}

int quant_state_parse(struct quant_state *q, const struct tensor *t)
{
    *q = (struct quant_state){ 0 };
    if (t->dtype != DT_U8)
        return err_set(EXIT_DATA, "tensor '%s' is %s, not U8", t->name, dtype_name(t->dtype));
    cJSON *json = json_parse((const char *)t->data, t->bytes);
    const int rc = json ? read_state(q, json) : -1;

    cJSON_Delete(json);
    return rc < 0 ? err_in("tensor '%s'", t->name) : 0;
}
