#include "tensors.h"

#include "filetype.h"
#include "json.h"
#include "mem.h"
#include "pack_gguf.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFIX = 8,                     /* the header's length, u64 little-endian */
    HEADER_MAX = 100 * 1000 * 1000, /* what the safetensors library takes */
    TENSORS_MAX = 1 << 18,          /* of one file; the largest models have that many in all */
};

struct tensors {
    struct tensor *t; /* sorted by name */
    cJSON **header;   /* one per file; owns the names */
    void **copy;      /* data that lay unaligned */
    int n, cap, headers, copies;
};

static uint64_t read_u64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < PREFIX; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* ---- one file ---- */

/* A JSON number that is an offset or a dimension. */
static int whole_number(const cJSON *v, int64_t *out)
{
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0 && v->valuedouble <= 0x1p53) ||
        v->valuedouble != floor(v->valuedouble))
        return -1;
    *out = (int64_t)v->valuedouble;
    return 0;
}

/* For the safetensors library 2.0 and 1e1 are no whole numbers. */
static int check_spelling(const cJSON *array)
{
    for (const cJSON *v = array->child; v; v = v->next)
        if (v->valuestring[strspn(v->valuestring, "0123456789")])
            return err_set(EXIT_DATA, "its '%s' is not spelt in whole numbers", array->string);
    return 0;
}

static int parse_shape(const cJSON *v, struct tensor *t)
{
    if (!cJSON_IsArray(v))
        return err_set(EXIT_DATA, "it has no shape");
    t->n = 1;
    for (const cJSON *d = v->child; d; d = d->next) {
        if (t->rank == TENSOR_RANK_MAX)
            return err_set(EXIT_DATA, "it has more than %d dimensions", TENSOR_RANK_MAX);
        if (whole_number(d, &t->shape[t->rank]) < 0)
            return err_set(EXIT_DATA, "its shape is not made of whole numbers");
        if (__builtin_mul_overflow(t->n, t->shape[t->rank], &t->n))
            return err_set(EXIT_DATA, "its shape is too large");
        t->rank++;
    }
    return check_spelling(v);
}

/* Byte range inside the data part of SIZE bytes; data points there. */
static int parse_range(const cJSON *v, struct tensor *t, const uint8_t *data, size_t size)
{
    int64_t from, to;
    size_t bytes;

    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != 2 || whole_number(v->child, &from) < 0 ||
        whole_number(v->child->next, &to) < 0)
        return err_set(EXIT_DATA, "its data_offsets are not two whole numbers");
    if (from > to || (uint64_t)to > size)
        return err_set(EXIT_DATA,
                       "its bytes %lld to %lld are not inside the %zu bytes of the file's data; "
                       "the file is cut or damaged",
                       (long long)from, (long long)to, size);
    if (mul_size(&bytes, (size_t)t->n, dtype_size(t->dtype)) < 0)
        return -1;
    if ((size_t)(to - from) != bytes)
        return err_set(EXIT_DATA, "its shape and dtype make %zu bytes, its data_offsets %lld",
                       bytes, (long long)(to - from));
    t->data = data + from;
    t->bytes = bytes;
    return check_spelling(v);
}

