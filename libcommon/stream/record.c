#include "record.h"

#include "arena.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "typed arrays are kept in the byte order of the stream, which is little-endian"
#endif

struct record {
    struct field *field;
    int n, cap;
    bool sorted; /* keys are in deterministic order */
    int64_t position;
    struct arena arena;
    char name[24];
};

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
    arena_free(&r->arena);
    free(r->field);
    free(r);
}

void record_clear(struct record *r)
{
    r->n = 0;
    r->sorted = true;
    r->position = -1;
    arena_clear(&r->arena);
}

size_t record_copy(struct record *to, const struct record *from)
{
    size_t bytes = 0;

    record_clear(to);
    to->position = from->position;
    for (int i = 0; i < from->n; i++) {
        const struct field *f = &from->field[i];

        record_set_raw(to, f->key, f->key_len, f->raw, f->raw_len);
        bytes += f->key_len + f->raw_len;
    }
    return bytes;
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

/* Order of RFC 8949 section 4.2.1 for text keys: the shorter first, then by bytes. */
static inline int key_order(const struct field *f, const char *key, size_t n)
{
    return f->key_len != n ? (f->key_len < n ? -1 : 1) : memcmp(f->key, key, n);
}

static int field_order(const void *a, const void *b)
{
    const struct field *y = b;

    return key_order(a, y->key, y->key_len);
}

static void sort(struct record *r)
{
    if (!r->sorted)
        qsort(r->field, (size_t)r->n, sizeof *r->field, field_order);
    r->sorted = true;
}

static const struct field *lookup(const struct record *r, const char *key, size_t n)
{
    for (int i = 0; i < r->n; i++)
        if (r->field[i].key_len == n && !memcmp(r->field[i].key, key, n))
            return &r->field[i];
    return NULL;
}

const struct field *record_find(const struct record *r, const char *key)
{
    return lookup(r, key, strlen(key));
}

/* Room for one field more. */
static void make_room(struct record *r)
{
    if (r->n < r->cap)
        return;
    r->cap = r->cap ? 2 * r->cap : 16;
    r->field = xnrealloc(r->field, (size_t)r->cap, sizeof *r->field);
}

/* The field called KEY, or a new one where the order wants it. */
static struct field *slot(struct record *r, const char *key, size_t n)
{
    int at, order = 1;

    assert(n > 0);
    sort(r);
    for (at = r->n; at > 0 && (order = key_order(&r->field[at - 1], key, n)) > 0; at--)
        continue;
    if (at > 0 && order == 0)
        return &r->field[at - 1];
    make_room(r);
    memmove(&r->field[at + 1], &r->field[at], (size_t)(r->n - at) * sizeof *r->field);
    r->n++;
    return &r->field[at];
}

void record_remove(struct record *r, const char *key)
{
    const struct field *f = record_find(r, key);

    if (!f)
        return;
    const ptrdiff_t at = f - r->field;

    r->n--;
    memmove(&r->field[at], f + 1, (size_t)(r->n - at) * sizeof *f);
}

/* ---- what a value says ---- */

/* RFC 8746; big-endian and rarer ones are tags like any other. */
static const struct {
    uint64_t tag;
    size_t size; /* bytes of an element */
} typed[] = {
    [ITEM_U8] = { 64, 1 },  [ITEM_U16] = { 69, 2 }, [ITEM_U32] = { 70, 4 }, [ITEM_U64] = { 71, 8 },
    [ITEM_I32] = { 78, 4 }, [ITEM_I64] = { 79, 8 }, [ITEM_F32] = { 85, 4 }, [ITEM_F64] = { 86, 8 },
};

/* F's value has the tag TAG: it may be a typed array. -1 when it has to be one and is none. */
static int read_tagged(struct field *f, const struct item *tag)
{
    enum item_kind kind = ITEM_U8;
    struct item bytes;

    while (kind <= ITEM_F64 && typed[kind].tag != tag->u)
        kind++;
    if (kind > ITEM_F64)
        return 0;
    if (item_head(&bytes, tag->data, f->raw_len - tag->len) != 1 || bytes.kind != ITEM_BYTES ||
        bytes.n % typed[kind].size)
        return err_set(EXIT_DATA, "%s must be a byte string of whole elements",
                       item_kind_name(kind));
    f->type = kind;
    f->data = bytes.data;
    f->n = bytes.n / typed[kind].size;
    return 0;
}

/* Fills in F from its value as CBOR, LEN bytes at P that begin with the item FIRST. */
static int read_value(struct field *f, const struct item *first, const uint8_t *p, size_t len)
{
    f->type = first->kind;
    f->u = first->u;
    f->f = first->f;
    f->data = first->data;
    f->n = first->n;
    f->raw = p;
    f->raw_len = len;
    return first->kind == ITEM_TAG ? read_tagged(f, first) : 0;
}

/* ---- setting ---- */

/* A key and its value as CBOR, while they are made. */
struct pair {
    uint8_t *begin, *value;
    size_t key_len;
};

/* KEY, and room for MOST bytes of its value. */
static struct pair begin_pair(struct record *r, const char *key, size_t key_len, size_t most)
{
    uint8_t *begin = arena_take(&r->arena, ITEM_HEAD_MAX + key_len + most);
    uint8_t *to = begin + item_write_head(begin, ITEM_TEXT, key_len);

    memcpy(to, key, key_len);
    return (struct pair){ begin, to + key_len, key_len };
}

/* The field of P, whose value takes N bytes; what they say is the caller's to fill in. */
static struct field *end_pair(struct record *r, const struct pair *p, enum item_kind type, size_t n)
{
    const char *key = (const char *)p->value - p->key_len;
    struct field *f = slot(r, key, p->key_len);

    *f = (struct field){ .key = key,
                         .key_len = p->key_len,
                         .type = type,
                         .raw = p->value,
                         .raw_len = n,
                         .pair = p->begin };
    return f;
}

void record_set_raw(struct record *r, const char *key, size_t key_len, const uint8_t *raw, size_t n)
{
    const struct pair p = begin_pair(r, key, key_len, n);
    struct item first;
    size_t len;

    memcpy(p.value, raw, n);
    struct field *f = end_pair(r, &p, ITEM_TAG, n);

    if (item_whole(&first, &len, p.value, n) != 1 || len != n ||
        read_value(f, &first, p.value, n) < 0)
        die(EXIT_NUMERIC, "field '%.*s': a value of our own is not valid", (int)key_len, key);
}

void record_set_text(struct record *r, const char *key, const char *text, size_t n)
{
    const struct pair p = begin_pair(r, key, strlen(key), ITEM_HEAD_MAX + n);
    const size_t head = item_write_head(p.value, ITEM_TEXT, n);
    struct field *f = end_pair(r, &p, ITEM_TEXT, head + n);

    if (n)
        memcpy(p.value + head, text, n);
    f->data = p.value + head;
    f->n = n;
}

void record_set_uint(struct record *r, const char *key, uint64_t value)
{
    const struct pair p = begin_pair(r, key, strlen(key), ITEM_HEAD_MAX);

    end_pair(r, &p, ITEM_UINT, item_write_head(p.value, ITEM_UINT, value))->u = value;
}

void record_set_float(struct record *r, const char *key, double value)
{
    const struct pair p = begin_pair(r, key, strlen(key), ITEM_HEAD_MAX);

    end_pair(r, &p, ITEM_FLOAT, item_write_double(p.value, value))->f = value;
}

/* The field KEY with N elements, which go where the result points. */
static uint8_t *set_array(struct record *r, const char *key, enum item_kind type, size_t n)
{
    const size_t bytes = n * typed[type].size;
    const struct pair p = begin_pair(r, key, strlen(key), 2 * ITEM_HEAD_MAX + bytes);
    size_t head = item_write_head(p.value, ITEM_TAG, typed[type].tag);

    head += item_write_head(p.value + head, ITEM_BYTES, bytes);
    struct field *f = end_pair(r, &p, type, head + bytes);

    f->data = p.value + head;
    f->n = n;
    return p.value + head;
}

void record_set_ids(struct record *r, const char *key, const uint32_t *ids, size_t n, bool wide)
{
    uint8_t *to = set_array(r, key, wide ? ITEM_U32 : ITEM_U16, n);

    if (wide && n)
        memcpy(to, ids, n * sizeof *ids);
    for (size_t i = 0; !wide && i < n; i++) {
        const uint16_t id = (uint16_t)ids[i];

        assert(ids[i] <= UINT16_MAX);
        memcpy(to + 2 * i, &id, sizeof id);
    }
}

void record_set_f32(struct record *r, const char *key, const float *v, size_t n)
{
    uint8_t *to = set_array(r, key, ITEM_F32, n);

    if (n)
        memcpy(to, v, n * sizeof *v);
}

/* ---- reading ---- */

/* For messages. */
static int shown(size_t key_len)
{
    return key_len < 80 ? (int)key_len : 80;
}

/* Key and value at P go into the next free field. Results as record_parse. */
static int parse_field(struct record *r, const uint8_t *p, size_t n, size_t *len)
{
    struct field *f = &r->field[r->n];
    struct item key, value;
    uint8_t shortest[ITEM_HEAD_MAX];
    size_t value_len = 0;
    int rc = item_head(&key, p, n);

    if (rc <= 0)
        return rc;
    if (key.kind != ITEM_TEXT || (!key.n && r->n > 0))
        return err_set(EXIT_DATA, "a field's name is %s; it must be a text that is not empty",
                       key.kind == ITEM_TEXT ? "empty" : item_kind_name(key.kind));
    const uint8_t *pair = p, *raw = p + key.len;

    rc = item_whole(&value, &value_len, raw, n - key.len);
    if (rc > 0 && key.len - key.n != item_write_head(shortest, ITEM_TEXT, key.n)) {
        const struct pair own = begin_pair(r, (const char *)key.data, key.n, value_len);

        memcpy(own.value, raw, value_len);
        pair = own.begin;
        raw = own.value;
        rc = item_head(&value, raw, value_len);
    }
    if (rc > 0 && read_value(f, &value, raw, value_len) < 0)
        rc = -1;
    if (rc < 0)
        return err_in("field '%.*s'", shown(key.n), (const char *)key.data);
    f->pair = pair;
    f->key = (const char *)raw - key.n;
    f->key_len = key.n;
    *len = key.len + value_len;
    return rc;
}

/* Notes whether the fields are in order, and finds a name that is there twice. */
static int check_last(struct record *r)
{
    const struct field *last = &r->field[r->n];

    if (r->n && field_order(last - 1, last) >= 0)
        r->sorted = false;
    if (!r->sorted && lookup(r, last->key, last->key_len))
        return err_set(EXIT_DATA, "field '%.*s' is there twice", shown(last->key_len), last->key);
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

        make_room(r);
        rc = parse_field(r, p + *len, n - *len, &field_len);
        if (rc <= 0)
            return rc;
        if (check_last(r) < 0)
            return -1;
        *len += field_len;
    }
    return 1;
}

