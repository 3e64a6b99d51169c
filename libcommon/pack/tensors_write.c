#include "json.h"
#include "mem.h"
#include "tensors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct declared {
    char *name;
    enum dtype dtype;
    int rank, index;
    int64_t shape[TENSOR_RANK_MAX];
    size_t bytes, from; /* FROM the beginning of the file */
};

struct tensors_writer {
    struct declared *t; /* as declared; after begin in the order of the file */
    int *order;         /* which was declared as what comes next */
    int *place;         /* where in the order stands what was declared */
    int n, at;          /* the tensor whose bytes come next */
    size_t done;        /* bytes of it that came */
    struct pack_writer *out;
    struct buf metadata; /* members behind "format" */
};

struct tensors_writer *tensors_writer_new(void)
{
    return xcalloc(1, sizeof(struct tensors_writer));
}

void tensors_describe(struct tensors_writer *w, const char *key, const char *value)
{
    buf_putc(&w->metadata, ',');
    json_put_text(&w->metadata, key, strlen(key));
    buf_putc(&w->metadata, ':');
    json_put_text(&w->metadata, value, strlen(value));
}

int tensors_declare(struct tensors_writer *w, const char *name, enum dtype dtype, int rank,
                    const int64_t *shape)
{
    struct declared d = { .dtype = dtype, .rank = rank, .index = w->n, .bytes = dtype_size(dtype) };

    assert(rank <= TENSOR_RANK_MAX && d.bytes && !w->order);
    for (int i = 0; i < rank; i++) {
        d.shape[i] = shape[i];
        if (mul_size(&d.bytes, d.bytes, (size_t)shape[i]) < 0)
            die_err();
    }
    d.name = xstrdup(name);
    w->t = xnrealloc(w->t, (size_t)w->n + 1, sizeof *w->t);
    w->t[w->n] = d;
    return w->n++;
}

/* The order of the safetensors library: the widest types first, so that all data lie aligned. */
static int by_file_order(const void *a, const void *b)
{
    const struct declared *x = a, *y = b;

    if (x->dtype != y->dtype)
        return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void put_entry(struct buf *b, const struct declared *t, size_t from)
{
    buf_putc(b, ',');
    json_put_text(b, t->name, strlen(t->name));
    buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++)
        buf_printf(b, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", from, from + t->bytes);
}

enum { PREFIX = 8 }; /* the length of the header */

/* The header behind its length; *SIZE is that of the file. */
static void put_header(struct buf *b, struct tensors_writer *w, size_t *size)
{
    size_t data = 0;

    buf_puts(b, "{\"__metadata__\":{\"format\":\"pt\"");
    buf_add(b, w->metadata.p ? w->metadata.p : "", w->metadata.n);
    buf_putc(b, '}');
    for (int i = 0; i < w->n; i++) {
        put_entry(b, &w->t[i], data);
        data += w->t[i].bytes;
    }
    buf_putc(b, '}');
    while (b->n % 8)
        buf_putc(b, ' ');
    *size = PREFIX + b->n;
    for (int i = 0; i < w->n; i++) {
        w->t[i].from = *size;
        *size += w->t[i].bytes;
    }
}

/* Goes past tensors without bytes. */
static void next_tensor(struct tensors_writer *w)
{
    while (w->at < w->n && w->done == w->t[w->at].bytes) {
        w->at++;
        w->done = 0;
    }
}

int tensors_write_begin(struct tensors_writer *w, struct pack_writer *out, const char *file)
{
    struct buf header = BUF_INIT;
    uint8_t length[PREFIX];
    size_t size;
    int rc;

    if (w->n)
        qsort(w->t, (size_t)w->n, sizeof *w->t, by_file_order);
    w->order = xnmalloc((size_t)w->n, sizeof *w->order);
    w->place = xnmalloc((size_t)w->n, sizeof *w->place);
    for (int i = 0; i < w->n; i++) {
        assert(!i || strcmp(w->t[i - 1].name, w->t[i].name));
        w->order[i] = w->t[i].index;
        w->place[w->order[i]] = i;
    }
    w->out = out;
    put_header(&header, w, &size);
    for (int i = 0; i < PREFIX; i++)
        length[i] = (uint8_t)((uint64_t)header.n >> 8 * i);
    rc = pack_begin(out, file, size);
    if (!rc)
        rc = pack_write(out, length, sizeof length);
    if (!rc)
        rc = pack_write(out, header.p, header.n);
    buf_free(&header);
    next_tensor(w);
    return rc;
}

const int *tensors_write_order(const struct tensors_writer *w)
{
    return w->order;
}

int tensors_write_data(struct tensors_writer *w, const void *bytes, size_t n)
{
    if (!n)
        return 0;
    assert(w->at < w->n && n <= w->t[w->at].bytes - w->done);
    w->done += n;
    next_tensor(w);
    return pack_write(w->out, bytes, n);
}

int tensors_write_at(struct tensors_writer *w, int index, size_t from, const void *bytes, size_t n)
{
    const struct declared *t = &w->t[w->place[index]];

    assert(from <= t->bytes && n <= t->bytes - from);
    return pack_write_at(w->out, t->from + from, bytes, n);
}

void tensors_writer_free(struct tensors_writer *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n; i++)
        free(w->t[i].name);
    buf_free(&w->metadata);
    free(w->t);
    free(w->order);
    free(w->place);
    free(w);
}

int tensors_write_end(struct tensors_writer *w)
{
    struct pack_writer *out = w->out;

    assert(w->at == w->n || pack_is_folder(out)); /* there they may have come in any order */
    tensors_writer_free(w);
    return pack_end(out);
}
