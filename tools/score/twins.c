#include "twins.h"

#include <stdlib.h>
#include <string.h>

struct keyed {
    const uint8_t *digest;
    int64_t record;
};

static int by_digest(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    const int order = memcmp(x->digest, y->digest, sizeof((struct kept_text *)0)->digest);

    return order ? order : (x->record > y->record) - (x->record < y->record);
}

static struct keyed *sorted(const struct scored_run *run, int64_t *n)
{
    struct keyed *v = xnmalloc((size_t)run->n, sizeof *v);

    *n = 0;
    for (int64_t i = 0; i < run->n; i++)
        if (run->texts[i].n)
            v[(*n)++] = (struct keyed){ run->texts[i].digest, i };
    qsort(v, (size_t)*n, sizeof *v, by_digest);
    return v;
}

static bool same_text(const struct keyed *a, const struct keyed *b)
{
    return !memcmp(a->digest, b->digest, sizeof((struct kept_text *)0)->digest);
}

static bool disagree(const struct scored_run *run, const struct keyed *v, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (run->kept[v[i].record].judged.truth != run->kept[v[0].record].judged.truth)
            return true;
    return false;
}

static int by_first(const void *a, const void *b)
{
    const int64_t x = ((const struct twins_text *)a)->first;
    const int64_t y = ((const struct twins_text *)b)->first;

    return (x > y) - (x < y);
}

void twins_find(struct twins *t, const struct scored_run *run)
{
    int64_t n;
    struct keyed *v = sorted(run, &n);

    *t = (struct twins){ .record = xnmalloc((size_t)n, sizeof *t->record),
                         .text = xnmalloc((size_t)n, sizeof *t->text) };
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && same_text(&v[i], &v[end]); end++)
            t->record[end] = v[end].record;
        if (end - i < 2)
            continue;
        const bool conflict = disagree(run, v + i, end - i);

        t->text[t->n++] = (struct twins_text){ v[i].record, (size_t)i, end - i, conflict };
        t->records += end - i - 1;
        t->conflicts += conflict;
    }
    qsort(t->text, (size_t)t->n, sizeof *t->text, by_first);
    free(v);
}

void twins_free(struct twins *t)
{
    free(t->record);
    free(t->text);
    *t = (struct twins){ 0 };
}
