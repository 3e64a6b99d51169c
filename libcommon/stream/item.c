#include "item.h"

#include "dtype.h"
#include "utf8.h"

#include <assert.h>
#include <cbor.h>
#include <math.h>
#include <string.h>

/* ---- decoding: libcbor calls one of these for each item ---- */

static void on_uint8(void *it, uint8_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_UINT, .u = v };
}

static void on_uint16(void *it, uint16_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_UINT, .u = v };
}

static void on_uint32(void *it, uint32_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_UINT, .u = v };
}

static void on_uint64(void *it, uint64_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_UINT, .u = v };
}

static void on_negint8(void *it, uint8_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_NEGINT, .u = v };
}

static void on_negint16(void *it, uint16_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_NEGINT, .u = v };
}

static void on_negint32(void *it, uint32_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_NEGINT, .u = v };
}

static void on_negint64(void *it, uint64_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_NEGINT, .u = v };
}

static void on_bytes(void *it, cbor_data p, size_t n)
{
    *(struct item *)it = (struct item){ .kind = ITEM_BYTES, .data = p, .n = n };
}

static void on_text(void *it, cbor_data p, size_t n)
{
    *(struct item *)it = (struct item){ .kind = ITEM_TEXT, .data = p, .n = n };
}

static void on_array(void *it, size_t n)
{
    *(struct item *)it = (struct item){ .kind = ITEM_ARRAY, .u = n };
}

static void on_map(void *it, size_t n)
{
    *(struct item *)it = (struct item){ .kind = ITEM_MAP, .u = n };
}

static void on_tag(void *it, uint64_t v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_TAG, .u = v };
}

static void on_float(void *it, float v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_FLOAT, .f = v };
}

static void on_double(void *it, double v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_FLOAT, .f = v };
}

static void on_bool(void *it, bool v)
{
    *(struct item *)it = (struct item){ .kind = ITEM_BOOL, .u = v };
}

static void on_null(void *it)
{
    *(struct item *)it = (struct item){ .kind = ITEM_NULL };
}

static void on_undefined(void *it)
{
    *(struct item *)it = (struct item){ .kind = ITEM_UNDEFINED };
}

static void on_indefinite(void *it)
{
    *(struct item *)it = (struct item){ .kind = ITEM_BAD };
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_indefinite,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_indefinite,
    .indef_array_start = on_indefinite,
    .array_start = on_array,
    .indef_map_start = on_indefinite,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_undefined,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_indefinite,
};

static int too_large(void)
{
    return err_set(EXIT_DATA, "a value is larger than %d MiB", ITEM_BYTES_MAX >> 20);
}

int item_head(struct item *it, const uint8_t *p, size_t n)
{
    if (!n)
        return 0;
    const struct cbor_decoder_result got = cbor_stream_decode(p, n, &callbacks, it);

    if (got.status == CBOR_DECODER_NEDATA) {
        /* a length near 2^64 wraps around: the bytes that are wanted are never fewer than are here
         */
        if (got.required > ITEM_BYTES_MAX || got.required <= n)
            return too_large();
        return 0;
    }
    if (got.status != CBOR_DECODER_FINISHED)
        return err_set(EXIT_DATA, "byte 0x%02x begins no CBOR item that is allowed", p[0]);
    if (it->kind == ITEM_BAD)
        return err_set(EXIT_DATA,
                       "an indefinite length (byte 0x%02x); only definite lengths are allowed",
                       p[0]);
    if (it->kind == ITEM_TEXT && utf8_valid((const char *)it->data, it->n) != it->n)
        return err_set(EXIT_DATA, "a text is not valid UTF-8");
    /* an element takes a byte at least */
    if ((it->kind == ITEM_ARRAY || it->kind == ITEM_MAP) && it->u > ITEM_BYTES_MAX)
        return too_large();
    it->len = got.read;
    return 1;
}

/* How many items are inside IT. */
static uint64_t inside(const struct item *it)
{
    switch (it->kind) {
    case ITEM_ARRAY:
        return it->u;
    case ITEM_MAP:
        return 2 * it->u;
    case ITEM_TAG:
        return 1;
    default:
        return 0;
    }
}

/* Passes over what is inside the array, map or tag OUTER, whose head ends at *LEN. */
static int skip_inside(const struct item *outer, size_t *len, const uint8_t *p, size_t n)
{
    uint64_t left[ITEM_DEPTH_MAX + 1]; /* items to come at each depth */
    struct item it = *outer;
    int depth = 0;

    left[0] = 0;
    for (;;) {
        if (inside(&it)) {
            if (++depth > ITEM_DEPTH_MAX)
                return err_set(EXIT_DATA, "values are nested more than %d deep", ITEM_DEPTH_MAX);
            left[depth] = inside(&it);
        }
        while (depth > 0 && !left[depth])
            depth--;
        if (!depth)
            return 1;
        const int rc = item_head(&it, p + *len, n - *len);

        if (rc <= 0)
            return rc;
        *len += it.len;
        left[depth]--;
    }
}

int item_whole(struct item *first, size_t *len, const uint8_t *p, size_t n)
{
    const int rc = item_head(first, p, n);

    if (rc <= 0)
        return rc;
    *len = first->len;
    return inside(first) ? skip_inside(first, len, p, n) : 1;
}