static int parse_tensor(const cJSON *v, struct tensor *t, const uint8_t *data, size_t size)
{
    const char *dtype;

    *t = (struct tensor){ .name = v->string };
    if (!cJSON_IsObject(v))
        return err_set(EXIT_DATA, "it is not described by an object");
    if (json_text(v, "dtype", &dtype) <= 0)
        return err_set(EXIT_DATA, "it has no dtype");
    t->dtype = dtype_of(dtype);
    if (t->dtype == DT_NONE || strcmp(dtype_name(t->dtype), dtype))
        return err_set(EXIT_DATA, "dtype '%s' is not known", dtype);
    if (parse_shape(cJSON_GetObjectItemCaseSensitive(v, "shape"), t) < 0)
        return -1;
    return parse_range(cJSON_GetObjectItemCaseSensitive(v, "data_offsets"), t, data, size);
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;

    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The N tensors of one file cover its data end to end, each byte once. */
static int check_cover(struct tensor *t, int n, const uint8_t *data, size_t size)
{
    const uint8_t *at = data;

    qsort(t, (size_t)n, sizeof *t, by_place);
    for (int i = 0; i < n; i++) {
        if (t[i].data != at)
            return err_set(EXIT_DATA, "tensor '%s' %s", t[i].name,
                           t[i].data < at ? "overlaps another one"
                                          : "has unused bytes in front of it");
        at += t[i].bytes;
    }
    return at == data + size ? 0
                             : err_set(EXIT_DATA, "%zu bytes behind the last tensor belong to none",
                                       (size_t)(data + size - at));
}

static int check_metadata(const cJSON *v)
{
    if (!cJSON_IsObject(v))
        return err_set(EXIT_DATA, "'__metadata__' is not an object");
    for (const cJSON *m = v->child; m; m = m->next)
        if (!cJSON_IsString(m))
            return err_set(EXIT_DATA, "'__metadata__' has a value that is not text");
    return 0;
}

static int parse_header(const cJSON *header, struct tensors *t, const uint8_t *data, size_t size)
{
    const int first = t->n, room = cJSON_GetArraySize(header);

    if (room > TENSORS_MAX || room > INT_MAX - t->n)
        return err_set(EXIT_DATA, "more than %d tensors", TENSORS_MAX);
    t->t = xnrealloc(t->t, (size_t)t->n + (size_t)room, sizeof *t->t);
    for (const cJSON *v = header->child; v; v = v->next) {
        if (!strcmp(v->string, "__metadata__")) {
            if (check_metadata(v) < 0)
                return -1;
            continue;
        }
        if (parse_tensor(v, &t->t[t->n], data, size) < 0)
            return err_in("tensor '%s'", v->string);
        t->n++;
    }
    return check_cover(t->t + first, t->n - first, data, size);
}

/* Adds the tensors of one file, to be sorted by the caller. */
static int add_file(struct tensors *t, const uint8_t *file, size_t size)
{
    uint64_t length;

    if (size < PREFIX)
        return err_set(EXIT_DATA, "too short for a safetensors file");
    length = read_u64(file);
    if (length > HEADER_MAX || length > size - PREFIX)
        return (size == PREFIX || file[PREFIX] != '{') && filetype_refuse(file, size) < 0
                   ? -1
                   : err_set(EXIT_DATA,
                             "its header should have %llu bytes; it is no safetensors file, or cut",
                             (unsigned long long)length);
    if (!length || file[PREFIX] != '{')
        return err_set(EXIT_DATA, "its header does not begin with '{'; it is no safetensors file");
    const char *text = (const char *)file + PREFIX;
    cJSON *header = json_parse(text, (size_t)length);

    if (!header)
        return err_in("header");
    t->header = xnrealloc(t->header, (size_t)t->headers + 1, sizeof(cJSON *));
    t->header[t->headers++] = header;
    return parse_header(header, t, file + PREFIX + length, size - PREFIX - (size_t)length);
}

/* ---- all files ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int sort_names(struct tensors *t)
{
    if (t->n)
        qsort(t->t, (size_t)t->n, sizeof *t->t, by_name);
    for (int i = 1; i < t->n; i++)
        if (!by_name(&t->t[i - 1], &t->t[i]))
            return err_set(EXIT_DATA, "tensor '%s' is there twice", t->t[i].name);
    return 0;
}

/* Room of T's for the bytes of X. */
static uint8_t *new_copy(struct tensors *t, const struct tensor *x)
{
    void *copy = xaligned(x->bytes);

    t->copy = xnrealloc(t->copy, (size_t)t->copies + 1, sizeof(void *));
    t->copy[t->copies++] = copy;
    return copy;
}

/* Old writers padded nothing, so data may lie at any address; readers want their own type's. */
static void align(struct tensors *t)
{
    for (int i = 0; i < t->n; i++) {
        struct tensor *x = &t->t[i];
        const size_t element = dtype_size(x->dtype);

        if (!element || (uintptr_t)x->data % element == 0)
            continue;
        uint8_t *copy = new_copy(t, x);

        memcpy(copy, x->data, x->bytes);
        x->data = copy;
    }
}

static int finish(struct tensors *t, struct tensors **out)
{
    if (sort_names(t) < 0)
        return -1;
    align(t);
    *out = t;
    return 0;
}

int tensors_parse(struct tensors **out, const char *name, const uint8_t *data, size_t size)
{
    struct tensors *t = xcalloc(1, sizeof *t);

    if (add_file(t, data, size) < 0 || finish(t, out) < 0) {
        tensors_close(t);
        return err_in("%s", name);
    }
    return 0;
}

/* ---- shards ---- */

static int add_shard(struct tensors *t, const struct pack *p, const char *file)
{
    const struct pack_file *f = pack_find(p, file);

    if (!f)
        return err_set(EXIT_NOINPUT, "'%s' is named by the index but is not there", file);
    return add_file(t, f->data, f->size) < 0 ? err_in("%s", file) : 0;
}

/* Each file that the map names, once. */
static int add_shards(struct tensors *t, const struct pack *p, const cJSON *map)
{
    const char **files = xnmalloc((size_t)cJSON_GetArraySize(map), sizeof *files);
    size_t n = 0;
    int rc = 0;

    for (const cJSON *m = map->child; m && !rc; m = m->next) {
        if (!cJSON_IsString(m))
            rc = err_set(EXIT_DATA, "'weight_map' has a value that is not text");
        else
            files[n++] = m->valuestring;
    }
    if (n)
        qsort(files, n, sizeof *files, text_order);
    for (size_t i = 0; i < n && !rc; i++)
        if (!i || strcmp(files[i - 1], files[i]))
            rc = add_shard(t, p, files[i]);
    free(files);
    return rc;
}

/* The map and the shards name the same tensors, each in the same file. T is sorted. */
static int check_map(const struct tensors *t, const struct pack *p, const cJSON *map)
{
    for (const cJSON *m = map->child; m; m = m->next) {
        const struct tensor *x = tensors_find(t, m->string);
        const struct pack_file *f = pack_find(p, m->valuestring);

        if (!x || x->data < f->data || x->data > f->data + f->size)
            return err_set(EXIT_DATA, "tensor '%s' is not in '%s'", m->string, m->valuestring);
    }
    if (t->n != cJSON_GetArraySize(map))
        return err_set(EXIT_DATA, "it names %d tensors, its files hold %d", cJSON_GetArraySize(map),
                       t->n);
    return 0;
}

static int open_shards(struct tensors *t, const struct pack *p, const struct pack_file *index)
{
    cJSON *json = json_parse((const char *)index->data, index->size);
    int rc = -1;

    if (!json)
        return err_in("%s", index->name);
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(json, "weight_map");

    if (!cJSON_IsObject(map))
        err_set(EXIT_DATA, "it has no 'weight_map'");
    else if (!add_shards(t, p, map) && !sort_names(t))
        rc = check_map(t, p, map);
    cJSON_Delete(json);
    return rc < 0 ? err_in("%s", index->name) : 0;
}

/* ---- a pack ---- */

static bool is_pickle(const char *name)
{
    static const char *const ends[] = { ".bin", ".pt", ".pth", ".ckpt", ".pkl" };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcmp(dot, ends[i]))
            return true;
    return false;
}

