/*
 * mem.h - host memory: never NULL, sizes checked before they are multiplied.
 *
 * When memory runs out these functions print one line and exit with EXIT_MEMORY. Sizes that come
 * from outside go through mul_size first, so that a hostile header is bad data, not an allocation.
 */
#ifndef MEM_H
#define MEM_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *xmalloc(size_t bytes);                        /* not cleared; 0 bytes gives a valid pointer */
void *xcalloc(size_t n, size_t size);               /* cleared */
void *xrealloc(void *p, size_t bytes);
void *xnmalloc(size_t n, size_t size);              /* n * size, overflow is out of memory */
void *xnrealloc(void *p, size_t n, size_t size);
void *xaligned(size_t bytes);                       /* 64-byte aligned; release with free */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

bool text_is(const void *p, size_t n, const char *s); /* the N bytes at P are those of S */
bool text_ends_with(const char *s, const char *end);
int text_order(const void *a, const void *b);       /* of two char *, for qsort */

/* *OUT = a * b; -1 and "too large" (EXIT_DATA) when it does not fit. */
MUST_USE int mul_size(size_t *out, size_t a, size_t b);
MUST_USE int add_size(size_t *out, size_t a, size_t b);

/* A byte string that grows. Zero it to start; P is NULL while empty, else 0-terminated at P[n]. */
struct buf {
    char *p;
    size_t n, cap;
};

#define BUF_INIT { NULL, 0, 0 }
void buf_grow(struct buf *b, size_t more);          /* for buf_reserve */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_clear(struct buf *b);                      /* n = 0, keeps the memory */
void buf_free(struct buf *b);

/* Room for MORE bytes behind n, and a 0. */
static inline void buf_reserve(struct buf *b, size_t more)
{
    if (more >= b->cap - b->n)
        buf_grow(b, more);
}

static inline void buf_putc(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->p[b->n++] = c;
    b->p[b->n] = 0;
}

#endif
