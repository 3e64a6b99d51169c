#include "parse.h"

#include "item.h"
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_whole(const cJSON *v)
{
    return cJSON_IsNumber(v) && fabs(v->valuedouble) <= 0x1p53 &&
           v->valuedouble == floor(v->valuedouble) &&
           !(v->valuedouble == 0 && signbit(v->valuedouble));
}

static int put_number(struct buf *b, const cJSON *v)
{
    if (!isfinite(v->valuedouble))
        return err_set(EXIT_DATA, "a number is too large");
    if (!is_whole(v))
        item_put_double(b, v->valuedouble);
    else if (v->valuedouble >= 0)
        item_put_uint(b, (uint64_t)v->valuedouble);
    else
        item_put_negint(b, (uint64_t)(-1 - v->valuedouble));
    return 0;
}

/* Order of RFC 8949 section 4.2.1 for text keys. */
static int key_order(const void *x, const void *y)
{
    const char *a = (*(const cJSON *const *)x)->string, *b = (*(const cJSON *const *)y)->string;
    const size_t na = strlen(a), nb = strlen(b);

    return na != nb ? (na < nb ? -1 : 1) : memcmp(a, b, na);
}

static int put_value(struct buf *b, const cJSON *v, int depth);

static int put_object(struct buf *b, const cJSON *v, int depth)
{
    const size_t n = (size_t)cJSON_GetArraySize(v);
    const cJSON **member = xnmalloc(n, sizeof *member);
    size_t i = 0;
    int rc = 0;

    for (const cJSON *m = v->child; m; m = m->next)
        member[i++] = m;
    if (n)
        qsort(member, n, sizeof *member, key_order);
    item_put_map(b, n);
    for (i = 0; !rc && i < n; i++) {
        item_put_key(b, member[i]->string);
        rc = put_value(b, member[i], depth);
    }
    free(member);
    return rc;
}

static int put_array(struct buf *b, const cJSON *v, int depth)
{
    item_put_array(b, (uint64_t)cJSON_GetArraySize(v));
    for (const cJSON *m = v->child; m; m = m->next)
        if (put_value(b, m, depth) < 0)
            return -1;
    return 0;
}

/* Any JSON value as CBOR, inside DEPTH arrays and objects. */
static int put_value(struct buf *b, const cJSON *v, int depth)
{
    const bool list = cJSON_IsObject(v) || cJSON_IsArray(v);

    if (list && depth == ITEM_DEPTH_MAX)
        return err_set(EXIT_DATA, "values are nested more than %d deep", ITEM_DEPTH_MAX);
    if (list)
        return cJSON_IsObject(v) ? put_object(b, v, depth + 1) : put_array(b, v, depth + 1);
    if (cJSON_IsNumber(v))
        return put_number(b, v);
    if (cJSON_IsString(v))
        item_put_key(b, v->valuestring);
    else if (cJSON_IsBool(v))
        item_put_bool(b, cJSON_IsTrue(v));
    else
        item_put_null(b);
    return 0;
}

/* ---- fields with a type of their own ---- */

static int set_floats(struct record *rec, const cJSON *v)
{
    const size_t n = (size_t)cJSON_GetArraySize(v);
    float *f = xnmalloc(n, sizeof *f);
    size_t i = 0;
    int rc = cJSON_IsArray(v) ? 0 : err_set(EXIT_DATA, "it should be an array of numbers");

    for (const cJSON *m = v->child; !rc && m; m = m->next) {
        if (!cJSON_IsNumber(m) || !isfinite((float)m->valuedouble))
            rc = err_set(EXIT_DATA, "it should be an array of numbers that float32 can hold");
        else
            f[i++] = (float)m->valuedouble;
    }
    if (!rc)
        record_set_f32(rec, v->string, f, n);
    free(f);
    return rc;
}

/* The largest number of an array of whole numbers from 0 to 2^32-1, else -1. */
static int64_t largest_id(const cJSON *v)
{
    double largest = 0;

    if (!cJSON_IsArray(v))
        return -1;
    for (const cJSON *m = v->child; m; m = m->next) {
        if (!is_whole(m) || m->valuedouble < 0 || m->valuedouble > UINT32_MAX)
            return -1;
        largest = fmax(largest, m->valuedouble);
    }
    return (int64_t)largest;
}

static void set_ids(struct record *rec, const cJSON *v, bool wide)
{
    const size_t n = (size_t)cJSON_GetArraySize(v);
    uint32_t *ids = xnmalloc(n, sizeof *ids);
    size_t i = 0;

    for (const cJSON *m = v->child; m; m = m->next)
        ids[i++] = (uint32_t)m->valuedouble;
    record_set_ids(rec, v->string, ids, n, wide);
    free(ids);
}

static int set_any(struct record *rec, const cJSON *v)
{
    struct buf b = BUF_INIT;
    const int rc = put_value(&b, v, 0);

    if (!rc)
        record_set_raw(rec, v->string, strlen(v->string), (const uint8_t *)b.p, b.n);
    buf_free(&b);
    return rc;
}

static int set_field(struct record *rec, const cJSON *v)
{
    const int64_t largest = largest_id(v);

    if (!*v->string)
        return err_set(EXIT_DATA, "a field's name must not be empty");
    if (!strcmp(v->string, "scores") || !strcmp(v->string, "logits"))
        return set_floats(rec, v);
    if (!strcmp(v->string, "id") && !(is_whole(v) && v->valuedouble >= 0))
        return err_set(EXIT_DATA, "it should be a whole number that is not negative");
    if (!strcmp(v->string, "loss") && cJSON_IsNumber(v) && isfinite(v->valuedouble)) {
        record_set_float(rec, v->string, v->valuedouble);
        return 0;
    }
    if (largest < 0)
        return set_any(rec, v);
    set_ids(rec, v, largest > UINT16_MAX);
    return 0;
}

int parse_record(struct record *rec, const char *line, size_t n, int64_t position)
{
    cJSON *o = json_parse(line, n);
    int rc = 0;

    if (!o)
        return -1;
    record_clear(rec);
    if (!cJSON_IsObject(o))
        rc = err_set(EXIT_DATA, "a line must be one JSON object");
    else if (cJSON_GetArraySize(o) >= RECORD_FIELDS_MAX)
        rc = err_set(EXIT_DATA, "a record with more than %d fields", RECORD_FIELDS_MAX - 1);
    for (const cJSON *m = o->child; !rc && m; m = m->next)
        if ((rc = set_field(rec, m)) < 0)
            err_in("field '%s'", m->string);
    if (!rc && !record_find(rec, "id"))
        record_set_uint(rec, "id", (uint64_t)position);
    cJSON_Delete(o);
    return rc;
}
