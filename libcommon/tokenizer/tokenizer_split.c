#include "tokenizer_impl.h"

#include "utf8.h"

#include <string.h>

/* ---- finding, again and again ---- */

static int search_next(const struct search *a, struct tokenizer_scratch *s, const uint8_t *p,
                       const uint8_t *subject, size_t n, size_t from, struct match *m)
{
    if (a->pattern)
        return pattern_find(a->pattern, scratch_matching(s), subject, n, from, m);
    const uint8_t *at = find_text(p + from, n - from, &a->text);

    if (!at)
        return 0;
    m->start = (size_t)(at - p);
    m->end = m->start + a->text.n;
    return 1;
}

int find_next(struct finder *f, struct tokenizer_scratch *s, const uint8_t *p,
              const uint8_t *subject, size_t n, struct match *m)
{
    while (f->from <= n) {
        int len = 1;
        const int got = search_next(f->search, s, p, subject, n, f->from, m);

        if (got <= 0)
            return got;
        if (m->start < m->end || !f->found || m->end != f->last) {
            f->from = f->last = m->end;
            f->found = true;
            return 1;
        }
        if (f->from < n)
            (void)utf8_decode((const char *)p + f->from, &len);
        f->from += (size_t)len;
    }
    return 0;
}

/* ---- the list of pre-tokenizers ---- */

struct place { /* a piece on its way */
    const uint8_t *p, *end;
    const uint8_t *readable; /* end of the memory it is in */
    bool first;              /* it begins the text */
};

static void run_from(const struct tokenizer *t, struct tokenizer_scratch *s, int k,
                     struct place piece);

/* One step that cuts: what it cuts goes to the next. */
struct splitter {
    const struct tokenizer *t;
    struct tokenizer_scratch *s;
    int k;
    struct place whole;
    enum behavior behavior;
    const uint8_t *from, *to; /* held back: may grow; FROM is NULL: nothing */
    bool matched;             /* the one before was a match */
};

static void emit(struct splitter *x, const uint8_t *from, const uint8_t *to)
{
    if (from < to && !enough_ids(x->s))
        run_from(
            x->t, x->s, x->k + 1,
            (struct place){ from, to, x->whole.readable, x->whole.first && from == x->whole.p });
}

static void let_go(struct splitter *x)
{
    if (x->from)
        emit(x, x->from, x->to);
    x->from = NULL;
}

static void hold(struct splitter *x, const uint8_t *from, const uint8_t *to)
{
    let_go(x);
    x->from = from;
    x->to = to;
}

/* The next stretch of the piece, a match or what is between two of them. */
static void take(struct splitter *x, const uint8_t *from, const uint8_t *to, bool match)
{
    switch (x->behavior) {
    case SPLIT_REMOVED:
        if (!match)
            emit(x, from, to);
        break;
    case SPLIT_ISOLATED:
        emit(x, from, to);
        break;
    case SPLIT_CONTIGUOUS:
        if (match == x->matched && x->from)
            x->to = to;
        else
            hold(x, from, to);
        break;
    case SPLIT_PREVIOUS:
        if (match && !x->matched && x->from)
            x->to = to;
        else
            hold(x, from, to);
        break;
    default: /* SPLIT_NEXT */
        if (match) {
            hold(x, from, to);
        } else if (x->from) {
            x->to = to;
            let_go(x);
        } else {
            emit(x, from, to);
        }
    }
    x->matched = match;
}

static void run_digits(struct splitter *x)
{
    const uint8_t *p = x->whole.p, *from = p;
    int len;

    while (p < x->whole.end && !enough_ids(x->s)) {
        if (class_at(x->t->classes, p, &len) & (UC_NUMBER | UC_NUMERIC)) {
            if (from < p)
                take(x, from, p, false);
            take(x, p, p + len, true);
            from = p + len;
        }
        p += len;
    }
    if (from < p)
        take(x, from, p, false);
    let_go(x);
}

static void run_words(struct splitter *x, word_fn *next)
{
    for (const uint8_t *p = x->whole.p, *q; p < x->whole.end && !enough_ids(x->s); p = q) {
        q = next(x->t->classes, p, x->whole.end);
        emit(x, p, q);
    }
}

static void run_search(struct splitter *x, const struct search *a, bool invert)
{
    const uint8_t *const p = x->whole.p, *subject = p;
    const size_t n = (size_t)(x->whole.end - p);
    struct finder f = { .search = a };
    struct match m;
    size_t done = 0;
    int got;

    if (a->pattern)
        subject = pattern_subject(x->t->classes, x->s->step + x->k, p, x->whole.end);
    while ((got = find_next(&f, x->s, p, subject, n, &m)) > 0 && !enough_ids(x->s)) {
        if (done < m.start)
            take(x, p + done, p + m.start, invert);
        take(x, p + m.start, p + m.end, !invert);
        done = m.end;
    }
    if (got < 0)
        encoding_failed(x->s);
    if (done < n)
        take(x, p + done, p + n, invert);
    let_go(x);
}

