#include "arena.h"

#include "mem.h"

#include <stdlib.h>

void arena_grow(struct arena *a, size_t bytes)
{
    const size_t size = bytes > 4096 ? bytes : 4096;
    struct arena_block *b = xmalloc(sizeof *b + size);

    *b = (struct arena_block){ .next = a->newest, .size = size };
    a->newest = b;
}

void arena_free(struct arena *a)
{
    while (a->newest) {
        struct arena_block *b = a->newest;

        a->newest = b->next;
        free(b);
    }
}

void arena_clear(struct arena *a)
{
    size_t all = 0;

    if (!a->newest)
        return;
    for (const struct arena_block *b = a->newest; b; b = b->next)
        all += b->size;
    if (a->newest->next) {
        arena_free(a);
        arena_grow(a, all);
    }
    a->newest->used = 0;
}
