#include "gguf_model.h"

#include "gguf_tokens.h"
#include "json.h"

#include <string.h>

static void put_id(struct buf *b, uint64_t id)
{
    char digits[20];
    int n = 0;

    do
        digits[n++] = (char)('0' + id % 10);
    while (id /= 10);
    while (n)
        buf_putc(b, digits[--n]);
}

/* ---- tokens that are matched in the text itself ---- */

static bool is_named(const struct gguf_tokens *t, uint64_t id)
{
    const int64_t i = (int64_t)id;

    return i == t->bos || i == t->eos || i == t->unk || i == t->pad;
}

/* In Phi-3 they take the white space behind them, but for three. */
static bool takes_space(const struct gguf_tokens *t, const char *text, size_t n)
{
    static const char *const others[] = { "<unk>", "<s>", "<|endoftext|>" };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (text_is(text, n, others[i]))
            return false;
    return t->phi3;
}

static void put_added(const struct gguf_tokens *t, struct buf *b)
{
    const uint8_t *p = t->tokens->p;
    const char *text, *separator = "";
    size_t n;

    buf_puts(b, "\"added_tokens\": [");
    for (uint64_t i = 0; i < t->tokens->n; i++) {
        const int32_t type = gguf_token_type(t, i);

        p = gguf_take_text(p, &text, &n);
        if (type != TOKEN_CONTROL && type != TOKEN_USER && !is_named(t, i))
            continue;
        buf_printf(b, "%s\n    {\"id\": %llu, \"content\": ", separator, (unsigned long long)i);
        json_put_text(b, text, n);
        buf_printf(b,
                   ", \"single_word\": false, \"lstrip\": false, \"rstrip\": %s, "
                   "\"normalized\": false, \"special\": %s}",
                   takes_space(t, text, n) ? "true" : "false",
                   type == TOKEN_USER ? "false" : "true");
        separator = ",";
    }
    buf_puts(b, "\n  ]");
}

/* ---- around the model ---- */

static const char spaces[] =
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\u2581\"}";

static void put_normalizer(const struct gguf_tokens *t, struct buf *b)
{
    buf_puts(b, "\"normalizer\": ");
    if (t->pre)
        buf_puts(b, t->pre->nfc ? "{\"type\": \"NFC\"}" : "null");
    else if (t->add_prefix)
        buf_printf(b,
                   "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
                   "\"prepend\": \"\u2581\"}, %s]}",
                   spaces);
    else
        buf_puts(b, spaces);
}

static void put_pre(const struct gguf_pre *pre, struct buf *b)
{
    static const char bytes[] = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                                "\"trim_offsets\": true, \"use_regex\": ";

    buf_puts(b, "\"pre_tokenizer\": ");
    if (!pre) {
        buf_puts(b, "null");
    } else if (pre->pattern) {
        buf_puts(b, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
                    "\"pattern\": {\"Regex\": ");
        json_put_text(b, pre->pattern, strlen(pre->pattern));
        buf_printf(b, "}, \"behavior\": \"Isolated\", \"invert\": false}, %sfalse}]}", bytes);
    } else if (pre->digits) {
        buf_printf(b,
                   "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", "
                   "\"individual_digits\": true}, %strue}]}",
                   bytes);
    } else {
        buf_printf(b, "%strue}", bytes);
    }
}

static void put_decoder(const struct gguf_tokens *t, struct buf *b)
{
    buf_puts(b, "\"decoder\": ");
    if (t->pre) {
        buf_puts(b, "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
                    "\"use_regex\": true}");
        return;
    }
    buf_puts(b, "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": "
                "{\"String\": \"\u2581\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, "
                "{\"type\": \"Fuse\"}");
    if (t->add_prefix)
        buf_puts(b, ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}");
    buf_puts(b, "]}");
}

static void put_token(const struct gguf_tokens *t, int64_t id, struct buf *b)
{
    const uint8_t *p = t->tokens->p;
    const char *text = NULL;
    size_t n = 0;

    for (int64_t i = 0; i <= id; i++)
        p = gguf_take_text(p, &text, &n);
    json_put_text(b, text, n);
}

static void put_special(const struct gguf_tokens *t, int64_t id, int type, struct buf *b)
{
    buf_puts(b, "{\"SpecialToken\": {\"id\": ");
    put_token(t, id, b);
    buf_printf(b, ", \"type_id\": %d}}", type);
}

/* One text, or the second of two, with what stands around it. */
static void put_sequence(const struct gguf_tokens *t, int type, struct buf *b)
{
    if (t->add_bos) {
        put_special(t, t->bos, type, b);
        buf_puts(b, ", ");
    }
    buf_printf(b, "{\"Sequence\": {\"id\": \"%c\", \"type_id\": %d}}", "AB"[type], type);
    if (t->add_eos) {
        buf_puts(b, ", ");
        put_special(t, t->eos, type, b);
    }
}

static void put_listed(const struct gguf_tokens *t, int64_t id, struct buf *b)
{
    put_token(t, id, b);
    buf_puts(b, ": {\"id\": ");
    put_token(t, id, b);
    buf_printf(b, ", \"ids\": [%lld], \"tokens\": [", (long long)id);
    put_token(t, id, b);
    buf_puts(b, "]}");
}

