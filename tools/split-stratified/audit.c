#include "audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10 }; /* cases of each kind that are printed in full */

struct entry {
    const char *text;
    size_t n;
    int64_t row;
    int class;
    unsigned parts; /* bit 1 << part for each part the row is in */
};

struct counts {
    int64_t duplicates, conflicts, overlap;
};

static int by_text(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    const size_t n = a->n < b->n ? a->n : b->n;
    const int order = n ? memcmp(a->text, b->text, n) : 0;

    if (order)
        return order;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static bool same_text(const struct entry *a, const struct entry *b)
{
    return a->n == b->n && !memcmp(a->text, b->text, a->n);
}

static struct entry *entries_of(const struct rows *r, const struct sample *s)
{
    struct entry *list = xcalloc((size_t)r->n, sizeof *list);
    struct record *rec = record_new();

    for (int64_t i = 0; i < r->n; i++) {
        rows_get(r, i, rec);
        const struct field *f = record_find(rec, "text");

        list[i] = (struct entry){ f->data, f->n, i, r->class_of[i], 0 };
    }
    for (unsigned part = 0; part < PARTS; part++)
        for (int64_t i = 0; i < s->n[part]; i++)
            list[s->row[part][i]].parts |= 1u << part;
    record_free(rec);
    qsort(list, (size_t)r->n, sizeof *list, by_text);
    return list;
}

static void print_parts(unsigned parts)
{
    const char *before = " in ";

    for (int part = 0; part < PARTS; part++)
        if (parts & 1u << part) {
            (void)fprintf(stderr, "%s%s", before, part_name[part]);
            before = " and ";
        }
}

static void print_case(const struct rows *r, const char *kind, const struct entry *e, int64_t n)
{
    (void)fprintf(stderr, "%s: audit: %s:", err_tool(), kind);
    for (int64_t i = 0; i < n && i < SHOWN; i++) {
        (void)fprintf(stderr, "%s row %lld (%s)", i ? "," : "", (long long)e[i].row,
                      r->labels.name[e[i].class]);
        print_parts(e[i].parts);
    }
    (void)fprintf(stderr, "%s\n", n > SHOWN ? ", ..." : "");
}

/* Looks at N rows that have one text. */
static void judge(const struct rows *r, const struct entry *e, int64_t n, struct counts *c)
{
    unsigned parts = 0;
    bool conflict = false;

    for (int64_t i = 0; i < n; i++) {
        parts |= e[i].parts;
        conflict = conflict || e[i].class != e[0].class;
    }
    if (conflict && c->conflicts++ < SHOWN)
        print_case(r, "same text, other label", e, n);
    if (n > 1 && !conflict && c->duplicates++ < SHOWN)
        print_case(r, "same text", e, n);
    if ((parts & (parts - 1)) && c->overlap++ < SHOWN)
        print_case(r, "in more than one part", e, n);
}

int64_t audit(const struct rows *r, const struct sample *s)
{
    struct entry *list = entries_of(r, s);
    struct counts c = { 0 };

    for (int64_t i = 0, n; i < r->n; i += n) {
        for (n = 1; i + n < r->n && same_text(&list[i], &list[i + n]); n++)
            continue;
        judge(r, &list[i], n, &c);
    }
    (void)fprintf(stderr,
                  "%s: audit: rows=%lld labels=%d duplicates=%lld conflicts=%lld overlap=%lld\n",
                  err_tool(), (long long)r->n, r->labels.n, (long long)c.duplicates,
                  (long long)c.conflicts, (long long)c.overlap);
    free(list);
    return c.overlap;
}
