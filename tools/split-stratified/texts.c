#include "texts.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t hash; /* of the text: most comparisons end here */
    const char *text;
    size_t n;
    int64_t row;
};

static uint64_t hash_of(const char *text, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return h;
}

static int compare_texts(const struct entry *a, const struct entry *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return a->n ? memcmp(a->text, b->text, a->n) : 0;
}

static int by_text(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    const int order = compare_texts(a, b);

    return order ? order : a->row < b->row ? -1 : a->row > b->row;
}

int64_t *first_of_text(const struct rows *r)
{
    struct entry *list = xnmalloc((size_t)r->n, sizeof *list);
    int64_t *first = xnmalloc((size_t)r->n, sizeof *first);
    struct record *rec = record_new();

    for (int64_t i = 0; i < r->n; i++) {
        rows_get(r, i, rec);
        const struct field *f = record_find(rec, "text");

        list[i] = (struct entry){ hash_of(f->data, f->n), f->data, f->n, i };
    }
    qsort(list, (size_t)r->n, sizeof *list, by_text);
    for (int64_t i = 0; i < r->n; i++) {
        const bool again = i > 0 && compare_texts(&list[i - 1], &list[i]) == 0;

        first[list[i].row] = again ? first[list[i - 1].row] : list[i].row;
    }
    record_free(rec);
    free(list);
    return first;
}
