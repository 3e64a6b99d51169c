#include "gguf.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t gguf_bits_at(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

int32_t gguf_i32_at(const struct gguf_value *v, uint64_t i)
{
    return (int32_t)gguf_bits_at(v->p + 4 * i, 4);
}

float gguf_f32_at(const struct gguf_value *v, uint64_t i)
{
    const uint32_t bits = (uint32_t)gguf_bits_at(v->p + 4 * i, 4);
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
    static const int8_t bytes_of[GGUF_TYPES] = {
        /* below 0: of signed ones */
        [GGUF_U8] = 1,  [GGUF_U16] = 2,  [GGUF_U32] = 4,  [GGUF_U64] = 8,
        [GGUF_I8] = -1, [GGUF_I16] = -2, [GGUF_I32] = -4, [GGUF_I64] = -8,
    };
    const int bytes = bytes_of[v->type], spare = 64 - 8 * abs(bytes);

    if (v->array || !bytes)
        return 0;
    const uint64_t u = gguf_bits_at(v->p, (size_t)abs(bytes));

    if (bytes < 0)
        *out = (int64_t)(u << spare) >> spare;
    else
        *out = u > INT64_MAX ? INT64_MAX : (int64_t)u;
    return 1;
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
        const uint64_t bits = gguf_bits_at(v->p, 8);

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