int record_of_items(struct record *r, struct items *s)
{
    size_t len;
    const int rc = record_parse(r, s->p, (size_t)(s->end - s->p), &len, -1);

    if (rc > 0)
        s->p += len;
    return rc < 0 ? -1 : rc > 0 ? 0 : err_set(EXIT_DATA, "is cut short");
}

/* 1 and the field KEY, whose type must be one of TYPES (bits), which WANT names; 0 when it is not
 * there. */
static int get(const struct record *r, const char *key, unsigned types, const char *want,
               const struct field **f)
{
    *f = record_find(r, key);
    if (!*f)
        return 0;
    return types & 1u << (*f)->type
               ? 1
               : err_set(EXIT_DATA, "field '%.*s' is %s; it should be %s", shown((*f)->key_len),
                         (*f)->key, item_kind_name((*f)->type), want);
}

int record_get_text(struct record *r, const char *key, const char **text, size_t *n)
{
    const struct field *f;
    const int has = get(r, key, 1 << ITEM_TEXT, "a text", &f);

    if (has > 0) {
        *text = f->data;
        *n = f->n;
    }
    return has;
}

int record_get_uint(struct record *r, const char *key, uint64_t *value)
{
    const struct field *f;
    const int has = get(r, key, 1 << ITEM_UINT, "an unsigned integer", &f);

    if (has > 0)
        *value = f->u;
    return has;
}

