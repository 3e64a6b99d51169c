/*
 * NFC as Hugging Face's crate has it. Nearly all of a text stays as it is; what may not is found by
 * the classes UC_NFC and UC_COMPOSES, and only that is handed to utf8proc: of newer characters it
 * knows more than the crate does.
 */
#include "tokenizer_impl.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { INSERTION = 32 }; /* marks; more are sorted by counting */

bool is_nfc(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        int len = 1;

        if (*p >= 0xCC && class_at(classes, p, &len) & UC_NFC) /* none is below U+0300 */
            return false;
        if (*p >= 0x80 && *p < 0xCC)
            len = 2;
        p += len;
    }
    return true;
}

struct points {
    int32_t *p;
    size_t n, cap;
};

static void add_point(struct points *a, uint32_t cp)
{
    int bound = 0;

    if (a->cap - a->n < 8) { /* canonical decompositions have 4 at most */
        a->cap = 2 * a->cap + 64;
        a->p = xnrealloc(a->p, a->cap, sizeof *a->p);
    }
    const utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, a->p + a->n,
                                (utf8proc_ssize_t)(a->cap - a->n), UTF8PROC_DECOMPOSE, &bound);

    if (n > 0 && (size_t)n <= a->cap - a->n)
        a->n += (size_t)n;
    else
        a->p[a->n++] = (int32_t)cp;
}

static int class_of(int32_t cp)
{
    return (int)utf8proc_get_property(cp)->combining_class;
}

static void sort_few(int32_t *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const int32_t one = p[i];
        size_t k = i;

        for (; k && class_of(p[k - 1]) > class_of(one); k--)
            p[k] = p[k - 1];
        p[k] = one;
    }
}

static void sort_many(int32_t *p, size_t n)
{
    int32_t *sorted = xnmalloc(n, sizeof *sorted);
    size_t at[257] = { 0 };

    for (size_t i = 0; i < n; i++)
        at[class_of(p[i]) + 1]++;
    for (int c = 0; c < 256; c++)
        at[c + 1] += at[c];
    for (size_t i = 0; i < n; i++)
        sorted[at[class_of(p[i])]++] = p[i];
    memcpy(p, sorted, n * sizeof *p);
    free(sorted);
}

/* Each run of marks by their classes, those of one class in the order in which they came. */
static void sort_marks(struct points *a)
{
    for (size_t i = 0, end; i < a->n; i = end) {
        end = i + 1;
        if (!class_of(a->p[i]))
            continue;
        while (end < a->n && class_of(a->p[end]))
            end++;
        if (end - i <= INSERTION)
            sort_few(a->p + i, end - i);
        else
            sort_many(a->p + i, end - i);
    }
}

static void put_stretch(struct buf *out, struct points *a, const uint8_t *p, const uint8_t *end)
{
    int len;

    a->n = 0;
    for (; p < end; p += len)
        add_point(a, utf8_decode((const char *)p, &len));
    sort_marks(a);
    const utf8proc_ssize_t n = utf8proc_normalize_utf32(
        a->p, (utf8proc_ssize_t)a->n, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));

    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char c[4];

        buf_add(out, c, (size_t)utf8_encode((uint32_t)a->p[i], c));
    }
}

void put_nfc(const uint8_t *classes, struct buf *out, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *copied = p, *before = NULL; /* what may become one with what follows */
    struct points a = { NULL, 0, 0 };
    int len;

    while (p < end) {
        const uint8_t c = class_at(classes, p, &len);

        if (!(c & UC_NFC)) {
            before = c & UC_COMPOSES ? p : NULL;
            p += len;
            continue;
        }
        const uint8_t *from = before ? before : p;

        while (p < end && class_at(classes, p, &len) & UC_NFC)
            p += len;
        buf_add(out, copied, (size_t)(from - copied));
        put_stretch(out, &a, from, p);
        copied = p;
        before = NULL;
    }
    buf_add(out, copied, (size_t)(end - copied));
    free(a.p);
}
