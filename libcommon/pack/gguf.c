#include "gguf.h"

#include "mem.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAGIC_BYTES = 4,
    ALIGNMENT = 32, /* where the file does not say */
    ALIGNMENT_MAX = 1 << 16,
    KEYS_MAX = 1 << 16,
    TENSORS_MAX = 1 << 18,
    NAME_MAX_BYTES = 1 << 12, /* the format allows 64 for tensors, and 65535 for keys */
    VALUE_BYTES_MIN = 8 + 4 + 1,
    TENSOR_BYTES_MIN = 8 + 4 + 8 + 4 + 8,
};

/* What is left to read of the file's head. */
struct head_reader {
    const uint8_t *p, *end;
};

static size_t left(const struct head_reader *r)
{
    return (size_t)(r->end - r->p);
}

static int is_cut(void)
{
    return err_set(EXIT_DATA, "the file ends inside its header; it is cut or damaged");
}

static int take(struct head_reader *r, size_t bytes, uint64_t *v)
{
    if (left(r) < bytes)
        return is_cut();
    *v = gguf_bits_at(r->p, bytes);
    r->p += bytes;
    return 0;
}

static int take_u32(struct head_reader *r, uint32_t *v)
{
    uint64_t wide = 0;

    if (take(r, 4, &wide) < 0)
        return -1;
    *v = (uint32_t)wide;
    return 0;
}

const uint8_t *gguf_take_text(const uint8_t *p, const char **text, size_t *n)
{
    *n = (size_t)gguf_bits_at(p, 8);
    *text = (const char *)p + 8;
    return p + 8 + *n;
}

/* Steps over a text after a look at it. */
static int check_text(struct head_reader *r, const char **text, size_t *n)
{
    uint64_t length = 0;

    if (take(r, 8, &length) < 0)
        return -1;
    if (length > left(r))
        return err_set(EXIT_DATA,
                       "a text should have %llu bytes, and the file has %zu more; it is cut or "
                       "damaged",
                       (unsigned long long)length, left(r));
    *text = (const char *)r->p;
    *n = (size_t)length;
    if (utf8_valid(*text, *n) != *n)
        return err_set(EXIT_DATA, "a text is not UTF-8");
    r->p += length;
    return 0;
}

/* A key or a tensor's name, as a copy. */
static int take_name(struct head_reader *r, char **name)
{
    const char *text = NULL;
    size_t n = 0;

    if (check_text(r, &text, &n) < 0)
        return -1;
    if (!n || n > NAME_MAX_BYTES || memchr(text, 0, n))
        return err_set(EXIT_DATA, "a name is empty, longer than %d bytes or has a U+0000",
                       NAME_MAX_BYTES);
    *name = xstrndup(text, n);
    return 0;
}

/* ---- values ---- */

static const uint8_t type_bytes[GGUF_TYPES] = {
    [GGUF_U8] = 1,   [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
    [GGUF_BOOL] = 1, [GGUF_F32] = 4, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

static int check_texts(struct head_reader *r, uint64_t n)
{
    const char *text;
    size_t length;

    if (n > left(r) / 8)
        return err_set(EXIT_DATA, "an array of %llu texts does not fit into the file",
                       (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++)
        if (check_text(r, &text, &length) < 0)
            return -1;
    return 0;
}

static int check_numbers(struct head_reader *r, enum gguf_type type, uint64_t n)
{
    const size_t bytes = type_bytes[type];

    if (n > left(r) / bytes)
        return err_set(EXIT_DATA, "%llu values do not fit into the file; it is cut or damaged",
                       (unsigned long long)n);
    for (uint64_t i = 0; type == GGUF_BOOL && i < n; i++)
        if (r->p[i] > 1)
            return err_set(EXIT_DATA, "a truth value is %d, neither 0 nor 1", r->p[i]);
    r->p += n * bytes;
    return 0;
}

static int take_type(struct head_reader *r, uint32_t *type)
{
    if (take_u32(r, type) < 0)
        return -1;
    return *type < GGUF_TYPES ? 0 : err_set(EXIT_DATA, "a value has the unknown type %u", *type);
}

static int take_value(struct head_reader *r, struct gguf_value *v)
{
    uint32_t type = 0;

    if (take_type(r, &type) < 0)
        return -1;
    v->n = 1;
    v->array = type == GGUF_ARRAY;
    if (v->array && (take_type(r, &type) < 0 || take(r, 8, &v->n) < 0))
        return -1;
    if (type == GGUF_ARRAY)
        return err_set(EXIT_DATA, "an array of arrays, which no model has");
    v->type = (enum gguf_type)type;
    v->p = r->p;
    return v->type == GGUF_TEXT ? check_texts(r, v->n) : check_numbers(r, v->type, v->n);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct gguf_value *)a)->key, ((const struct gguf_value *)b)->key);
}

