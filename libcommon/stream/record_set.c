/* record_set.c - fields that are set, and records as CBOR. */
#include "record_impl.h"

#include <assert.h>
#include <string.h>

/* The field called KEY, or a new one where the order wants it. */
static struct field *slot(struct record *r, const char *key, size_t n)
{
    struct field *f = r->sorted ? NULL : record_lookup(r, key, n);
    int at = r->n, order = 1;

    assert(n > 0);
    if (f)
        return f;
    record_sort(r);
    while (at > 0 &&
           (order = record_key_order(key, n, r->field[at - 1].key, r->field[at - 1].key_len)) < 0)
        at--;
    if (at > 0 && order == 0)
        return &r->field[at - 1];
    record_make_room(r);
    f = &r->field[at];
    memmove(f + 1, f, (size_t)(r->n - at) * sizeof *f);
    r->n++;
    return f;
}

/* KEY as CBOR, and at *VALUE room for MOST bytes of its value. */
static uint8_t *take_pair(struct record *r, const char *key, size_t key_len, size_t most,
                          uint8_t **value)
{
    uint8_t *pair = record_take(r, ITEM_HEAD_MAX + key_len + most);
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

    if (whole != 1 || len != n || record_classify(f, &first, copy, n) < 0)
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

bool record_append_small(struct record *r, size_t most, struct buf *b)
{
    const size_t room = encoded_most(r);

    record_sort(r);
    if (room > most)
        return false;
    buf_reserve(b, room);
    uint8_t *const begin = (uint8_t *)b->p + b->n;
    uint8_t *p = begin + item_write_head(begin, ITEM_MAP, (uint64_t)r->n);

    for (int i = 0; i < r->n; i++)
        p = put_field(p, &r->field[i]);
    b->n += (size_t)(p - begin);
    b->p[b->n] = 0;
    return true;
}

void record_append(struct record *r, struct buf *b)
{
    (void)record_append_small(r, SIZE_MAX, b);
}

int record_pieces(struct record *r, int (*put)(void *user, const void *bytes, size_t n), void *user)
{
    uint8_t head[ITEM_HEAD_MAX];

    record_sort(r);
    if (put(user, head, item_write_head(head, ITEM_MAP, (uint64_t)r->n)) < 0)
        return -1;
    for (int i = 0; i < r->n; i++) {
        const struct field *f = &r->field[i];

        if (put(user, head, item_write_head(head, ITEM_TEXT, f->key_len)) < 0 ||
            put(user, f->key, f->key_len) < 0 || put(user, f->raw, f->raw_len) < 0)
            return -1;
    }
    return 0;
}

const uint8_t *record_encode(struct record *r, size_t *n)
{
    buf_clear(&r->encoded);
    record_append(r, &r->encoded);
    *n = r->encoded.n;
    return (const uint8_t *)r->encoded.p;
}

size_t record_append_open(struct record *r, const char *key, struct buf *b)
{
    const size_t key_len = strlen(key);
    uint8_t *raw, *pair = take_pair(r, key, key_len, 0, &raw);

    record_sort(r);
    const struct field *open = place(r, pair, key_len, FIELD_OTHER, raw, 0);

    record_append(r, b);
    return record_end_of(r, open);
}

size_t record_end_of(const struct record *r, const struct field *f)
{
    uint8_t head[ITEM_HEAD_MAX];
    size_t end = item_write_head(head, ITEM_MAP, (uint64_t)r->n);

    for (const struct field *at = r->field; at <= f; at++)
        end += at->pair ? (size_t)(at->raw + at->raw_len - at->pair)
                        : item_write_head(head, ITEM_TEXT, at->key_len) + at->key_len + at->raw_len;
    return end;
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
