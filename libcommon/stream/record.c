#include "record_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "typed arrays are kept in the byte order of the stream, which is little-endian"
#endif

void record_add_block(struct record *r, size_t bytes)
{
    const size_t size = bytes > 4096 ? bytes : 4096;
    struct block *b = xmalloc(sizeof *b + size);

    *b = (struct block){ .next = r->arena, .size = size };
    r->arena = b;
}

/* After a few records one block holds what a record needs, and nothing is allocated any more. */
static void arena_clear(struct record *r)
{
    size_t all = 0;

    if (r->arena && !r->arena->next) {
        r->arena->used = 0;
        return;
    }
    for (struct block *b = r->arena, *next; b; b = next) {
        next = b->next;
        all += b->size;
        free(b);
    }
    r->arena = NULL;
    if (all) {
        (void)record_take(r, all);
        r->arena->used = 0;
    }
}

struct record *record_new(void)
{
    struct record *r = xcalloc(1, sizeof *r);

    record_clear(r);
    return r;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    for (struct block *b = r->arena, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(r->field);
    buf_free(&r->encoded);
    buf_free(&r->value);
    free(r);
}

void record_clear(struct record *r)
{
    r->n = 0;
    r->sorted = true;
    r->position = -1;
    arena_clear(r);
}

int record_count(const struct record *r)
{
    return r->n;
}

const struct field *record_at(const struct record *r, int i)
{
    assert(i >= 0 && i < r->n);
    return &r->field[i];
}

/* ---- order and search ---- */

static int field_order(const void *a, const void *b)
{
    const struct field *x = a, *y = b;

    return record_key_order(x->key, x->key_len, y->key, y->key_len);
}

struct field *record_lookup(const struct record *r, const char *key, size_t n)
{
    for (int i = 0; i < r->n; i++)
        if (r->field[i].key_len == n && !memcmp(r->field[i].key, key, n))
            return &r->field[i];
    return NULL;
}

const struct field *record_find(const struct record *r, const char *key)
{
    return record_lookup(r, key, strlen(key));
}

void record_put_in_order(struct record *r)
{
    if (r->n)
        qsort(r->field, (size_t)r->n, sizeof *r->field, field_order);
    r->sorted = true;
}

void record_add_room(struct record *r)
{
    r->cap = r->cap ? 2 * r->cap : 16;
    r->field = xnrealloc(r->field, (size_t)r->cap, sizeof *r->field);
}

/* ---- reading ---- */

/* RFC 8746: tag, our type, bytes of one element. Big-endian and rarer ones pass as FIELD_OTHER. */
static const struct typed {
    uint64_t tag;
    enum field_type type;
    size_t size;
} typed_arrays[] = {
    { 64, FIELD_U8, 1 },  { 69, FIELD_U16, 2 }, { 70, FIELD_U32, 4 }, { 71, FIELD_U64, 8 },
    { 78, FIELD_I32, 4 }, { 79, FIELD_I64, 8 }, { 85, FIELD_F32, 4 }, { 86, FIELD_F64, 8 },
};

static const char *type_name(enum field_type t)
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

/* A typed array whose tag is FIRST, in the LEN bytes at P; 0 when it is none that we know. */
static int typed_array(struct field *f, const struct item *first, const uint8_t *p, size_t len)
{
    struct item bytes;

    for (size_t i = 0; i < sizeof typed_arrays / sizeof *typed_arrays; i++) {
        const struct typed *t = &typed_arrays[i];

        if (t->tag != first->u)
            continue;
        if (item_head(&bytes, p + first->len, len - first->len) != 1 || bytes.kind != ITEM_BYTES ||
            bytes.n % t->size)
            return err_set(EXIT_DATA, "%s must be a byte string of whole elements",
                           type_name(t->type));
        f->type = t->type;
        f->data = bytes.data;
        f->n = bytes.n / t->size;
        return 1;
    }
    return 0;
}

int record_classify(struct field *f, const struct item *first, const uint8_t *p, size_t len)
{
    f->raw = p;
    f->raw_len = len;
    f->u = first->u;
    f->data = first->data;
    f->n = first->n;
    switch (first->kind) {
    case ITEM_UINT:
        f->type = FIELD_UINT;
        break;
    case ITEM_NEGINT:
        f->type = FIELD_NEGINT;
        break;
    case ITEM_FLOAT:
        f->type = FIELD_FLOAT;
        f->f = first->f;
        break;
    case ITEM_TEXT:
        f->type = FIELD_TEXT;
        break;
    case ITEM_BYTES:
        f->type = FIELD_BYTES;
        break;
    case ITEM_BOOL:
        f->type = FIELD_BOOL;
        break;
    case ITEM_NULL:
        f->type = FIELD_NULL;
        break;
    default:
        f->type = FIELD_OTHER;
        return first->kind == ITEM_TAG ? typed_array(f, first, p, len) : 0;
    }
    return 0;
}

/* Whether deterministic encoding gives the bytes of this text. */
static bool has_shortest_head(const struct item *text)
{
    const size_t head = text->len - text->n;
    uint8_t shortest[ITEM_HEAD_MAX];

    return head == 1 || item_write_head(shortest, ITEM_TEXT, text->n) == head;
}

/* Key and value at P go into the next free field. Results as record_parse. */
static int parse_field(struct record *r, const uint8_t *p, size_t n, size_t *len)
{
    struct field *f = &r->field[r->n];
    struct item key, value;
    size_t value_len = 0;
    int rc = item_head(&key, p, n);

    if (rc <= 0)
        return rc;
    if (key.kind != ITEM_TEXT || !key.n)
        return err_set(EXIT_DATA, "a field's name is %s; it must be a text that is not empty",
                       key.kind == ITEM_TEXT ? "empty" : item_kind_name(key.kind));
    f->key = (const char *)key.data;
    f->key_len = key.n;
    f->pair = has_shortest_head(&key) ? p : NULL;
    rc = item_whole(&value, &value_len, p + key.len, n - key.len);
    if (rc > 0 && record_classify(f, &value, p + key.len, value_len) < 0)
        rc = -1;
    if (rc < 0)
        return err_in("field '%.*s'", (int)(key.n < 80 ? key.n : 80), f->key);
    *len = key.len + value_len;
    return rc;
}

/* Notes whether the fields are in order, and finds a name that is there twice. */
static int check_last(struct record *r)
{
    const struct field *last = &r->field[r->n];

    if (r->n && field_order(last - 1, last) >= 0)
        r->sorted = false;
    if (!r->sorted && record_lookup(r, last->key, last->key_len))
        return err_set(EXIT_DATA, "field '%.*s' is there twice",
                       (int)(last->key_len < 80 ? last->key_len : 80), last->key);
    r->n++;
    return 0;
}

int record_parse(struct record *r, const uint8_t *p, size_t n, size_t *len, int64_t position)
{
    struct item map;
    int rc = item_head(&map, p, n);

    record_clear(r);
    r->position = position;
    if (rc <= 0)
        return rc;
    if (map.kind != ITEM_MAP)
        return err_set(EXIT_DATA, "%s where a record should be", item_kind_name(map.kind));
    if (map.u > RECORD_FIELDS_MAX)
        return err_set(EXIT_DATA, "a record with more than %d fields", RECORD_FIELDS_MAX);
    *len = map.len;
    for (uint64_t i = 0; i < map.u; i++) {
        size_t field_len = 0;

        record_make_room(r);
        rc = parse_field(r, p + *len, n - *len, &field_len);
        if (rc <= 0)
            return rc;
        if (check_last(r) < 0)
            return -1;
        *len += field_len;
    }
    return 1;
}

/* 1 and the field, 0 when it is not there. */
static int wanted(const struct record *r, const char *key, const struct field **f)
{
    *f = record_find(r, key);
    return *f != NULL;
}

static int wrong_type(const struct field *f, const char *want)
{
    return err_set(EXIT_DATA, "field '%.*s' is %s; it should be %s",
                   (int)(f->key_len < 80 ? f->key_len : 80), f->key, type_name(f->type), want);
}

int record_get_text(struct record *r, const char *key, const char **text, size_t *n)
{
    const struct field *f;

    if (!wanted(r, key, &f))
        return 0;
    if (f->type != FIELD_TEXT)
        return wrong_type(f, "a text");
    *text = f->data;
    *n = f->n;
    return 1;
}

int record_get_uint(struct record *r, const char *key, uint64_t *value)
{
    const struct field *f;

    if (!wanted(r, key, &f))
        return 0;
    if (f->type != FIELD_UINT)
        return wrong_type(f, "an unsigned integer");
    *value = f->u;
    return 1;
}

int record_get_float(struct record *r, const char *key, double *value)
{
    const struct field *f;

    if (!wanted(r, key, &f))
        return 0;
    if (f->type == FIELD_FLOAT)
        *value = f->f;
    else if (f->type == FIELD_UINT)
        *value = (double)f->u;
    else if (f->type == FIELD_NEGINT)
        *value = -1.0 - (double)f->u;
    else
        return wrong_type(f, "a number");
    return 1;
}

int record_get_ids(struct record *r, const char *key, const uint32_t **ids, size_t *n)
{
    const struct field *f;

    if (!wanted(r, key, &f))
        return 0;
    if (f->type != FIELD_U8 && f->type != FIELD_U16 && f->type != FIELD_U32)
        return wrong_type(f, "a uint8, uint16 or uint32 array");
    uint32_t *out = record_take(r, f->n * sizeof *out);
    const uint8_t *p = f->data;

    if (f->type == FIELD_U32 && f->n)
        memcpy(out, p, f->n * sizeof *out);
    else if (f->type == FIELD_U16)
        for (size_t i = 0; i < f->n; i++)
            out[i] = p[2 * i] | (uint32_t)p[2 * i + 1] << 8;
    else if (f->type == FIELD_U8)
        for (size_t i = 0; i < f->n; i++)
            out[i] = p[i];
    *ids = out;
    *n = f->n;
    return 1;
}

int record_get_f32(struct record *r, const char *key, const float **v, size_t *n)
{
    const struct field *f;

    if (!wanted(r, key, &f))
        return 0;
    if (f->type != FIELD_F32)
        return wrong_type(f, "a float32 array");
    float *out = record_take(r, f->n * sizeof *out);

    if (f->n)
        memcpy(out, f->data, f->n * sizeof *out);
    *v = out;
    *n = f->n;
    return 1;
}

const char *record_name(struct record *r)
{
    const struct field *id = record_find(r, "id");

    if (id && id->type == FIELD_UINT)
        (void)snprintf(r->name, sizeof r->name, "%llu", (unsigned long long)id->u);
    else
        (void)snprintf(r->name, sizeof r->name, "#%lld", (long long)r->position);
    return r->name;
}