static int take_values(struct gguf *g, struct head_reader *r, uint64_t n)
{
    if (n > KEYS_MAX || n > left(r) / VALUE_BYTES_MIN)
        return err_set(EXIT_DATA, "%llu keys do not fit into the file", (unsigned long long)n);
    g->value = xcalloc((size_t)n, sizeof *g->value);
    while ((uint64_t)g->values < n) {
        struct gguf_value *v = &g->value[g->values];

        if (take_name(r, &v->key) < 0)
            return err_in("key %d", g->values + 1);
        g->values++;
        if (take_value(r, v) < 0)
            return err_in("'%s'", v->key);
    }
    if (n)
        qsort(g->value, (size_t)n, sizeof *g->value, by_key);
    for (int i = 1; i < g->values; i++)
        if (!by_key(&g->value[i - 1], &g->value[i]))
            return err_set(EXIT_DATA, "key '%s' is there twice", g->value[i].key);
    return 0;
}

/* ---- tensors ---- */

/* By their numbers in the file. NULL: there was never one, or it is gone. */
static const struct {
    const char *name;
    enum dtype dtype; /* DT_NONE: a name only */
} tensor_types[] = {
    [0] = { "F32", DT_F32 },          [1] = { "F16", DT_F16 },
    [2] = { "Q4_0", DT_Q4_0 },        [3] = { "Q4_1", DT_Q4_1 },
    [6] = { "Q5_0", DT_Q5_0 },        [7] = { "Q5_1", DT_Q5_1 },
    [8] = { "Q8_0", DT_Q8_0 },        [9] = { "Q8_1", DT_NONE },
    [10] = { "Q2_K", DT_Q2_K },       [11] = { "Q3_K", DT_Q3_K },
    [12] = { "Q4_K", DT_Q4_K },       [13] = { "Q5_K", DT_Q5_K },
    [14] = { "Q6_K", DT_Q6_K },       [15] = { "Q8_K", DT_NONE },
    [16] = { "IQ2_XXS", DT_NONE },    [17] = { "IQ2_XS", DT_NONE },
    [18] = { "IQ3_XXS", DT_NONE },    [19] = { "IQ1_S", DT_NONE },
    [20] = { "IQ4_NL", DT_IQ4_NL },   [21] = { "IQ3_S", DT_NONE },
    [22] = { "IQ2_S", DT_NONE },      [23] = { "IQ4_XS", DT_IQ4_XS },
    [24] = { "I8", DT_NONE },         [25] = { "I16", DT_NONE },
    [26] = { "I32", DT_NONE },        [27] = { "I64", DT_NONE },
    [28] = { "F64", DT_NONE },        [29] = { "IQ1_M", DT_NONE },
    [30] = { "BF16", DT_BF16 },       [31] = { "Q4_0_4_4", DT_NONE },
    [32] = { "Q4_0_4_8", DT_NONE },   [33] = { "Q4_0_8_8", DT_NONE },
    [34] = { "TQ1_0", DT_NONE },      [35] = { "TQ2_0", DT_NONE },
    [36] = { "IQ4_NL_4_4", DT_NONE }, [37] = { "IQ4_NL_4_8", DT_NONE },
    [38] = { "IQ4_NL_8_8", DT_NONE }, [39] = { "MXFP4", DT_NONE },
    [40] = { "NVFP4", DT_NONE },      [41] = { "Q1_0", DT_NONE },
};

