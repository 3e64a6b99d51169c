#include "run/upload.h"

#include "mem.h"

#include <stdlib.h>

size_t upload_add(struct upload *u, const void *data, size_t bytes)
{
    const size_t at = (u->n + UPLOAD_ALIGN - 1) / UPLOAD_ALIGN * UPLOAD_ALIGN;

    if (at + bytes > u->cap) {
        u->cap = 2 * (at + bytes);
        u->host = xrealloc(u->host, u->cap);
    }
    memset(u->host + u->n, 0, at - u->n);
    if (bytes)
        memcpy(u->host + at, data, bytes);
    u->n = at + bytes;
    return at;
}

void upload_free(struct upload *u)
{
    free(u->host);
    *u = (struct upload){ 0 };
}
