#include "parse.h"

#include "item.h"
#include "json.h"
#include "json_walk.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

struct number {
    bool whole, negative;
    uint64_t u; /* WHOLE: the value, NEGATIVE: without its sign */
    double f;   /* not WHOLE */
};

static bool is_number(const char *p)
{
    return *p == '-' || (*p >= '0' && *p <= '9');
}

/* Whole is what is written so; but -0, whose sign no integer has, is a float. */
static int read_number(struct number *v, const char *p)
{
    char *end;

    *v = (struct number){ .negative = *p == '-' };
    errno = 0;
    v->u = strtoull(p + v->negative, &end, 10);
    v->whole = *end != '.' && *end != 'e' && *end != 'E' && !(v->negative && !v->u);
    if (v->whole)
        return !errno && (!v->negative || v->u <= UINT64_C(1) << 63)
                   ? 0
                   : err_set(EXIT_DATA, "an integer needs more than 64 bits; write it as a text");
    v->f = strtod(p, NULL);
    return isfinite(v->f) ? 0 : err_set(EXIT_DATA, "a number is too large");
}

static int put_number(struct buf *b, const char *p)
{
    struct number v;

    if (read_number(&v, p) < 0)
        return -1;
    if (!v.whole)
        item_put_double(b, v.f);
    else if (v.negative)
        item_put(b, ITEM_NEGINT, v.u - 1);
    else
        item_put(b, ITEM_UINT, v.u);
    return 0;
}

/* ---- objects ---- */

struct member {
    const char *key; /* 0-terminated, but may hold U+0000 too */
    size_t n;
    const char *value;
};

struct members {
    struct member *v;
    size_t n, cap;
    struct buf keys;
};

/* Order of RFC 8949 section 4.2.1 for text keys. */
static int key_order(const struct member *x, const struct member *y)
{
    return x->n != y->n ? (x->n < y->n ? -1 : 1) : memcmp(x->key, y->key, x->n);
}

static int by_key_and_place(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    const int order = key_order(x, y);

    return order ? order : (x->value > y->value) - (x->value < y->value);
}

static void members_add(struct members *m, const char *key, size_t n, const char *value)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 16;
        m->v = xnrealloc(m->v, m->cap, sizeof *m->v);
    }
    m->v[m->n++] = (struct member){ m->keys.p + m->keys.n, n, value };
    buf_add(&m->keys, key, n);
    buf_putc(&m->keys, 0);
}

/* The members of the object at P in the order of their keys; of a doubled key, the last. */
static void members_read(struct members *m, const char *p)
{
    struct buf room = BUF_INIT;
    const char *value;
    size_t n, kept = 0;

    *m = (struct members){ 0 };
    buf_reserve(&m->keys, (size_t)(json_end(p) - p)); /* it must not move */
    for (p = json_first(p); p; p = json_next(json_end(value))) {
        const char *key = json_string(&p, &room, &n);

        value = json_value(p);
        members_add(m, key, n, value);
    }
    if (m->n)
        qsort(m->v, m->n, sizeof *m->v, by_key_and_place);
    for (size_t i = 0; i < m->n; i++)
        if (i + 1 == m->n || key_order(&m->v[i], &m->v[i + 1]))
            m->v[kept++] = m->v[i];
    m->n = kept;
    buf_free(&room);
}

static void members_free(struct members *m)
{
    free(m->v);
    buf_free(&m->keys);
}

/* ---- any value ---- */

static int put_value(struct buf *b, const char *p, int depth);

static int put_object(struct buf *b, const char *p, int depth)
{
    struct members m;
    int rc = 0;

    members_read(&m, p);
    item_put(b, ITEM_MAP, m.n);
    for (size_t i = 0; !rc && i < m.n; i++) {
        item_put_text(b, m.v[i].key, m.v[i].n);
        rc = put_value(b, m.v[i].value, depth);
    }
    members_free(&m);
    return rc;
}

static int put_array(struct buf *b, const char *p, int depth)
{
    uint64_t n = 0;

    for (const char *i = json_first(p); i; i = json_next(json_end(i)))
        n++;
    item_put(b, ITEM_ARRAY, n);
    for (const char *i = json_first(p); i; i = json_next(json_end(i)))
        if (put_value(b, i, depth) < 0)
            return -1;
    return 0;
}

static void put_text(struct buf *b, const char *p)
{
    struct buf room = BUF_INIT;
    size_t n;
    const char *text = json_string(&p, &room, &n);

    item_put_text(b, text, n);
    buf_free(&room);
}

/* The value at P as CBOR, inside DEPTH arrays and objects. */
static int put_value(struct buf *b, const char *p, int depth)
{
    const bool list = *p == '{' || *p == '[';

    if (list && depth == ITEM_DEPTH_MAX)
        return err_set(EXIT_DATA, "values are nested more than %d deep", ITEM_DEPTH_MAX);
    if (list)
        return *p == '{' ? put_object(b, p, depth + 1) : put_array(b, p, depth + 1);
    if (is_number(p))
        return put_number(b, p);
    if (*p == '"')
        put_text(b, p);
    else if (*p == 'n')
        item_put_null(b);
    else
        item_put_bool(b, *p == 't');
    return 0;
}