static int find_type(uint32_t number, enum dtype *dtype)
{
    const bool named =
        number < sizeof tensor_types / sizeof *tensor_types && tensor_types[number].name;

    if (!named)
        return err_set(EXIT_DATA, "its type %u is not known", number);
    *dtype = tensor_types[number].dtype;
    return *dtype ? 0
                  : err_set(EXIT_NODEVICE,
                            "its type %s is not supported; take the model in another one, as Q4_K, "
                            "Q8_0 or BF16",
                            tensor_types[number].name);
}

/* Sizes of a whole tensor: N, BYTES. Its rows are whole blocks. */
static int check_shape(struct gguf_tensor *t)
{
    const int64_t block = dtype_block(t->dtype);

    t->n = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(t->n, t->shape[i], &t->n) || t->n > INT64_MAX / 16)
            return err_set(EXIT_DATA, "its shape is too large");
    if (t->shape[t->rank - 1] % block)
        return err_set(EXIT_DATA, "a row has %lld values, which are no whole blocks of %lld",
                       (long long)t->shape[t->rank - 1], (long long)block);
    t->bytes = dtype_bytes(t->dtype, (size_t)t->n);
    return 0;
}

/* OFFSET is left for when it is known where the data begin. */
static int take_tensor(struct head_reader *r, struct gguf_tensor *t, uint64_t *offset)
{
    uint32_t rank = 0, type = 0;
    uint64_t size = 0;

    if (take_u32(r, &rank) < 0)
        return -1;
    if (rank < 1 || rank > GGUF_RANK_MAX)
        return err_set(EXIT_DATA, "it has %u dimensions, not 1 to %d", rank, GGUF_RANK_MAX);
    t->rank = (int)rank;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (take(r, 8, &size) < 0)
            return -1;
        if (size < 1 || size > INT64_MAX)
            return err_set(EXIT_DATA, "a dimension of %llu", (unsigned long long)size);
        t->shape[i] = (int64_t)size;
    }
    if (take_u32(r, &type) < 0 || take(r, 8, offset) < 0 || find_type(type, &t->dtype) < 0)
        return -1;
    return check_shape(t);
}

static int place_tensor(struct gguf_tensor *t, const uint8_t *data, size_t size, uint64_t offset,
                        size_t alignment)
{
    if (offset % alignment)
        return err_set(EXIT_DATA, "its place %llu is no multiple of the alignment, %zu",
                       (unsigned long long)offset, alignment);
    if (offset > size || t->bytes > size - offset)
        return err_set(EXIT_DATA,
                       "its %zu bytes from %llu on are not inside the %zu bytes of the file's "
                       "data; the file is cut or damaged",
                       t->bytes, (unsigned long long)offset, size);
    t->data = data + offset;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct gguf_tensor *x = a, *y = b;

    return (x->data > y->data) - (x->data < y->data);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct gguf_tensor *)a)->name, ((const struct gguf_tensor *)b)->name);
}

/* Between them there may be room, as the alignment makes it; every byte is one tensor's at most. */
static int check_tensors(struct gguf *g)
{
    struct gguf_tensor *t = g->tensor;

    if (g->tensors)
        qsort(t, (size_t)g->tensors, sizeof *t, by_place);
    for (int i = 1; i < g->tensors; i++)
        if (t[i - 1].data + t[i - 1].bytes > t[i].data)
            return err_set(EXIT_DATA, "tensors '%s' and '%s' overlap", t[i - 1].name, t[i].name);
    if (g->tensors)
        qsort(t, (size_t)g->tensors, sizeof *t, by_name);
    for (int i = 1; i < g->tensors; i++)
        if (!by_name(&t[i - 1], &t[i]))
            return err_set(EXIT_DATA, "tensor '%s' is there twice", t[i].name);
    return 0;
}