static int no_weights(const struct pack *p, const char *stem)
{
    for (int i = 0; i < pack_count(p); i++)
        if (is_pickle(pack_at(p, i)->name))
            return err_set(EXIT_DATA,
                           "'%s' may hold a pickle, which can run code and is not read; save the "
                           "model as safetensors",
                           pack_at(p, i)->name);
    return err_set(EXIT_NOINPUT,
                   "there is no %s.safetensors in it; give the folder or archive that holds it",
                   stem);
}

static int open_safetensors(struct tensors *t, const struct pack *p, const char *stem)
{
    struct buf name = BUF_INIT;
    const struct pack_file *single, *index;
    int rc;

    buf_printf(&name, "%s.safetensors", stem);
    single = pack_find(p, name.p);
    buf_puts(&name, ".index.json");
    index = pack_find(p, name.p);
    buf_free(&name);
    if (single)
        rc = add_file(t, single->data, single->size) < 0 ? err_in("%s", single->name) : 0;
    else
        rc = index ? open_shards(t, p, index) : no_weights(p, stem);
    return rc;
}

/* ---- a GGUF file ---- */

/* Rows in rotary pairs are put in order in copies; the file's pages are not wanted any more then.
 */
static void add_gguf(struct tensors *t, const struct pack *p, const struct gguf_named *named, int n)
{
    t->t = xnmalloc((size_t)n, sizeof *t->t);
    for (t->n = 0; t->n < n; t->n++) {
        struct tensor *x = &t->t[t->n];

        *x = named[t->n].t;
        if (!named[t->n].heads)
            continue;
        uint8_t *copy = new_copy(t, x);

        gguf_unpair(&named[t->n], copy);
        pack_let_go(p, x->data, x->bytes);
        x->data = copy;
    }
}

static int open_pack(struct tensors *t, const struct pack *p, const char *stem)
{
    int n;
    const struct gguf_named *named = pack_gguf_tensors(p, &n);

    if (named && !strcmp(stem, "model")) {
        add_gguf(t, p, named, n);
        return 0;
    }
    return open_safetensors(t, p, stem);
}

int tensors_open(struct tensors **out, const struct pack *p, const char *stem)
{
    struct tensors *t = xcalloc(1, sizeof *t);

    if (open_pack(t, p, stem) < 0 || finish(t, out) < 0) {
        tensors_close(t);
        return err_in("%s", pack_name(p));
    }
    return 0;
}

void tensors_close(struct tensors *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->headers; i++)
        cJSON_Delete(t->header[i]);
    for (int i = 0; i < t->copies; i++)
        free(t->copy[i]);
    free(t->header);
    free(t->copy);
    free(t->t);
    free(t);
}

int tensors_count(const struct tensors *t)
{
    return t->n;
}

const struct tensor *tensors_at(const struct tensors *t, int i)
{
    return &t->t[i];
}

const struct tensor *tensors_find(const struct tensors *t, const char *name)
{
    const struct tensor key = { .name = name };

    return t->n ? bsearch(&key, t->t, (size_t)t->n, sizeof *t->t, by_name) : NULL;
}

const char *tensors_metadata(const struct tensors *t, const char *key)
{
    for (int i = 0; i < t->headers; i++) {
        const cJSON *meta = cJSON_GetObjectItemCaseSensitive(t->header[i], "__metadata__");
        const cJSON *v = meta ? cJSON_GetObjectItemCaseSensitive(meta, key) : NULL;

        if (v)
            return v->valuestring;
    }
    return NULL;
}