const char *item_kind_name(enum item_kind kind)
{
    static const char *const name[] = {
        "an unsigned integer",
        "a negative integer",
        "a float",
        "a text",
        "a byte string",
        "an array",
        "a map",
        "a tagged value",
        "true or false",
        "null",
        "undefined",
        "an indefinite length",
    };

    return name[kind];
}

int items_next(struct items *s, struct item *it, enum item_kind kind, const char *what)
{
    const int rc = item_head(it, s->p, (size_t)(s->end - s->p));

    if (rc < 0)
        return -1;
    if (!rc)
        return err_set(EXIT_DATA, "%s is cut short", what);
    if (it->kind != kind)
        return err_set(EXIT_DATA, "%s is %s, not %s", what, item_kind_name(it->kind),
                       item_kind_name(kind));
    s->p += it->len;
    return 0;
}

int items_skip(struct items *s, const uint8_t **raw, size_t *n)
{
    struct item first;
    size_t len;
    const int rc = item_whole(&first, &len, s->p, (size_t)(s->end - s->p));

    if (rc < 0)
        return -1;
    if (!rc)
        return err_set(EXIT_DATA, "a value is cut short");
    if (raw) {
        *raw = s->p;
        *n = len;
    }
    s->p += len;
    return 0;
}

/* ---- encoding ---- */

/* Most heads are one byte: this is a fifth of the time that libcbor takes for it. */
size_t item_write_long_head(uint8_t *to, enum item_kind kind, uint64_t u)
{
    assert(kind == ITEM_UINT || kind == ITEM_TEXT || kind == ITEM_MAP);
    if (kind == ITEM_UINT)
        return cbor_encode_uint(u, to, ITEM_HEAD_MAX);
    return kind == ITEM_TEXT ? cbor_encode_string_start(u, to, ITEM_HEAD_MAX)
                             : cbor_encode_map_start(u, to, ITEM_HEAD_MAX);
}

/* Room for one head at the end of B. */
static unsigned char *room(struct buf *b)
{
    buf_reserve(b, ITEM_HEAD_MAX);
    return (unsigned char *)b->p + b->n;
}

static void wrote(struct buf *b, size_t n)
{
    b->n += n;
    b->p[b->n] = 0;
}

void item_put_uint(struct buf *b, uint64_t u)
{
    wrote(b, item_write_head(room(b), ITEM_UINT, u));
}

void item_put_negint(struct buf *b, uint64_t u)
{
    wrote(b, cbor_encode_negint(u, room(b), ITEM_HEAD_MAX));
}

void item_put_text(struct buf *b, const char *text, size_t n)
{
    wrote(b, item_write_head(room(b), ITEM_TEXT, n));
    buf_add(b, text, n);
}

void item_put_key(struct buf *b, const char *key)
{
    item_put_text(b, key, strlen(key));
}

uint8_t *item_put_bytes_room(struct buf *b, size_t n)
{
    wrote(b, cbor_encode_bytestring_start(n, room(b), ITEM_HEAD_MAX));
    buf_reserve(b, n);
    uint8_t *to = (uint8_t *)b->p + b->n;

    wrote(b, n);
    return to;
}

void item_put_bytes(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *to = item_put_bytes_room(b, n);

    if (n)
        memcpy(to, bytes, n);
}

void item_put_array(struct buf *b, uint64_t n)
{
    wrote(b, cbor_encode_array_start(n, room(b), ITEM_HEAD_MAX));
}

void item_put_map(struct buf *b, uint64_t n)
{
    wrote(b, item_write_head(room(b), ITEM_MAP, n));
}

void item_put_tag(struct buf *b, uint64_t tag)
{
    wrote(b, cbor_encode_tag(tag, room(b), ITEM_HEAD_MAX));
}

void item_put_bool(struct buf *b, bool v)
{
    wrote(b, cbor_encode_bool(v, room(b), ITEM_HEAD_MAX));
}

void item_put_null(struct buf *b)
{
    wrote(b, cbor_encode_null(room(b), ITEM_HEAD_MAX));
}

/* F as a half-precision float when that keeps its value, else 0 bytes. libcbor's encoder cuts what
 * does not fit and flattens subnormals, so the one is checked and the other done here. */
static size_t put_half(float f, unsigned char *to)
{
    const float steps = fabsf(f) * 0x1p24f; /* subnormal halves are multiples of 2^-24 */

    if (steps < 1024 && steps == (float)(int)steps) {
        to[0] = 0xf9;
        to[1] = (unsigned char)((signbit(f) ? 0x80 : 0) | (int)steps >> 8);
        to[2] = (unsigned char)((int)steps & 0xff);
        return 3;
    }
    const size_t n = cbor_encode_half(f, to, ITEM_HEAD_MAX);

    return f32_of_f16((uint16_t)(to[1] << 8 | to[2])) == f ? n : 0;
}

void item_put_double(struct buf *b, double v)
{
    static const unsigned char nan[] = { 0xf9, 0x7e, 0x00 };
    unsigned char *to = room(b);
    const float f = (float)v;
    size_t n = 0;

    if (isnan(v)) {
        buf_add(b, nan, sizeof nan);
        return;
    }
    if ((double)f == v)
        n = put_half(f, to);
    if (!n)
        n = (double)f == v ? cbor_encode_single(f, to, ITEM_HEAD_MAX)
                           : cbor_encode_double(v, to, ITEM_HEAD_MAX);
    wrote(b, n);
}