static void copy_ids(uint32_t *out, const struct field *f)
{
    const uint8_t *p = f->data;

    if (f->type == ITEM_U32 && f->n)
        memcpy(out, p, f->n * sizeof *out);
    else if (f->type == ITEM_U16)
        for (size_t i = 0; i < f->n; i++)
            out[i] = p[2 * i] | (uint32_t)p[2 * i + 1] << 8;
    else
        for (size_t i = 0; i < f->n; i++)
            out[i] = p[i];
}

int record_get_ids(struct record *r, const char *key, const uint32_t **ids, size_t *n)
{
    const unsigned arrays = 1 << ITEM_U8 | 1 << ITEM_U16 | 1 << ITEM_U32;
    const struct field *f;
    const int has =
        get(r, key, arrays, "an array of uint8, uint16 or uint32: whole numbers from 0 on", &f);

    if (has <= 0)
        return has;
    uint32_t *out = arena_take(&r->arena, f->n * sizeof *out);

    copy_ids(out, f);
    *ids = out;
    *n = f->n;
    return 1;
}

int record_get_f32(struct record *r, const char *key, const float **v, size_t *n)
{
    const struct field *f;
    const int has = get(r, key, 1 << ITEM_F32, "a float32 array", &f);

    if (has <= 0)
        return has;
    float *out = arena_take(&r->arena, f->n * sizeof *out);

    if (f->n)
        memcpy(out, f->data, f->n * sizeof *out);
    *v = out;
    *n = f->n;
    return 1;
}

