#include "gguf.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bits_at(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

int32_t gguf_i32_at(const struct gguf_value *v, uint64_t i)
{
    return (int32_t)bits_at(v->p + 4 * i, 4);
}

float gguf_f32_at(const struct gguf_value *v, uint64_t i)
{
    const uint32_t bits = (uint32_t)bits_at(v->p + 4 * i, 4);
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* ---- looking up ---- */

static int value_order(const void *key, const void *v)
{
    return strcmp(key, ((const struct gguf_value *)v)->key);
}

static int tensor_order(const void *name, const void *t)
{
    return strcmp(name, ((const struct gguf_tensor *)t)->name);
}

const struct gguf_value *gguf_find(const struct gguf *g, const char *key)
{
    return g->values ? bsearch(key, g->value, (size_t)g->values, sizeof *g->value, value_order)
                     : NULL;
}

const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name)
{
    return g->tensors
               ? bsearch(name, g->tensor, (size_t)g->tensors, sizeof *g->tensor, tensor_order)
               : NULL;
}

static int is_not(const char *key, const char *what)
{
    return err_set(EXIT_DATA, "'%s' is not %s", key, what);
}

/* 0 where V is no integer; of one beyond 63 bits, the largest. */
static int integer_of(const struct gguf_value *v, int64_t *out)
{
    uint64_t u;

    if (v->array)
        return 0;
    switch (v->type) {
    case GGUF_U8:
        *out = v->p[0];
        return 1;
    case GGUF_I8:
        *out = (int8_t)v->p[0];
        return 1;
    case GGUF_U16:
        *out = (int64_t)bits_at(v->p, 2);
        return 1;
    case GGUF_I16:
        *out = (int16_t)bits_at(v->p, 2);
        return 1;
    case GGUF_U32:
        *out = (int64_t)bits_at(v->p, 4);
        return 1;
    case GGUF_I32:
        *out = (int32_t)bits_at(v->p, 4);
        return 1;
    case GGUF_U64:
        u = bits_at(v->p, 8);
        *out = u > INT64_MAX ? INT64_MAX : (int64_t)u;
        return 1;
    case GGUF_I64:
        *out = (int64_t)bits_at(v->p, 8);
        return 1;
    default:
        return 0;
    }
}

int gguf_int(const struct gguf *g, const char *key, int64_t *out, int64_t min, int64_t max)
{
    const struct gguf_value *v = gguf_find(g, key);
    int64_t got;

    if (!v)
        return 0;
    if (!integer_of(v, &got))
        return is_not(key, "an integer");
    if (got < min || got > max)
        return err_set(EXIT_DATA, "'%s' is %lld, not from %lld to %lld", key, (long long)got,
                       (long long)min, (long long)max);
    *out = got;
    return 1;
}

int gguf_float(const struct gguf *g, const char *key, float *out)
{
    const struct gguf_value *v = gguf_find(g, key);
    double wide;

    if (!v)
        return 0;
    if (v->array || (v->type != GGUF_F32 && v->type != GGUF_F64))
        return is_not(key, "a floating-point number");
    if (v->type == GGUF_F32) {
        *out = gguf_f32_at(v, 0);
    } else {
        const uint64_t bits = bits_at(v->p, 8);

        memcpy(&wide, &bits, sizeof wide);
        *out = (float)wide;
    }
    return isfinite(*out) ? 1 : is_not(key, "a finite number");
}

int gguf_bool(const struct gguf *g, const char *key, bool *out)
{
    const struct gguf_value *v = gguf_find(g, key);

    if (!v)
        return 0;
    if (v->array || v->type != GGUF_BOOL)
        return is_not(key, "a truth value");
    *out = v->p[0];
    return 1;
}

int gguf_text(const struct gguf *g, const char *key, const char **text, size_t *n)
{
    const struct gguf_value *v = gguf_find(g, key);

    if (!v)
        return 0;
    if (v->array || v->type != GGUF_TEXT)
        return is_not(key, "a text");
    (void)gguf_take_text(v->p, text, n);
    return 1;
}

int gguf_array(const struct gguf *g, const char *key, enum gguf_type type,
               const struct gguf_value **out)
{
    const struct gguf_value *v = *out = gguf_find(g, key);

    if (!v)
        return 0;
    return v->array && v->type == type ? 1 : is_not(key, "an array of the usual type");
}
