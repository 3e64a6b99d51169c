#include "audit.h"

#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 10 }; /* cases of each kind that are printed, and rows of each case */

/* What the rows of one text come to, kept at its first row. */
struct text {
    int64_t rows;
    uint8_t parts; /* bit 1 << part */
    bool conflict; /* they have more than one label */
};

struct inquiry {
    const struct rows *rows;
    uint8_t *parts; /* of each row */
    struct text *text;
};

static void inquire(struct inquiry *q, const struct rows *r, const struct sample *s)
{
    *q = (struct inquiry){ r, xcalloc((size_t)r->n, sizeof *q->parts),
                           xcalloc((size_t)r->n, sizeof *q->text) };
    for (int part = 0; part < PARTS; part++)
        for (int64_t i = 0; i < s->n[part]; i++)
            q->parts[s->row[part][i]] |= (uint8_t)(1 << part);
    for (int64_t i = 0; i < r->n; i++) {
        struct text *t = &q->text[r->first[i]];

        t->rows++;
        t->parts |= q->parts[i];
        t->conflict = t->conflict || r->class_of[i] != r->class_of[r->first[i]];
    }
}

static bool in_many_parts(const struct text *t)
{
    return (t->parts & (t->parts - 1)) != 0;
}

static void print_row(const struct inquiry *q, int64_t row)
{
    const char *before = " in ";
    struct buf label = BUF_INIT;

    utf8_show_line(&label, q->rows->labels.name[q->rows->class_of[row]]);
    (void)fprintf(stderr, " row %lld (%s)", (long long)row, label.p);
    buf_free(&label);
    for (int part = 0; part < PARTS; part++)
        if (q->parts[row] & 1u << part) {
            (void)fprintf(stderr, "%s%s", before, part_name[part]);
            before = " and ";
        }
}

static void print_text(const struct inquiry *q, const char *kind, int64_t first)
{
    int shown = 0;

    (void)fprintf(stderr, "%s: audit: %s:", err_tool(), kind);
    for (int64_t i = first; i < q->rows->n && shown < SHOWN; i++)
        if (q->rows->first[i] == first) {
            (void)fputs(shown++ ? "," : "", stderr);
            print_row(q, i);
        }
    (void)fputs(q->text[first].rows > SHOWN ? ", ...\n" : "\n", stderr);
}

static void print_all(const struct inquiry *q)
{
    const struct rows *r = q->rows;
    int64_t duplicates = 0, conflicts = 0, overlap = 0;

    for (int64_t i = 0; i < r->n; i++) {
        const struct text *t = &q->text[i];

        if (t->conflict && conflicts++ < SHOWN)
            print_text(q, "same text, other label", i);
        if (t->rows > 1 && !t->conflict && duplicates++ < SHOWN)
            print_text(q, "same text", i);
        if (in_many_parts(t) && overlap++ < SHOWN)
            print_text(q, "in more than one part", i);
    }
    (void)fprintf(stderr,
                  "%s: audit: rows=%lld labels=%d duplicates=%lld conflicts=%lld overlap=%lld\n",
                  err_tool(), (long long)r->n, r->labels.n, (long long)duplicates,
                  (long long)conflicts, (long long)overlap);
}

int64_t audit(const struct rows *r, const struct sample *s, bool print)
{
    struct inquiry q;
    int64_t overlap = 0;

    inquire(&q, r, s);
    for (int64_t i = 0; i < r->n; i++)
        overlap += in_many_parts(&q.text[i]);
    if (print)
        print_all(&q);
    free(q.parts);
    free(q.text);
    return overlap;
}