int record_get_array(struct record *r, const char *key, struct items *elements, uint64_t *n)
{
    const struct field *f;
    const int has = get(r, key, 1 << ITEM_ARRAY, "an array", &f);

    if (has > 0) {
        *elements = (struct items){ f->data, f->raw + f->raw_len };
        *n = f->u;
    }
    return has;
}

const char *record_name(struct record *r)
{
    const struct field *id = record_find(r, "id");

    if (id && id->type == ITEM_UINT)
        (void)snprintf(r->name, sizeof r->name, "%llu", (unsigned long long)id->u);
    else
        (void)snprintf(r->name, sizeof r->name, "#%lld", (long long)r->position);
    return r->name;
}

/* ---- as CBOR ---- */

static size_t pair_bytes(const struct field *f)
{
    return (size_t)(f->raw + f->raw_len - f->pair);
}

/* Of the map's head and the first N fields. */
static size_t bytes_of(const struct record *r, ptrdiff_t n)
{
    uint8_t head[ITEM_HEAD_MAX];
    size_t bytes = item_write_head(head, ITEM_MAP, (uint64_t)r->n);

    for (ptrdiff_t i = 0; i < n; i++)
        bytes += pair_bytes(&r->field[i]);
    return bytes;
}

size_t record_end_of(const struct record *r, const struct field *f)
{
    return bytes_of(r, f - r->field + 1);
}

int record_fits(struct record *r, size_t *bytes)
{
    *bytes = bytes_of(r, r->n);
    if (r->n > RECORD_FIELDS_MAX)
        return err_set(EXIT_DATA, "more than %d fields with those that are added here",
                       RECORD_FIELDS_MAX);
    if (*bytes > ITEM_BYTES_MAX)
        return err_set(EXIT_DATA, "larger than %d MiB", ITEM_BYTES_MAX >> 20);
    return 0;
}

void record_append(struct record *r, struct buf *b)
{
    sort(r);
    item_put(b, ITEM_MAP, (uint64_t)r->n);
    for (int i = 0; i < r->n; i++)
        buf_add(b, r->field[i].pair, pair_bytes(&r->field[i]));
}
