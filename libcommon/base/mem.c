#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p, size_t bytes)
{
    if (!p)
        die(EXIT_MEMORY, "out of memory: %zu bytes were wanted", bytes);
    return p;
}

void *xmalloc(size_t bytes)
{
    return must(malloc(bytes ? bytes : 1), bytes);
}

void *xcalloc(size_t n, size_t size)
{
    return must(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *xrealloc(void *p, size_t bytes)
{
    return must(realloc(p, bytes ? bytes : 1), bytes);
}

static size_t product(size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes))
        die(EXIT_MEMORY, "out of memory: %zu times %zu bytes were wanted", n, size);
    return bytes;
}

void *xnmalloc(size_t n, size_t size)
{
    return xmalloc(product(n, size));
}

void *xnrealloc(void *p, size_t n, size_t size)
{
    return xrealloc(p, product(n, size));
}

void *xaligned(size_t bytes)
{
    const size_t rounded = (bytes + 63) & ~(size_t)63;

    if (rounded < bytes)
        die(EXIT_MEMORY, "out of memory: %zu bytes were wanted", bytes);
    return must(aligned_alloc(64, rounded ? rounded : 64), bytes);
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    char *copy = xmalloc(n + 1);

    memcpy(copy, s, n);
    copy[n] = 0;
    return copy;
}

int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool text_is(const void *p, size_t n, const char *s)
{
    return n == strlen(s) && !memcmp(p, s, n);
}

bool text_ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

int mul_size(size_t *out, size_t a, size_t b)
{
    if (__builtin_mul_overflow(a, b, out))
        return err_set(EXIT_DATA, "size %zu x %zu is too large", a, b);
    return 0;
}

int add_size(size_t *out, size_t a, size_t b)
{
    if (__builtin_add_overflow(a, b, out))
        return err_set(EXIT_DATA, "size %zu + %zu is too large", a, b);
    return 0;
}

void buf_grow(struct buf *b, size_t more)
{
    const size_t want = b->n + more + 1;

    if (want <= more)
        die(EXIT_MEMORY, "out of memory: %zu bytes were wanted", more);
    b->cap = want > b->cap * 2 ? want : b->cap * 2;
    b->p = xrealloc(b->p, b->cap);
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    buf_reserve(b, n);
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
    b->p[b->n] = 0;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);

    if (n < 0)
        die(EXIT_NUMERIC, "cannot format '%s'", fmt);
    buf_reserve(b, (size_t)n);
    (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    b->n += (size_t)n;
    va_end(ap);
    va_end(again);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = 0;
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf)BUF_INIT;
}
