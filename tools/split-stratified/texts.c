#include "texts.h"

#include "mem.h"

#include <stdlib.h>

text_key text_key_of(const void *text, size_t n)
{
    const text_key prime = (text_key)1 << 88 | 0x13b;
    text_key k = (text_key)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du;

    for (size_t i = 0; i < n; i++)
        k = (k ^ ((const unsigned char *)text)[i]) * prime;
    return k;
}

int64_t *first_of_text(const text_key *key, int64_t n)
{
    size_t slots = 2;

    while (slots < 2 * (size_t)n)
        slots *= 2;
    int64_t *row = xnmalloc(slots, sizeof *row), *first = xnmalloc((size_t)n, sizeof *first);

    for (size_t at = 0; at < slots; at++)
        row[at] = -1;
    for (int64_t i = 0; i < n; i++) {
        size_t at = (size_t)(key[i] >> 64 ^ key[i]) & (slots - 1);

        while (row[at] >= 0 && key[row[at]] != key[i])
            at = (at + 1) & (slots - 1);
        if (row[at] < 0)
            row[at] = i;
        first[i] = row[at];
    }
    free(row);
    return first;
}