static int find_alignment(const struct gguf *g, size_t *alignment)
{
    static const char key[] = "general.alignment";
    int64_t v = ALIGNMENT;

    if (gguf_int(g, key, &v, 0, INT64_MAX) < 0)
        return -1;
    if (v < 1 || v > ALIGNMENT_MAX || (v & (v - 1)))
        return err_set(EXIT_DATA, "'%s' is %lld, no power of two up to %d", key, (long long)v,
                       ALIGNMENT_MAX);
    *alignment = (size_t)v;
    return 0;
}

static int place_all(struct gguf *g, const uint8_t *file, const struct head_reader *r,
                     const uint64_t *offset)
{
    size_t alignment = 0;

    if (find_alignment(g, &alignment) < 0)
        return -1;
    const size_t head = (size_t)(r->p - file), size = (size_t)(r->end - file);
    const size_t begin = (head + alignment - 1) / alignment * alignment;

    if (g->tensors && begin > size)
        return is_cut();
    for (int i = 0; i < g->tensors; i++)
        if (place_tensor(&g->tensor[i], file + begin, size - begin, offset[i], alignment) < 0)
            return err_in("tensor '%s'", g->tensor[i].name);
    return check_tensors(g);
}

static int take_tensors(struct gguf *g, struct head_reader *r, uint64_t n, const uint8_t *file)
{
    int rc = 0;

    if (n > TENSORS_MAX || n > left(r) / TENSOR_BYTES_MIN)
        return err_set(EXIT_DATA, "%llu tensors do not fit into the file", (unsigned long long)n);
    uint64_t *offset = xnmalloc((size_t)n, sizeof *offset);

    g->tensor = xcalloc((size_t)n, sizeof *g->tensor);
    while (rc == 0 && (uint64_t)g->tensors < n) {
        struct gguf_tensor *t = &g->tensor[g->tensors];

        if (take_name(r, &t->name) < 0) {
            rc = err_in("tensor %d", g->tensors + 1);
            break;
        }
        if (take_tensor(r, t, &offset[g->tensors++]) < 0)
            rc = err_in("tensor '%s'", t->name);
    }
    if (rc == 0)
        rc = place_all(g, file, r, offset);
    free(offset);
    return rc;
}

/* ---- the file ---- */

bool gguf_is(const void *bytes, size_t n)
{
    return n >= MAGIC_BYTES && !memcmp(bytes, "GGUF", MAGIC_BYTES);
}

static int take_version(struct head_reader *r)
{
    uint32_t version = 0;

    if (take_u32(r, &version) < 0)
        return -1;
    if (version == 2 || version == 3)
        return 0;
    if (version && !(version & 0xffff))
        return err_set(EXIT_NODEVICE, "is a GGUF file for big-endian machines; take the usual one");
    return err_set(EXIT_NODEVICE, "is a GGUF file of version %u; versions 2 and 3 are supported",
                   version);
}

int gguf_parse(struct gguf **out, const uint8_t *data, size_t size)
{
    struct head_reader r = { data, data + size };
    uint64_t tensors = 0, values = 0;

    if (!gguf_is(data, size))
        return err_set(EXIT_DATA, "does not begin as a GGUF file does");
    r.p += MAGIC_BYTES;
    if (take_version(&r) < 0 || take(&r, 8, &tensors) < 0 || take(&r, 8, &values) < 0)
        return -1;
    struct gguf *g = xcalloc(1, sizeof *g);

    if (take_values(g, &r, values) < 0 || take_tensors(g, &r, tensors, data) < 0) {
        gguf_free(g);
        return -1;
    }
    *out = g;
    return 0;
}

void gguf_free(struct gguf *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->values; i++)
        free(g->value[i].key);
    for (int i = 0; i < g->tensors; i++)
        free(g->tensor[i].name);
    free(g->value);
    free(g->tensor);
    free(g);
}
