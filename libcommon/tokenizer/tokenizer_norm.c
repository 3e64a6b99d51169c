#include "tokenizer_impl.h"

#include <string.h>

const struct part_text blank = { (char *)(uintptr_t) " ", 1 };

void put_replaced(struct buf *out, const char *p, size_t n, const struct part_text *from,
                  const struct part_text *to)
{
    const char *end = p + n;

    for (const char *at; from->n && (at = find_text(p, (size_t)(end - p), from));) {
        buf_add(out, p, (size_t)(at - p));
        buf_add(out, to->p, to->n);
        p = at + from->n;
    }
    buf_add(out, p, (size_t)(end - p));
}

/* Appends to OUT the N bytes at P with all that A finds replaced. *MOVED: what they begin with is
 * gone. */
static int put_found_replaced(const struct tokenizer *t, struct tokenizer_scratch *s,
                              const struct normalizer *a, struct buf *out, const uint8_t *p,
                              size_t n, bool *moved)
{
    const uint8_t *subject = p;
    size_t done = 0;
    struct finder f = { .search = &a->from };
    struct match m;
    int got;

    if (a->from.pattern)
        subject = pattern_subject(t->classes, &s->subject, p, p + n);
    while ((got = find_next(&f, s, p, subject, n, &m)) > 0) {
        *moved |= !out->n && !m.start && m.end && !a->to.n;
        buf_add(out, p + done, m.start - done);
        buf_add(out, a->to.p, a->to.n);
        done = m.end;
        if (out->n > INT32_MAX)
            return err_set(EXIT_DATA, "a text is too long when it is normalized; split it");
    }
    buf_add(out, p + done, n - done);
    return got;
}

static int put_normalized(const struct tokenizer *t, struct tokenizer_scratch *s,
                          const struct normalizer *a, struct buf *out, const uint8_t *p, size_t n,
                          bool *moved)
{
    switch (a->kind) {
    case NORM_PREPEND:
        buf_add(out, a->to.p, a->to.n);
        buf_add(out, p, n);
        return 0;
    case NORM_REPLACE:
        return put_found_replaced(t, s, a, out, p, n, moved);
    default:
        put_nfc(t->classes, out, p, p + n);
        return 0;
    }
}

const uint8_t *normalize(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                         const uint8_t **end)
{
    const uint8_t *in = p;
    size_t n = (size_t)(*end - p);
    bool moved = false;

    for (int i = 0; i < t->parts.n_normalizers && n; i++) {
        const struct normalizer *a = t->parts.normalizer + i;
        struct buf *out = s->normal + (in == (const uint8_t *)s->normal[0].p);

        if (a->kind == NORM_NFC && is_nfc(t->classes, in, in + n))
            continue;
        buf_clear(out);
        if (put_normalized(t, s, a, out, in, n, &moved) < 0) {
            encoding_failed(s);
            return *end;
        }
        in = (const uint8_t *)out->p;
        n = out->n;
    }
    if (!n)
        return *end;
    s->origin = p == s->text && !moved ? in : NULL;
    s->readable = in == p ? s->text_end : in + n;
    *end = in + n;
    return in;
}