static void put_post(const struct gguf_tokens *t, struct buf *b)
{
    buf_puts(b, "\"post_processor\": ");
    if (!t->add_bos && !t->add_eos) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"type\": \"TemplateProcessing\", \"single\": [");
    put_sequence(t, 0, b);
    buf_puts(b, "], \"pair\": [");
    put_sequence(t, 0, b);
    buf_puts(b, ", ");
    put_sequence(t, 1, b);
    buf_puts(b, "], \"special_tokens\": {");
    if (t->add_bos)
        put_listed(t, t->bos, b);
    if (t->add_eos && !(t->add_bos && t->bos == t->eos)) {
        buf_puts(b, t->add_bos ? ", " : "");
        put_listed(t, t->eos, b);
    }
    buf_puts(b, "}}");
}

/* ---- the model ---- */

static bool has_bytes(const struct gguf_tokens *t)
{
    for (uint64_t i = 0; t->types && i < t->types->n; i++)
        if (gguf_i32_at(t->types, i) == TOKEN_BYTE)
            return true;
    return false;
}

static void put_vocab(const struct gguf_tokens *t, struct buf *b)
{
    const uint8_t *p = t->tokens->p;
    const char *text;
    size_t n;

    buf_puts(b, "\"vocab\": {");
    for (uint64_t i = 0; i < t->tokens->n; i++) {
        p = gguf_take_text(p, &text, &n);
        buf_puts(b, i ? ",\n      " : "\n      ");
        json_put_text(b, text, n);
        buf_puts(b, ": ");
        put_id(b, i);
    }
    buf_puts(b, "\n    }");
}

static void put_merges(const struct gguf_tokens *t, struct buf *b)
{
    const uint8_t *p = t->merges ? t->merges->p : NULL;
    const char *text;
    size_t n;

    buf_puts(b, "\"merges\": ");
    if (!p) {
        gguf_put_score_merges(t, b);
        return;
    }
    buf_putc(b, '[');
    for (uint64_t i = 0; i < t->merges->n; i++) {
        p = gguf_take_text(p, &text, &n);
        buf_puts(b, i ? ",\n      " : "\n      ");
        json_put_text(b, text, n);
    }
    buf_puts(b, "\n    ]");
}

static void put_model(const struct gguf_tokens *t, struct buf *b)
{
    const bool pieces = !t->pre;

    buf_puts(b, "\"model\": {\n    \"type\": \"BPE\", \"dropout\": null, \"unk_token\": ");
    if (t->unk >= 0 && pieces)
        put_token(t, t->unk, b);
    else
        buf_puts(b, "null");
    buf_printf(b,
               ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, "
               "\"fuse_unk\": %s, \"byte_fallback\": %s, \"ignore_merges\": %s,\n    ",
               pieces ? "true" : "false", pieces && has_bytes(t) ? "true" : "false",
               t->pre && t->pre->ignore_merges ? "true" : "false");
    put_vocab(t, b);
    buf_puts(b, ",\n    ");
    put_merges(t, b);
    buf_puts(b, "\n  }");
}

/* ---- the files ---- */

int gguf_check_tokenizer(const struct gguf *g)
{
    struct gguf_tokens t;
    const char *text;
    size_t n;
    const int got = gguf_tokens_read(&t, g);

    return got > 0 && gguf_text(g, "tokenizer.chat_template", &text, &n) < 0 ? -1 : got;
}

void gguf_put_tokenizer(const struct gguf *g, struct buf *b)
{
    struct gguf_tokens t;

    if (gguf_tokens_read(&t, g) <= 0)
        return;
    buf_puts(b, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  ");
    put_added(&t, b);
    buf_puts(b, ",\n  ");
    put_normalizer(&t, b);
    buf_puts(b, ",\n  ");
    put_pre(t.pre, b);
    buf_puts(b, ",\n  ");
    put_post(&t, b);
    buf_puts(b, ",\n  ");
    put_decoder(&t, b);
    buf_puts(b, ",\n  ");
    put_model(&t, b);
    buf_puts(b, "\n}\n");
}

static void put_named(const struct gguf_tokens *t, const char *key, int64_t id, struct buf *b)
{
    buf_printf(b, ",\n  \"%s\": ", key);
    if (id < 0)
        buf_puts(b, "null");
    else
        put_token(t, id, b);
}

void gguf_put_tokenizer_config(const struct gguf *g, struct buf *b)
{
    struct gguf_tokens t;
    const char *text;
    size_t n;

    if (gguf_tokens_read(&t, g) <= 0)
        return;
    buf_printf(b, "{\n  \"add_bos_token\": %s,\n  \"add_eos_token\": %s",
               t.add_bos ? "true" : "false", t.add_eos ? "true" : "false");
    buf_printf(b, ",\n  \"add_prefix_space\": %s", t.add_prefix ? "true" : "false");
    put_named(&t, "bos_token", t.bos, b);
    put_named(&t, "eos_token", t.eos, b);
    put_named(&t, "unk_token", t.unk, b);
    put_named(&t, "pad_token", t.pad, b);
    if (gguf_text(g, "tokenizer.chat_template", &text, &n) > 0) {
        buf_puts(b, ",\n  \"chat_template\": ");
        json_put_text(b, text, n);
    }
    buf_puts(b, ",\n  \"clean_up_tokenization_spaces\": false,\n"
                "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
}
