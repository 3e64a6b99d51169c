#include "record.h"

#include "item.h"
#include "mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "typed arrays are kept in the byte order of the stream, which is little-endian"
#endif

/* Memory that is given out in pieces and taken back as a whole. Pieces do not move. */
struct block {
    struct block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

struct record {
    struct field *field;
    int n, cap;
    bool sorted; /* keys are in deterministic order */
    int64_t position;
    struct block *arena; /* the newest block first */
    struct buf encoded;
    struct buf value; /* a value while it is being made */
    char name[24];
};

static void *arena_take(struct record *r, size_t bytes)
{
    const size_t want = (bytes + 15) & ~(size_t)15;
    struct block *b = r->arena;

    if (!b || b->size - b->used < want) {
        const size_t size = want > 4096 ? want : 4096;

        b = xmalloc(sizeof *b + size);
        *b = (struct block){ .next = r->arena, .size = size };
        r->arena = b;
    }
    void *p = b->bytes + b->used;

    b->used += want;
    return p;
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
        (void)arena_take(r, all);
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

/* Order of RFC 8949 section 4.2.1 for text keys: the shorter first, then by bytes. */
static int key_order(const char *a, size_t na, const char *b, size_t nb)
{
    if (na != nb)
        return na < nb ? -1 : 1;
    return memcmp(a, b, na);
}

static int field_order(const void *a, const void *b)
{
    const struct field *x = a, *y = b;

    return key_order(x->key, x->key_len, y->key, y->key_len);
}

static struct field *find(const struct record *r, const char *key, size_t n)
{
    for (int i = 0; i < r->n; i++)
        if (r->field[i].key_len == n && !memcmp(r->field[i].key, key, n))
            return &r->field[i];
    return NULL;
}

const struct field *record_find(const struct record *r, const char *key)
{
    return find(r, key, strlen(key));
}

static void sort(struct record *r)
{
    if (!r->sorted && r->n)
        qsort(r->field, (size_t)r->n, sizeof *r->field, field_order);
    r->sorted = true;
}

static void make_room(struct record *r)
{
    if (r->n < r->cap)
        return;
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

/* Fills F from the item FIRST, which with its content takes LEN bytes at P. */
static int classify(struct field *f, const struct item *first, const uint8_t *p, size_t len)
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
    if (rc > 0 && classify(f, &value, p + key.len, value_len) < 0)
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
    if (!r->sorted && find(r, last->key, last->key_len))
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
    uint32_t *out = arena_take(r, f->n * sizeof *out);
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
    float *out = arena_take(r, f->n * sizeof *out);

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

/* ---- writing ---- */

/* The field called KEY, or a new one where the order wants it. */
static struct field *slot(struct record *r, const char *key, size_t n)
{
    struct field *f = r->sorted ? NULL : find(r, key, n);
    int at = r->n, order = 1;

    assert(n > 0);
    if (f)
        return f;
    sort(r);
    while (at > 0 &&
           (order = key_order(key, n, r->field[at - 1].key, r->field[at - 1].key_len)) < 0)
        at--;
    if (at > 0 && order == 0)
        return &r->field[at - 1];
    make_room(r);
    f = &r->field[at];
    memmove(f + 1, f, (size_t)(r->n - at) * sizeof *f);
    r->n++;
    return f;
}

/* KEY as CBOR, and at *VALUE room for MOST bytes of its value. */
static uint8_t *take_pair(struct record *r, const char *key, size_t key_len, size_t most,
                          uint8_t **value)
{
    uint8_t *pair = arena_take(r, ITEM_HEAD_MAX + key_len + most);
    uint8_t *to = pair + item_write_head(pair, ITEM_TEXT, key_len);

    memcpy(to, key, key_len);
    *value = to + key_len;
    return pair;
}

/* The field of PAIR, whose value is the N bytes at RAW; what they say is the caller's to fill in.
 */
static struct field *place(struct record *r, const uint8_t *pair, size_t key_len,
                           enum field_type type, const uint8_t *raw, size_t n)
{
    const char *key = (const char *)raw - key_len;
    struct field *f = slot(r, key, key_len);

    *f = (struct field){
        .key = key, .key_len = key_len, .type = type, .raw = raw, .raw_len = n, .pair = pair
    };
    return f;
}

void record_set_raw(struct record *r, const char *key, size_t key_len, const uint8_t *raw, size_t n)
{
    uint8_t *copy, *pair = take_pair(r, key, key_len, n, &copy);
    struct item first;
    size_t len;

    memcpy(copy, raw, n);
    struct field *f = place(r, pair, key_len, FIELD_OTHER, copy, n);
    const int whole = item_whole(&first, &len, copy, n);

    if (whole != 1 || len != n || classify(f, &first, copy, n) < 0)
        die(EXIT_NUMERIC, "field '%.*s': a value of our own is not valid", (int)key_len, key);
}

/* The field KEY with the value that was made in r->value. */
static struct field *set(struct record *r, const char *key, enum field_type type)
{
    const size_t key_len = strlen(key), n = r->value.n;
    uint8_t *raw, *pair = take_pair(r, key, key_len, n, &raw);

    memcpy(raw, r->value.p, n);
    return place(r, pair, key_len, type, raw, n);
}

/* The same for N elements of SIZE bytes that end the value. */
static void set_array(struct record *r, const char *key, enum field_type type, size_t n,
                      size_t size)
{
    struct field *f = set(r, key, type);

    f->data = f->raw + f->raw_len - n * size;
    f->n = n;
}

void record_set_text(struct record *r, const char *key, const char *text, size_t n)
{
    const size_t key_len = strlen(key);
    uint8_t *raw, *pair = take_pair(r, key, key_len, ITEM_HEAD_MAX + n, &raw);
    const size_t head = item_write_head(raw, ITEM_TEXT, n);

    if (n)
        memcpy(raw + head, text, n);
    struct field *f = place(r, pair, key_len, FIELD_TEXT, raw, head + n);

    f->data = raw + head;
    f->n = n;
}

void record_set_uint(struct record *r, const char *key, uint64_t value)
{
    const size_t key_len = strlen(key);
    uint8_t *raw, *pair = take_pair(r, key, key_len, ITEM_HEAD_MAX, &raw);
    const size_t n = item_write_head(raw, ITEM_UINT, value);

    place(r, pair, key_len, FIELD_UINT, raw, n)->u = value;
}

void record_set_int(struct record *r, const char *key, int64_t value)
{
    if (value >= 0) {
        record_set_uint(r, key, (uint64_t)value);
        return;
    }
    const uint64_t u = (uint64_t)(-1 - value);

    buf_clear(&r->value);
    item_put_negint(&r->value, u);
    set(r, key, FIELD_NEGINT)->u = u;
}

void record_set_float(struct record *r, const char *key, double value)
{
    buf_clear(&r->value);
    item_put_double(&r->value, value);
    set(r, key, FIELD_FLOAT)->f = value;
}

/* The head of a typed array of N bytes, and room for them. */
static uint8_t *array_of(struct record *r, uint64_t tag, size_t n)
{
    buf_clear(&r->value);
    item_put_tag(&r->value, tag);
    return item_put_bytes_room(&r->value, n);
}

void record_set_ids(struct record *r, const char *key, const uint32_t *ids, size_t n, bool wide)
{
    const size_t size = wide ? sizeof(uint32_t) : sizeof(uint16_t);
    uint8_t *p = array_of(r, wide ? 70 : 69, n * size);

    if (wide && n)
        memcpy(p, ids, n * size);
    for (size_t i = 0; !wide && i < n; i++) {
        const uint16_t id = (uint16_t)ids[i];

        assert(ids[i] <= UINT16_MAX);
        memcpy(p + 2 * i, &id, sizeof id);
    }
    set_array(r, key, wide ? FIELD_U32 : FIELD_U16, n, size);
}

void record_set_f32(struct record *r, const char *key, const float *v, size_t n)
{
    uint8_t *p = array_of(r, 85, n * sizeof *v);

    if (n)
        memcpy(p, v, n * sizeof *v);
    set_array(r, key, FIELD_F32, n, sizeof *v);
}

/* More bytes than the record takes as a map. */
static size_t encoded_most(const struct record *r)
{
    size_t most = ITEM_HEAD_MAX;

    for (int i = 0; i < r->n; i++)
        most += ITEM_HEAD_MAX + r->field[i].key_len + r->field[i].raw_len;
    return most;
}

/* Copies field F as CBOR to P; returns where it ends. */
static uint8_t *put_field(uint8_t *p, const struct field *f)
{
    if (f->pair) {
        const size_t n = (size_t)(f->raw + f->raw_len - f->pair);

        memcpy(p, f->pair, n);
        return p + n;
    }
    p += item_write_head(p, ITEM_TEXT, f->key_len);
    memcpy(p, f->key, f->key_len);
    memcpy(p + f->key_len, f->raw, f->raw_len);
    return p + f->key_len + f->raw_len;
}

/* Appends the record as a map to B; *AT gets where in it the field OPEN (NULL: none) ends. */
static void encode(struct record *r, const struct field *open, struct buf *b, size_t *at)
{
    sort(r);
    buf_reserve(b, encoded_most(r));
    uint8_t *const begin = (uint8_t *)b->p + b->n;
    uint8_t *p = begin + item_write_head(begin, ITEM_MAP, (uint64_t)r->n);

    for (int i = 0; i < r->n; i++) {
        p = put_field(p, &r->field[i]);
        if (&r->field[i] == open)
            *at = (size_t)(p - begin);
    }
    b->n += (size_t)(p - begin);
    b->p[b->n] = 0;
}

void record_append(struct record *r, struct buf *b)
{
    encode(r, NULL, b, NULL);
}

const uint8_t *record_encode(struct record *r, size_t *n)
{
    buf_clear(&r->encoded);
    encode(r, NULL, &r->encoded, NULL);
    *n = r->encoded.n;
    return (const uint8_t *)r->encoded.p;
}

const uint8_t *record_encode_open(struct record *r, const char *key, size_t *n, size_t *at)
{
    const size_t key_len = strlen(key);
    uint8_t *raw, *pair = take_pair(r, key, key_len, 0, &raw);

    sort(r);
    buf_clear(&r->encoded);
    encode(r, place(r, pair, key_len, FIELD_OTHER, raw, 0), &r->encoded, at);
    *n = r->encoded.n;
    return (const uint8_t *)r->encoded.p;
}

int record_fits(struct record *r, size_t n)
{
    if (r->n > RECORD_FIELDS_MAX)
        return err_set(EXIT_DATA, "record %s: more than %d fields with those that are added here",
                       record_name(r), RECORD_FIELDS_MAX);
    if (n > ITEM_BYTES_MAX)
        return err_set(EXIT_DATA, "record %s: larger than %d MiB", record_name(r),
                       ITEM_BYTES_MAX >> 20);
    return 0;
}
