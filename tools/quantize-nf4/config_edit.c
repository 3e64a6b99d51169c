#include "config_edit.h"

#include <stdlib.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

struct member {
    struct span key, value; /* key with its quotes */
};

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

/* Behind the value at P. */
static const char *skip_value(const char *p)
{
    int depth = 0;

    do {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        p++;
    } while (depth || !strchr(",]} \t\r\n", *p));
    return p;
}

static struct span take(const char **p, const char *(*skip)(const char *))
{
    struct span s = { skip_space(*p), 0 };

    *p = skip(s.p);
    s.n = (size_t)(*p - s.p);
    return s;
}

static void put_value(struct buf *out, struct span v, int indent);

static void new_line(struct buf *out, int indent)
{
    buf_putc(out, '\n');
    for (int i = 0; i < indent; i++)
        buf_puts(out, "  ");
}

static int by_key(const void *a, const void *b)
{
    const struct span *x = &((const struct member *)a)->key, *y = &((const struct member *)b)->key;
    const size_t n = x->n < y->n ? x->n : y->n;
    const int order = memcmp(x->p, y->p, n - 1); /* not the last quote */

    if (!order && x->n == y->n) /* twice the same: the last one still counts */
        return (x->p > y->p) - (x->p < y->p);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static struct member *members(const char *p, size_t *n)
{
    struct member *m = NULL;

    *n = 0;
    for (p = skip_space(p + 1); *p != '}'; p = skip_space(p)) {
        m = xnrealloc(m, *n + 1, sizeof *m);
        m[*n].key = take(&p, skip_string);
        p = skip_space(p) + 1;
        m[*n].value = take(&p, skip_value);
        p = skip_space(p);
        p += *p == ',';
        ++*n;
    }
    return m;
}

static void put_members(struct buf *out, struct member *m, size_t n, int indent)
{
    if (n)
        qsort(m, n, sizeof *m, by_key);
    buf_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(out, ',');
        new_line(out, indent + 1);
        buf_add(out, m[i].key.p, m[i].key.n);
        buf_puts(out, ": ");
        put_value(out, m[i].value, indent + 1);
    }
    if (n)
        new_line(out, indent);
    buf_putc(out, '}');
}

static void put_array(struct buf *out, const char *p, int indent)
{
    bool first = true;

    buf_putc(out, '[');
    for (p = skip_space(p + 1); *p != ']'; first = false) {
        if (!first)
            buf_putc(out, ',');
        new_line(out, indent + 1);
        put_value(out, take(&p, skip_value), indent + 1);
        p = skip_space(p);
        p = skip_space(p + (*p == ','));
    }
    if (!first)
        new_line(out, indent);
    buf_putc(out, ']');
}

static void put_value(struct buf *out, struct span v, int indent)
{
    if (*v.p == '{') {
        size_t n;
        struct member *m = members(v.p, &n);

        put_members(out, m, n, indent);
        free(m);
    } else if (*v.p == '[') {
        put_array(out, v.p, indent);
    } else {
        buf_add(out, v.p, v.n);
    }
}

static bool is_key(const struct member *m, const char *key)
{
    return m->key.n == strlen(key) + 2 && !memcmp(m->key.p + 1, key, m->key.n - 2);
}

void config_edit(struct buf *out, const char *text, size_t n, const char *quantization,
                 const char *dtype)
{
    static const char key[] = "\"quantization_config\"";
    char *copy = xstrndup(text, n); /* with a 0 behind it */
    size_t count, kept = 0;
    struct member *m = members(skip_space(copy), &count);

    for (size_t i = 0; i < count; i++) {
        if (dtype && (is_key(&m[i], "dtype") || is_key(&m[i], "torch_dtype")))
            m[i].value = (struct span){ dtype, strlen(dtype) };
        if (!is_key(&m[i], "quantization_config"))
            m[kept++] = m[i];
    }
    if (quantization) {
        m = xnrealloc(m, kept + 1, sizeof *m);
        m[kept].key = (struct span){ key, strlen(key) };
        m[kept++].value = (struct span){ quantization, strlen(quantization) };
    }
    put_members(out, m, kept, 0);
    buf_putc(out, '\n');
    free(m);
    free(copy);
}
