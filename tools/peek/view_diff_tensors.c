#include "holder.h"
#include "json.h"
#include "view.h"

#include <string.h>

static int report(const struct peek *p, struct buf *line)
{
    buf_putc(line, '\n');
    const int rc = write_text(p, line->p, line->n);

    buf_free(line);
    return rc < 0 ? -1 : err_unmet();
}

static int only_in(const struct peek *p, const char *what, const char *name, const struct holder *h)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "%s '%s' is only in %s", what, name, pack_name(h->pack));
    return report(p, &line);
}

/* The element at byte AT of T: a float as such, anything else as its bytes in hexadecimal. */
static void put_element(struct buf *b, const struct tensor *t, size_t at)
{
    const uint8_t *p = t->data + at;
    uint16_t half;
    float f;

    if (t->dtype == DT_F32) {
        memcpy(&f, p, sizeof f);
        json_put_float(b, f);
    } else if (t->dtype == DT_F16 || t->dtype == DT_BF16) {
        memcpy(&half, p, sizeof half);
        json_put_float(b, t->dtype == DT_F16 ? f32_of_f16(half) : f32_of_bf16(half));
    } else {
        buf_puts(b, "0x");
        for (size_t i = dtype_size(t->dtype); i-- > 0;)
            buf_printf(b, "%02x", p[i]);
    }
}

static int diff_data(const struct peek *p, const struct tensor *a, const struct tensor *b)
{
    const size_t size = dtype_size(a->dtype);
    struct buf line = BUF_INIT;
    size_t at = 0;

    if (!a->bytes || !memcmp(a->data, b->data, a->bytes))
        return 0;
    while (a->data[at] == b->data[at])
        at++;
    at -= at % size;
    buf_printf(&line, "tensor '%s': element %zu: ", a->name, at / size);
    put_element(&line, a, at);
    buf_puts(&line, ", ");
    put_element(&line, b, at);
    return report(p, &line);
}

static int diff_tensor(const struct peek *p, const struct tensor *a, const struct tensor *b)
{
    struct buf line = BUF_INIT;

    if (a->dtype == b->dtype && a->rank == b->rank &&
        !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape))
        return diff_data(p, a, b);
    buf_printf(&line, "tensor '%s': %s ", a->name, dtype_name(a->dtype));
    put_shape(&line, a);
    buf_printf(&line, ", %s ", dtype_name(b->dtype));
    put_shape(&line, b);
    return report(p, &line);
}

static int diff_all_tensors(const struct peek *p, const struct holder *a, const struct holder *b)
{
    for (int i = 0; i < tensors_count(a->tensors); i++) {
        const struct tensor *t = tensors_at(a->tensors, i), *u = tensors_find(b->tensors, t->name);
        const int rc = u ? diff_tensor(p, t, u) : only_in(p, "tensor", t->name, a);

        if (rc)
            return rc;
    }
    for (int i = 0; i < tensors_count(b->tensors); i++)
        if (!tensors_find(a->tensors, tensors_at(b->tensors, i)->name))
            return only_in(p, "tensor", tensors_at(b->tensors, i)->name, b);
    return 0;
}

/* Shards and their index are compared as tensors. */
static bool holds_weights(const char *name)
{
    return strstr(name, ".safetensors") != NULL;
}

static int diff_files(const struct peek *p, const struct holder *a, const struct holder *b)
{
    for (int i = 0; i < pack_count(a->pack); i++) {
        const struct pack_file *f = pack_at(a->pack, i), *g = pack_find(b->pack, f->name);
        struct buf line = BUF_INIT;

        if (holds_weights(f->name))
            continue;
        if (!g)
            return only_in(p, "file", f->name, a);
        if (f->size == g->size && !memcmp(f->data, g->data, f->size))
            continue;
        buf_printf(&line, "file '%s' differs", f->name);
        return report(p, &line);
    }
    for (int i = 0; i < pack_count(b->pack); i++)
        if (!holds_weights(pack_at(b->pack, i)->name) &&
            !pack_find(a->pack, pack_at(b->pack, i)->name))
            return only_in(p, "file", pack_at(b->pack, i)->name, b);
    return 0;
}

int diff_tensors(const struct peek *p, const char *path_a, const char *path_b)
{
    struct holder a, b;

    if (holder_open(&a, path_a) < 0)
        return -1;
    if (holder_open(&b, path_b) < 0) {
        holder_close(&a);
        return -1;
    }
    int rc = diff_all_tensors(p, &a, &b);

    if (!rc)
        rc = diff_files(p, &a, &b);
    holder_close(&a);
    holder_close(&b);
    return rc;
}
