/*
 * From ids to text. Most decoders are ByteLevel alone, for which each token's bytes are at hand;
 * the others are done one after the other on a list of texts that begins as the tokens' contents.
 */
#include "tokenizer_impl.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

static const struct token *decoded_token(const struct tokenizer *t, uint32_t id, bool skip_special)
{
    const struct token *k = id < t->vocab.n_ids ? t->vocab.token + id : NULL;

    return k && k->flags && !(skip_special && k->flags & TOKEN_SPECIAL) ? k : NULL;
}

/* ---- ByteLevel alone ---- */

static void decode_bytes(const struct tokenizer *t, const uint32_t *ids, size_t n,
                         bool skip_special, struct buf *out)
{
    struct buf bytes = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        const struct token *k = decoded_token(t, ids[i], skip_special);

        if (k)
            buf_add(&bytes, t->vocab.arena.p + k->bytes, k->bytes_len);
    }
    if (bytes.n)
        utf8_replace(out, bytes.p, bytes.n);
    buf_free(&bytes);
}

/* ---- lists of texts ---- */

struct texts {
    struct buf all; /* one behind the other */
    size_t *end, n, cap;
};

static void texts_free(struct texts *x)
{
    buf_free(&x->all);
    free(x->end);
}

/* What was added to X->all since the last call is one text. */
static void text_ends(struct texts *x)
{
    if (x->n == x->cap) {
        x->cap = x->cap ? 2 * x->cap : 64;
        x->end = xnrealloc(x->end, x->cap, sizeof *x->end);
    }
    x->end[x->n++] = x->all.n;
}

static const char *text_at(const struct texts *x, size_t i, size_t *n)
{
    const size_t from = i ? x->end[i - 1] : 0;

    *n = x->end[i] - from;
    return x->all.p ? x->all.p + from : "";
}

static void put_text(struct texts *x, const char *p, size_t n)
{
    buf_add(&x->all, p, n);
    text_ends(x);
}

/* ---- the decoders ---- */

static bool begins_with(const char *p, size_t n, const struct part_text *one)
{
    return n >= one->n && !memcmp(p, one->p, one->n);
}

static bool ends_with(const char *p, size_t n, const struct part_text *one)
{
    return n >= one->n && !memcmp(p + n - one->n, one->p, one->n);
}

static void to_byte_level(const struct tokenizer *t, struct texts *out, const struct texts *in)
{
    struct buf bytes = BUF_INIT;

    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *p = text_at(in, i, &n);

        buf_reserve(&bytes, n);
        bytes.n += byte_level_bytes(t->vocab.byte_of, p, n, bytes.p + bytes.n);
    }
    if (bytes.n)
        utf8_replace(&out->all, bytes.p, bytes.n);
    text_ends(out);
    buf_free(&bytes);
}

/* The mark of a space becomes one; those of the first text go. */
static void to_spaces(const struct decoder *d, struct texts *out, const char *p, size_t n,
                      bool first)
{
    int len;

    for (size_t i = 0; i < n; i += (size_t)len) {
        (void)utf8_decode(p + i, &len);
        if (!begins_with(p + i, n - i, &d->one))
            buf_add(&out->all, p + i, (size_t)len);
        else if (!first || d->keep_first)
            buf_putc(&out->all, ' ');
    }
    text_ends(out);
}

static void put_fallback(struct texts *out, struct buf *bytes)
{
    if (!bytes->n)
        return;
    if (utf8_valid(bytes->p, bytes->n) == bytes->n)
        put_text(out, bytes->p, bytes->n);
    else
        for (size_t i = 0; i < bytes->n; i++)
            put_text(out, "\xEF\xBF\xBD", 3);
    buf_clear(bytes);
}

static void from_fallback(struct texts *out, const struct texts *in)
{
    struct buf bytes = BUF_INIT;

    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *p = text_at(in, i, &n);
        const int byte = byte_of_token(p, n);

        if (byte >= 0) {
            buf_putc(&bytes, (char)byte);
            continue;
        }
        put_fallback(out, &bytes);
        put_text(out, p, n);
    }
    put_fallback(out, &bytes);
    buf_free(&bytes);
}

static void strip(const struct decoder *d, struct texts *out, const char *p, size_t n)
{
    uint32_t k = 0;

    for (; k < d->start && begins_with(p, n, &d->one); k++) {
        p += d->one.n;
        n -= d->one.n;
    }
    for (k = 0; k < d->stop && ends_with(p, n, &d->one); k++)
        n -= d->one.n;
    put_text(out, p, n);
}

/* Of texts only: see decoder_step. */
static void replace(const struct decoder *d, struct texts *out, const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text;
    struct finder f = { .search = &d->from };
    struct match m;
    size_t done = 0;

    while (find_next(&f, NULL, p, p, n, &m) > 0) {
        buf_add(&out->all, p + done, m.start - done);
        buf_add(&out->all, d->to.p, d->to.n);
        done = m.end;
    }
    buf_add(&out->all, p + done, n - done);
    text_ends(out);
}

static void decode_step(const struct tokenizer *t, const struct decoder *d, struct texts *out,
                        const struct texts *in)
{
    if (d->kind == DEC_BYTE_LEVEL) {
        to_byte_level(t, out, in);
        return;
    }
    if (d->kind == DEC_BYTE_FALLBACK) {
        from_fallback(out, in);
        return;
    }
    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *p = text_at(in, i, &n);

        if (d->kind == DEC_METASPACE)
            to_spaces(d, out, p, n, i == 0);
        else if (d->kind == DEC_STRIP)
            strip(d, out, p, n);
        else if (d->kind == DEC_FUSE)
            buf_add(&out->all, p, n);
        else
            replace(d, out, p, n);
    }
    if (d->kind == DEC_FUSE)
        text_ends(out);
}

static void decode_list(const struct tokenizer *t, struct texts *now, struct buf *out)
{
    struct texts other = { 0 };

    for (int i = 0; i < t->parts.n_decoders; i++) {
        buf_clear(&other.all);
        other.n = 0;
        decode_step(t, t->parts.decoder + i, &other, now);
        const struct texts done = *now;

        *now = other;
        other = done;
    }
    if (now->all.n)
        buf_add(out, now->all.p, now->all.n);
    texts_free(&other);
}

void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool skip_special,
                      struct buf *out)
{
    struct texts texts = { 0 };

    if (t->parts.n_decoders == 1 && t->parts.decoder->kind == DEC_BYTE_LEVEL) {
        decode_bytes(t, ids, n, skip_special, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct token *k = decoded_token(t, ids[i], skip_special);

        if (!k)
            continue;
        if (texts.n && !t->parts.n_decoders) /* without a decoder tokens stand apart */
            buf_putc(&texts.all, ' ');
        put_text(&texts, t->vocab.arena.p + k->said, k->said_len);
    }
    decode_list(t, &texts, out);
    texts_free(&texts);
}
