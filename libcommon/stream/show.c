#include "show.h"

#include "json.h"

#include <string.h>

static void show_base64(struct buf *b, const uint8_t *p, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    buf_putc(b, '"');
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t three = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 |
                               (uint32_t)(i + 2 < n ? p[i + 2] : 0);
        const char four[] = { digit[three >> 18], digit[three >> 12 & 63],
                              i + 1 < n ? digit[three >> 6 & 63] : '=',
                              i + 2 < n ? digit[three & 63] : '=' };

        buf_add(b, four, sizeof four);
    }
    buf_putc(b, '"');
}

/* -1 - U, which may be below any int64_t. */
static void show_negative(struct buf *b, uint64_t u)
{
    if (u == UINT64_MAX)
        buf_puts(b, "-18446744073709551616");
    else
        buf_printf(b, "-%llu", (unsigned long long)u + 1);
}

/* The element of a typed array at P, which has SIZE bytes. */
static void show_element(struct buf *b, enum item_kind type, const uint8_t *p, size_t size)
{
    union {
        uint64_t u;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
    } v = { 0 };

    memcpy(&v, p, size);
    switch (type) {
    case ITEM_I32:
        buf_printf(b, "%ld", (long)v.i32);
        break;
    case ITEM_I64:
        buf_printf(b, "%lld", (long long)v.i64);
        break;
    case ITEM_F32:
        json_put_float(b, v.f32);
        break;
    case ITEM_F64:
        json_put_double(b, v.f64);
        break;
    default:
        buf_printf(b, "%llu", (unsigned long long)v.u);
    }
}

static void show_typed_array(struct buf *b, const struct field *f)
{
    const uint8_t *p = f->data;
    const size_t size = f->n ? (size_t)(f->raw + f->raw_len - p) / f->n : 0;

    buf_putc(b, '[');
    for (size_t i = 0; i < f->n; i++, p += size) {
        if (i)
            buf_puts(b, ", ");
        show_element(b, f->type, p, size);
    }
    buf_putc(b, ']');
}

static void show_next(struct buf *b, struct items *s);

/* A JSON key is a text: any other value becomes the text of its JSON. */
static void show_key(struct buf *b, struct items *s)
{
    struct buf key = BUF_INIT;

    show_next(&key, s);
    if (key.p[0] == '"')
        buf_add(b, key.p, key.n);
    else
        json_put_text(b, key.p, key.n);
    buf_free(&key);
}

/* The array or map IT, whose items S begins with. */
static void show_inside(struct buf *b, struct items *s, const struct item *it)
{
    const bool map = it->kind == ITEM_MAP;

    buf_putc(b, map ? '{' : '[');
    for (uint64_t i = 0; i < it->u; i++) {
        if (i)
            buf_puts(b, ", ");
        if (map) {
            show_key(b, s);
            buf_puts(b, ": ");
        }
        show_next(b, s);
    }
    buf_putc(b, map ? '}' : ']');
}

static void show_next(struct buf *b, struct items *s)
{
    struct item it;

    if (item_head(&it, s->p, (size_t)(s->end - s->p)) != 1)
        die_err(); /* the reader has checked it: cannot be */
    s->p += it.len;
    switch (it.kind) {
    case ITEM_UINT:
        buf_printf(b, "%llu", (unsigned long long)it.u);
        break;
    case ITEM_NEGINT:
        show_negative(b, it.u);
        break;
    case ITEM_FLOAT:
        json_put_double(b, it.f);
        break;
    case ITEM_TEXT:
        json_put_text(b, (const char *)it.data, it.n);
        break;
    case ITEM_BYTES:
        show_base64(b, it.data, it.n);
        break;
    case ITEM_ARRAY:
    case ITEM_MAP:
        show_inside(b, s, &it);
        break;
    case ITEM_TAG:
        show_next(b, s);
        break;
    case ITEM_BOOL:
        buf_puts(b, it.u ? "true" : "false");
        break;
    default:
        buf_puts(b, "null");
    }
}

void show_item(struct buf *b, const uint8_t *p, size_t n)
{
    struct items s = { p, p + n };

    show_next(b, &s);
}

void show_field(struct buf *b, const struct field *f)
{
    if (f->type >= ITEM_U8)
        show_typed_array(b, f);
    else
        show_item(b, f->raw, f->raw_len);
}

void show_record(struct buf *b, const struct record *r)
{
    buf_putc(b, '{');
    for (int i = 0; i < record_count(r); i++) {
        const struct field *f = record_at(r, i);

        if (i)
            buf_puts(b, ", ");
        json_put_text(b, f->key, f->key_len);
        buf_puts(b, ": ");
        show_field(b, f);
    }
    buf_putc(b, '}');
}
