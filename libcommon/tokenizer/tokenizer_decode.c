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
    const struct token *k = vocab_token(&t->vocab, id);

    return k && !(skip_special && k->flags & TOKEN_SPECIAL) ? k : NULL;
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

        put_byte_level(&bytes, t->vocab.byte_of, p, n);
    }
    if (bytes.n)
        utf8_replace(&out->all, bytes.p, bytes.n);
    text_ends(out);
    buf_free(&bytes);
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

static void put_stripped(const struct decoder *d, struct buf *out, const char *p, size_t n)
{
    uint32_t k = 0;

    for (; k < d->start && begins_with(p, n, &d->one); k++) {
        p += d->one.n;
        n -= d->one.n;
    }
    for (k = 0; k < d->stop && ends_with(p, n, &d->one); k++)
        n -= d->one.n;
    buf_add(out, p, n);
}

static void decode_step(const struct tokenizer *t, const struct decoder *d, struct texts *out,
                        const struct texts *in)
{
    static const struct part_text nothing;

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

        if (d->kind == DEC_METASPACE) /* the marks of the first text go */
            put_replaced(&out->all, p, n, &d->one, i || d->keep_first ? &blank : &nothing);
        else if (d->kind == DEC_STRIP)
            put_stripped(d, &out->all, p, n);
        else if (d->kind == DEC_FUSE)
            buf_add(&out->all, p, n);
        else
            put_replaced(&out->all, p, n, &d->from.text, &d->to);
        if (d->kind != DEC_FUSE)
            text_ends(out);
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