/* The piece with U+2581, or what the file says, for each space. */
static void run_metaspace(struct splitter *x, const struct pre *a)
{
    struct buf *out = x->s->step + x->k;
    const struct search marks = { .text = a->space };
    const char *p = (const char *)x->whole.p;
    const size_t n = (size_t)(x->whole.end - x->whole.p);
    const bool begun = *p == ' ' || (n >= a->space.n && !memcmp(p, a->space.p, a->space.n));

    buf_clear(out);
    if (!begun && (a->scheme == PREPEND_ALWAYS || (a->scheme == PREPEND_FIRST && x->whole.first)))
        buf_add(out, a->space.p, a->space.n);
    put_replaced(out, p, n, &blank, &a->space);
    x->whole.p = (const uint8_t *)out->p;
    x->whole.end = x->whole.readable = x->whole.p + out->n;
    x->behavior = SPLIT_NEXT;
    if (a->split)
        run_search(x, &marks, false);
    else
        emit(x, x->whole.p, x->whole.end);
}

static void run_byte_level(struct splitter *x, const struct pre *a)
{
    struct buf *out = x->s->step + x->k;

    if (a->prefix && *x->whole.p != ' ') {
        buf_clear(out);
        buf_putc(out, ' ');
        buf_add(out, x->whole.p, (size_t)(x->whole.end - x->whole.p));
        x->whole.p = (const uint8_t *)out->p;
        x->whole.end = x->whole.readable = x->whole.p + out->n;
    }
    run_words(x, a->use_regex ? next_word : next_word_whole);
}

static void run_from(const struct tokenizer *t, struct tokenizer_scratch *s, int k,
                     struct place piece)
{
    if (k == t->parts.n_pre) {
        encode_one(t, s, piece.p, (size_t)(piece.end - piece.p), piece.readable);
        return;
    }
    const struct pre *a = t->parts.pre + k;
    struct splitter x = { .t = t, .s = s, .k = k, .whole = piece, .behavior = a->behavior };

    switch (a->kind) {
    case PRE_DIGITS:
        run_digits(&x);
        break;
    case PRE_SPLIT:
        if (a->known)
            run_words(&x, a->known);
        else
            run_search(&x, &a->at, a->invert);
        break;
    case PRE_BYTE_LEVEL:
        run_byte_level(&x, a);
        break;
    default:
        run_metaspace(&x, a);
    }
}

void split_words(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                 const uint8_t *end)
{
    if (p < end && !enough_ids(s))
        run_from(t, s, 0, (struct place){ p, end, s->readable, p == s->origin });
}

/* ---- the usual lists, by hand ---- */

static bool only_nfc(const struct parts_read *parts)
{
    for (int i = 0; i < parts->n_normalizers; i++)
        if (parts->normalizer[i].kind != NORM_NFC)
            return false;
    return true;
}

static word_fn *usual_words(const struct tokenizer *t)
{
    const struct pre *pre = t->parts.pre, *last = pre + t->parts.n_pre - 1;

    if (!t->parts.n_pre)
        return t->crosses_marks ? next_word_whole : next_word_spaces;
    if (last->kind != PRE_BYTE_LEVEL || last->prefix)
        return NULL;
    if (t->parts.n_pre == 1)
        return last->use_regex ? next_word : next_word_whole;
    if (t->parts.n_pre > 2)
        return NULL;
    if (pre->kind == PRE_DIGITS && pre->behavior == SPLIT_ISOLATED && last->use_regex)
        return next_word_digits;
    return pre->kind == PRE_SPLIT && !last->use_regex ? pre->known : NULL;
}

void choose_words(struct tokenizer *t)
{
    const struct parts_read *parts = &t->parts;
    bool patterns = false, nfc = false;

    for (int i = 0; i < parts->n_normalizers; i++) {
        patterns |= parts->normalizer[i].from.pattern != NULL;
        nfc |= parts->normalizer[i].kind == NORM_NFC;
    }
    for (int i = 0; i < parts->n_pre; i++)
        patterns |= parts->pre[i].at.pattern != NULL;
    if (nfc)
        unicode_add_nfc(t->classes);
    if (patterns)
        unicode_add_new(t->classes);
    t->next = usual_words(t);
    t->cuts_at_spaces =
        t->next && t->next != next_word_spaces && t->next != next_word_whole && only_nfc(parts);
}
