/* Device memory of the reference backend is host memory; a struct dev * is its address. */
#include "ref_impl.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 256 };

static struct dev *mem_alloc(size_t bytes)
{
    const size_t whole = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    void *p = whole >= bytes ? aligned_alloc(ALIGN, whole) : NULL;

    if (!p)
        err_set(EXIT_MEMORY,
                "no room for %zu bytes of working memory; use a smaller batch or model", bytes);
    return p;
}

static void mem_release(struct dev *d)
{
    free(d);
}

static const struct dev *mem_adopt(const void *host, size_t bytes)
{
    (void)bytes;
    return host;
}

static void mem_disown(const struct dev *d)
{
    (void)d;
}

static struct dev *mem_slice(struct dev *d, size_t offset)
{
    return (void *)((char *)(void *)d + offset);
}

static const struct dev *mem_slice_const(const struct dev *d, size_t offset)
{
    return (const void *)((const char *)(const void *)d + offset);
}

static int mem_put(struct dev *to, const void *host, size_t bytes)
{
    memcpy(to, host, bytes);
    return 0;
}

static int mem_get(void *host, const struct dev *from, size_t bytes)
{
    memcpy(host, from, bytes);
    return 0;
}

static int mem_copy(struct dev *to, const struct dev *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return 0;
}

static int mem_zero(struct dev *d, size_t bytes)
{
    memset(d, 0, bytes);
    return 0;
}

static void mem_use(struct memory_use *use)
{
    *use = (struct memory_use){ 0 };
}

void ref_memory_ops(struct ops *o)
{
    o->alloc = mem_alloc;
    o->release = mem_release;
    o->adopt = mem_adopt;
    o->disown = mem_disown;
    o->slice = mem_slice;
    o->slice_const = mem_slice_const;
    o->put = mem_put;
    o->get = mem_get;
    o->copy = mem_copy;
    o->zero = mem_zero;
    o->memory_use = mem_use;
}
