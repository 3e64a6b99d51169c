#include "item.h"

#include "dtype.h"
#include "utf8.h"

#include <math.h>
#include <string.h>

/* ---- decoding ---- */

static int too_large(void)
{
    return err_set(EXIT_DATA, "a value is larger than %d MiB", ITEM_BYTES_MAX >> 20);
}

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t u = 0;

    for (size_t i = 0; i < n; i++)
        u = u << 8 | p[i];
    return u;
}

/* A float, or a simple value, by the low bits of its first byte. */
static void float_or_simple(struct item *it, unsigned low)
{
    const uint32_t bits = (uint32_t)it->u;
    float f;

    switch (low) {
    case 25:
        it->f = f32_of_f16((uint16_t)bits);
        break;
    case 26:
        memcpy(&f, &bits, sizeof f);
        it->f = f;
        break;
    case 27:
        memcpy(&it->f, &it->u, sizeof it->f);
        break;
    case 22:
        it->kind = ITEM_NULL;
        break;
    case 23:
        it->kind = ITEM_UNDEFINED;
        break;
    default:
        it->kind = ITEM_BOOL;
        it->u = low == 21;
    }
}

/* The text or bytes of IT, whose head is the first of N bytes. Results as item_head. */
static int content(struct item *it, size_t n)
{
    if (it->u > n - it->len)
        return it->u > ITEM_BYTES_MAX - it->len ? too_large() : 0;
    it->n = (size_t)it->u;
    it->len += it->n;
    if (it->kind == ITEM_TEXT && utf8_valid((const char *)it->data, it->n) != it->n)
        return err_set(EXIT_DATA, "a text is not valid UTF-8");
    return 1;
}

int item_head(struct item *it, const uint8_t *p, size_t n)
{
    if (!n)
        return 0;
    const enum item_kind major = p[0] >> 5;
    const unsigned low = p[0] & 31;
    const size_t more = low < 24 ? 0 : (size_t)1 << (low - 24); /* bytes that hold the number */

    if (low == 31 && major >= ITEM_BYTES && major != ITEM_TAG)
        return err_set(EXIT_DATA,
                       "an indefinite length (byte 0x%02x); only definite lengths are allowed",
                       p[0]);
    if (low >= 28 || (major == ITEM_FLOAT && (low < 20 || low == 24)))
        return err_set(EXIT_DATA, "byte 0x%02x begins no CBOR item that is allowed", p[0]);
    if (n <= more)
        return 0;
    *it = (struct item){ .kind = major, .len = 1 + more, .data = p + 1 + more };
    it->u = more ? big_endian(p + 1, more) : low;
    if (major == ITEM_FLOAT)
        float_or_simple(it, low);
    if (major == ITEM_BYTES || major == ITEM_TEXT)
        return content(it, n);
    /* an element takes a byte at least */
    if ((major == ITEM_ARRAY || major == ITEM_MAP) && it->u > ITEM_BYTES_MAX)
        return too_large();
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
        "a byte string",
        "a text",
        "an array",
        "a map",
        "a tagged value",
        "a float",
        "true or false",
        "null",
        "undefined",
        "a uint8 array",
        "a uint16 array",
        "a uint32 array",
        "a uint64 array",
        "an int32 array",
        "an int64 array",
        "a float32 array",
        "a float64 array",
    };

    return name[kind];
}

int items_next(struct items *s, struct item *it, enum item_kind kind)
{
    const int rc = item_head(it, s->p, (size_t)(s->end - s->p));

    if (rc < 0)
        return -1;
    if (!rc)
        return err_set(EXIT_DATA, "is cut short");
    if (it->kind != kind)
        return err_set(EXIT_DATA, "is %s, not %s", item_kind_name(it->kind), item_kind_name(kind));
    s->p += it->len;
    return 0;
}

/* ---- encoding ---- */

static size_t write_big_endian(uint8_t *to, uint64_t u, size_t n)
{
    for (size_t i = n; i-- > 0; u >>= 8)
        to[i] = (uint8_t)u;
    return n;
}

size_t item_write_long_head(uint8_t *to, enum item_kind kind, uint64_t u)
{
    const unsigned log2 = u > UINT32_MAX ? 3 : u > UINT16_MAX ? 2 : u > UINT8_MAX ? 1 : 0;

    *to = (uint8_t)((unsigned)kind << 5 | (24 + log2));
    return 1 + write_big_endian(to + 1, u, (size_t)1 << log2);
}

size_t item_write_double(uint8_t *to, double v)
{
    const float f = (float)v;
    const uint16_t half = isnan(v) ? 0x7e00 : f16_of_f32(f);
    uint32_t single;
    uint64_t bits;

    memcpy(&single, &f, sizeof single);
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v) || (double)f32_of_f16(half) == v) {
        *to = 0xf9;
        return 1 + write_big_endian(to + 1, half, sizeof half);
    }
    if ((double)f == v) {
        *to = 0xfa;
        return 1 + write_big_endian(to + 1, single, sizeof single);
    }
    *to = 0xfb;
    return 1 + write_big_endian(to + 1, bits, sizeof bits);
}

void item_put(struct buf *b, enum item_kind kind, uint64_t u)
{
    buf_reserve(b, ITEM_HEAD_MAX);
    b->n += item_write_head((uint8_t *)b->p + b->n, kind, u);
    b->p[b->n] = 0;
}

void item_put_text(struct buf *b, const char *text, size_t n)
{
    item_put(b, ITEM_TEXT, n);
    buf_add(b, text, n);
}

void item_put_key(struct buf *b, const char *key)
{
    item_put_text(b, key, strlen(key));
}

void item_put_pair(struct buf *b, const char *key, const char *text)
{
    item_put_key(b, key);
    item_put_key(b, text);
}

void item_put_bytes(struct buf *b, const void *bytes, size_t n)
{
    item_put(b, ITEM_BYTES, n);
    buf_add(b, bytes, n);
}

void item_put_bool(struct buf *b, bool v)
{
    buf_putc(b, (char)(v ? 0xf5 : 0xf4));
}

void item_put_null(struct buf *b)
{
    buf_putc(b, (char)0xf6);
}

void item_put_double(struct buf *b, double v)
{
    uint8_t item[ITEM_HEAD_MAX];

    buf_add(b, item, item_write_double(item, v));
}
