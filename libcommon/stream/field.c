#include "field.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "typed arrays are kept in the byte order of the stream, which is little-endian"
#endif

/* RFC 8746; big-endian and rarer ones pass as FIELD_OTHER. */
static const struct {
    uint64_t tag;
    size_t size; /* bytes of an element */
} arrays[] = {
    [FIELD_U8] = { 64, 1 },  [FIELD_U16] = { 69, 2 }, [FIELD_U32] = { 70, 4 },
    [FIELD_U64] = { 71, 8 }, [FIELD_I32] = { 78, 4 }, [FIELD_I64] = { 79, 8 },
    [FIELD_F32] = { 85, 4 }, [FIELD_F64] = { 86, 8 },
};

const char *field_type_name(enum field_type t)
{
    static const char *const name[] = {
        "an unsigned integer",
        "a negative integer",
        "a float",
        "a text",
        "bytes",
        "true or false",
        "null",
        "a uint8 array",
        "a uint16 array",
        "a uint32 array",
        "a uint64 array",
        "an int32 array",
        "an int64 array",
        "a float32 array",
        "a float64 array",
        "a value of another type",
    };

    return name[t];
}

uint64_t field_array_tag(enum field_type t, size_t *size)
{
    *size = arrays[t].size;
    return arrays[t].tag;
}

/* What TAG is around: a typed array, or something else. */
static int read_tagged(struct field *f, const struct item *tag)
{
    enum field_type t = FIELD_U8;
    struct item bytes;

    while (t < FIELD_OTHER && arrays[t].tag != tag->u)
        t++;
    f->type = t;
    if (t == FIELD_OTHER)
        return 0;
    if (item_head(&bytes, f->raw + tag->len, f->raw_len - tag->len) != 1 ||
        bytes.kind != ITEM_BYTES || bytes.n % arrays[t].size)
        return err_set(EXIT_DATA, "%s must be a byte string of whole elements", field_type_name(t));
    f->data = bytes.data;
    f->n = bytes.n / arrays[t].size;
    return 0;
}

int field_read(struct field *f, const struct item *first, const uint8_t *p, size_t len)
{
    static const enum field_type types[] = {
        [ITEM_UINT] = FIELD_UINT, [ITEM_NEGINT] = FIELD_NEGINT,   [ITEM_BYTES] = FIELD_BYTES,
        [ITEM_TEXT] = FIELD_TEXT, [ITEM_ARRAY] = FIELD_OTHER,     [ITEM_MAP] = FIELD_OTHER,
        [ITEM_TAG] = FIELD_OTHER, [ITEM_FLOAT] = FIELD_FLOAT,     [ITEM_BOOL] = FIELD_BOOL,
        [ITEM_NULL] = FIELD_NULL, [ITEM_UNDEFINED] = FIELD_OTHER,
    };

    f->type = types[first->kind];
    f->u = first->u;
    f->f = first->f;
    f->data = first->data;
    f->n = first->n;
    f->raw = p;
    f->raw_len = len;
    return first->kind == ITEM_TAG ? read_tagged(f, first) : 0;
}

void field_ids(const struct field *f, uint32_t *out)
{
    const uint8_t *p = f->data;

    if (f->type == FIELD_U32 && f->n)
        memcpy(out, p, f->n * sizeof *out);
    else if (f->type == FIELD_U16)
        for (size_t i = 0; i < f->n; i++)
            out[i] = p[2 * i] | (uint32_t)p[2 * i + 1] << 8;
    else
        for (size_t i = 0; i < f->n; i++)
            out[i] = p[i];
}
