/*
 * arena.h - memory that is given out in pieces and taken back as a whole. Pieces do not move.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

/* Zero it to start. */
struct arena {
    struct arena_block *newest;
};

/* A block with room for BYTES; only arena_take calls it. */
void arena_grow(struct arena *a, size_t bytes);
/* Takes all pieces back and keeps the memory: after a few rounds one block holds what is wanted, and
 * nothing is allocated any more. */
void arena_clear(struct arena *a);
/* Gives the memory back, too; A is as in the beginning then. */
void arena_free(struct arena *a);

/* BYTES, aligned for anything, good until arena_clear. */
static inline void *arena_take(struct arena *a, size_t bytes)
{
    const size_t want = (bytes + 15) & ~(size_t)15;

    if (!a->newest || a->newest->size - a->newest->used < want)
        arena_grow(a, want);
    void *p = a->newest->bytes + a->newest->used;

    a->newest->used += want;
    return p;
}

#endif