/* ---- fields with a type of their own ---- */

static int set_floats(struct record *rec, const char *key, const char *p)
{
    struct buf floats = BUF_INIT;
    int rc = *p == '[' ? 0 : err_set(EXIT_DATA, "it should be an array of numbers");

    for (p = rc ? NULL : json_first(p); !rc && p; p = json_next(json_end(p))) {
        const float v = is_number(p) ? (float)strtod(p, NULL) : INFINITY;

        buf_add(&floats, &v, sizeof v);
        if (!isfinite(v))
            rc = err_set(EXIT_DATA, "it should be an array of numbers that float32 can hold");
    }
    if (!rc)
        record_set_f32(rec, key, (const void *)floats.p, floats.n / sizeof(float));
    buf_free(&floats);
    return rc;
}

/* Appends the uint32_t that the array at P holds and gives the largest; -1 when P is no array or
 * holds anything else. */
static int64_t read_ids(struct buf *ids, const char *p)
{
    struct number v;
    uint32_t id, largest = 0;

    if (*p != '[')
        return -1;
    for (p = json_first(p); p; p = json_next(json_end(p))) {
        if (!is_number(p) || read_number(&v, p) < 0 || !v.whole || v.negative || v.u > UINT32_MAX)
            return -1;
        id = (uint32_t)v.u;
        largest = id > largest ? id : largest;
        buf_add(ids, &id, sizeof id);
    }
    return largest;
}

static int set_any(struct record *rec, const struct member *m)
{
    struct buf b = BUF_INIT;
    const int rc = put_value(&b, m->value, 0);

    if (!rc)
        record_set_raw(rec, m->key, m->n, (const uint8_t *)b.p, b.n);
    buf_free(&b);
    return rc;
}

static int set_id(struct record *rec, const char *p)
{
    struct number v = { 0 };

    if (is_number(p) && read_number(&v, p) < 0)
        return -1;
    if (!v.whole || v.negative)
        return err_set(EXIT_DATA, "it should be a whole number that is not negative");
    record_set_uint(rec, "id", v.u);
    return 0;
}

static int set_loss(struct record *rec, const char *p)
{
    const double v = strtod(p, NULL);

    if (!isfinite(v))
        return err_set(EXIT_DATA, "a number is too large");
    record_set_float(rec, "loss", v);
    return 0;
}

static int set_field(struct record *rec, const struct member *m)
{
    const char *key = strlen(m->key) == m->n ? m->key : ""; /* "": it holds U+0000 */
    struct buf ids = BUF_INIT;
    int rc = 0;

    if (!m->n)
        return err_set(EXIT_DATA, "a field's name must not be empty");
    if (!strcmp(key, "scores") || !strcmp(key, "logits"))
        return set_floats(rec, key, m->value);
    if (!strcmp(key, "id"))
        return set_id(rec, m->value);
    if (!strcmp(key, "loss") && is_number(m->value))
        return set_loss(rec, m->value);
    const int64_t largest = *key ? read_ids(&ids, m->value) : -1;

    if (largest >= 0)
        record_set_ids(rec, key, (const void *)ids.p, ids.n / sizeof(uint32_t),
                       largest > UINT16_MAX);
    else
        rc = set_any(rec, m);
    buf_free(&ids);
    return rc;
}

int parse_record(struct record *rec, const char *line, size_t n, int64_t position)
{
    struct members m;
    int rc = 0;

    if (json_check(line, n) < 0)
        return -1;
    line = json_begin(line);
    if (*line != '{')
        return err_set(EXIT_DATA, "a line must be one JSON object");
    record_clear(rec);
    members_read(&m, line);
    if (m.n >= RECORD_FIELDS_MAX)
        rc = err_set(EXIT_DATA, "a record with more than %d fields", RECORD_FIELDS_MAX - 1);
    for (size_t i = 0; !rc && i < m.n; i++)
        if ((rc = set_field(rec, &m.v[i])) < 0)
            err_in("field '%s'", m.v[i].key);
    if (!rc && !record_find(rec, "id"))
        record_set_uint(rec, "id", (uint64_t)position);
    members_free(&m);
    return rc;
}

int parse_header_line(struct buf *b, const char *line, size_t n)
{
    struct members m = { 0 };

    if (json_check(line, n) < 0)
        return -1;
    line = json_begin(line);
    if (*line != '{')
        return 0;
    members_read(&m, line);
    int rc = m.n == 1 && m.v[0].n == 0;

    if (rc && put_value(b, m.v[0].value, 0) < 0)
        rc = -1;
    members_free(&m);
    return rc;
}
