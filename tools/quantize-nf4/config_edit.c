#include "config_edit.h"

#include "json_walk.h"

#include <stdlib.h>
#include <string.h>

/* Places in the text. */
struct member {
    const char *key; /* NULL: an item of an array */
    const char *value;
};

static size_t length_of(const char *p)
{
    return (size_t)(json_end(p) - p);
}

static int by_key(const void *a, const void *b)
{
    const char *x = ((const struct member *)a)->key, *y = ((const struct member *)b)->key;
    const size_t nx = length_of(x), ny = length_of(y), n = nx < ny ? nx : ny;
    const int order = memcmp(x, y, n - 1); /* not the last quote */

    if (!order && nx == ny) /* twice the same: the last one still counts */
        return (x > y) - (x < y);
    return order ? order : (nx > ny) - (nx < ny);
}

/* What is in the object or array at P, to be freed. */
static struct member *members(const char *p, size_t *n)
{
    const bool object = *p == '{';
    struct member *m = NULL;

    *n = 0;
    for (p = json_first(p); p; p = json_next(json_end(m[(*n)++].value))) {
        m = xnrealloc(m, *n + 1, sizeof *m);
        m[*n] = object ? (struct member){ p, json_value(json_end(p)) } : (struct member){ NULL, p };
    }
    return m;
}

static void put_value(struct buf *out, const char *p, int indent);

static void new_line(struct buf *out, int indent)
{
    buf_printf(out, "\n%*s", 2 * indent, "");
}

static void put_members(struct buf *out, struct member *m, size_t n, bool object, int indent)
{
    if (n && object)
        qsort(m, n, sizeof *m, by_key);
    buf_putc(out, object ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(out, ',');
        new_line(out, indent + 1);
        if (object) {
            buf_add(out, m[i].key, length_of(m[i].key));
            buf_puts(out, ": ");
        }
        put_value(out, m[i].value, indent + 1);
    }
    if (n)
        new_line(out, indent);
    buf_putc(out, object ? '}' : ']');
}

static void put_value(struct buf *out, const char *p, int indent)
{
    if (*p == '{' || *p == '[') {
        size_t n;
        struct member *m = members(p, &n);

        put_members(out, m, n, *p == '{', indent);
        free(m);
    } else {
        buf_add(out, p, length_of(p));
    }
}

/* KEY with its quotes. */
static bool is_key(const struct member *m, const char *key)
{
    return !strncmp(m->key, key, strlen(key));
}

void config_edit(struct buf *out, const char *text, const char *quantization, const char *dtype)
{
    static const char key[] = "\"quantization_config\"";
    size_t n, kept = 0;
    struct member *m = members(json_begin(text), &n);

    for (size_t i = 0; i < n; i++) {
        if (dtype && (is_key(&m[i], "\"dtype\"") || is_key(&m[i], "\"torch_dtype\"")))
            m[i].value = dtype;
        if (!is_key(&m[i], key))
            m[kept++] = m[i];
    }
    if (quantization) {
        m = xnrealloc(m, kept + 1, sizeof *m);
        m[kept++] = (struct member){ key, quantization };
    }
    put_members(out, m, kept, true, 0);
    buf_putc(out, '\n');
    free(m);
}
