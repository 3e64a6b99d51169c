#include "gguf_tokens.h"

#include <math.h>
#include <string.h>

enum { TOKENS_MAX = 1 << 24 };

/* Patterns as the tokenizer.json of each model has them. */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define REST         "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define REST_SLASH   "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define WORD(end)                                                                                  \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" end "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER     \
    "*" end

static const char llama3[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" REST;
static const char qwen2[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" REST;
static const char tekken[] = WORD("") "|\\p{N}" REST_SLASH;
static const char gpt4o[] = WORD(CONTRACTIONS "?") "|\\p{N}{1,3}" REST_SLASH;

static const struct gguf_pre pres[] = {
    { .name = "gpt-2" },
    { .name = "phi-2" },
    { .name = "smollm", .digits = true },
    { .name = "starcoder", .digits = true },
    { .name = "qwen2", .pattern = qwen2, .nfc = true },
    { .name = "llama-bpe", .pattern = llama3, .ignore_merges = true, .add_bos = true },
    { .name = "llama3", .pattern = llama3, .ignore_merges = true, .add_bos = true },
    { .name = "llama-v3", .pattern = llama3, .ignore_merges = true, .add_bos = true },
    { .name = "dbrx", .pattern = llama3 },
    { .name = "smaug-bpe", .pattern = llama3 },
    { .name = "tekken", .pattern = tekken, .ignore_merges = true, .add_bos = true },
    { .name = "gpt-4o", .pattern = gpt4o },
};

static int refuse(const char *what, const char *text, size_t n)
{
    return err_set(EXIT_NODEVICE,
                   "%s '%.*s' is not supported; use the folder with tokenizer.json that the file "
                   "was made from",
                   what, (int)(n < 64 ? n : 64), text);
}

static int find_pre(struct gguf_tokens *t)
{
    const char *name;
    size_t n;
    const int got = gguf_text(t->g, "tokenizer.ggml.pre", &name, &n);

    if (got <= 0)
        return got < 0 ? -1
                       : err_set(EXIT_NODEVICE,
                                 "it does not say how text is cut ('tokenizer.ggml.pre'); use the "
                                 "folder with tokenizer.json that the file was made from");
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (text_is(name, n, pres[i].name))
            t->pre = &pres[i];
    return t->pre ? 0 : refuse("pre-tokenizer", name, n);
}

/* ---- the lists ---- */

static int check_length(const struct gguf_value *v, uint64_t n)
{
    return !v || v->n == n ? 0
                           : err_set(EXIT_DATA, "'%s' has %llu entries for %llu tokens", v->key,
                                     (unsigned long long)v->n, (unsigned long long)n);
}

/* Either the merges or the scores that they come from. */
static int read_lists(struct gguf_tokens *t)
{
    const struct gguf *g = t->g;

    if (gguf_array(g, "tokenizer.ggml.tokens", GGUF_TEXT, &t->tokens) < 0 ||
        gguf_array(g, "tokenizer.ggml.token_type", GGUF_I32, &t->types) < 0 ||
        gguf_array(g, "tokenizer.ggml.scores", GGUF_F32, &t->scores) < 0 ||
        gguf_array(g, "tokenizer.ggml.merges", GGUF_TEXT, &t->merges) < 0)
        return -1;
    if (!t->tokens || !t->tokens->n || (!t->merges && (t->pre || !t->scores)))
        return err_set(EXIT_DATA, "'tokenizer.ggml.%s' is missing",
                       t->tokens && t->tokens->n ? t->pre ? "merges" : "scores" : "tokens");
    if (t->tokens->n > TOKENS_MAX || check_length(t->types, t->tokens->n) < 0 ||
        check_length(t->scores, t->tokens->n) < 0)
        return t->tokens->n > TOKENS_MAX ? err_set(EXIT_DATA, "more than %d tokens", TOKENS_MAX)
                                         : -1;
    for (uint64_t i = 0; t->scores && i < t->scores->n; i++)
        if (isnan(gguf_f32_at(t->scores, i)))
            return err_set(EXIT_DATA, "the score of token %llu is not a number",
                           (unsigned long long)i);
    return 0;
}

/* ---- the rest ---- */

static int read_ids(struct gguf_tokens *t)
{
    const int64_t most = (int64_t)t->tokens->n - 1;

    /* what llama.cpp takes when a file with scores does not say it */
    t->bos = t->pre || most < 1 ? -1 : 1;
    t->eos = t->pre || most < 2 ? -1 : 2;
    t->unk = t->pre ? -1 : 0;
    t->pad = -1;
    return gguf_int(t->g, "tokenizer.ggml.bos_token_id", &t->bos, 0, most) < 0 ||
                   gguf_int(t->g, "tokenizer.ggml.eos_token_id", &t->eos, 0, most) < 0 ||
                   gguf_int(t->g, "tokenizer.ggml.unknown_token_id", &t->unk, 0, most) < 0 ||
                   gguf_int(t->g, "tokenizer.ggml.padding_token_id", &t->pad, 0, most) < 0
               ? -1
               : 0;
}

static int read_flags(struct gguf_tokens *t)
{
    bool squeeze = false;

    t->add_bos = t->pre ? t->pre->add_bos : true;
    t->add_prefix = !t->pre;
    if (gguf_bool(t->g, "tokenizer.ggml.add_bos_token", &t->add_bos) < 0 ||
        gguf_bool(t->g, "tokenizer.ggml.add_eos_token", &t->add_eos) < 0 ||
        gguf_bool(t->g, "tokenizer.ggml.add_space_prefix", &t->add_prefix) < 0 ||
        gguf_bool(t->g, "tokenizer.ggml.remove_extra_whitespaces", &squeeze) < 0)
        return -1;
    t->add_bos &= t->bos >= 0;
    t->add_eos &= t->eos >= 0;
    if (t->pre)
        t->add_prefix = false; /* as llama.cpp, whatever the file says */
    else if (squeeze || gguf_find(t->g, "tokenizer.ggml.precompiled_charsmap"))
        return err_set(EXIT_NODEVICE,
                       "a tokenizer that changes text ('tokenizer.ggml.%s') is not supported; use "
                       "the folder with tokenizer.json that the file was made from",
                       squeeze ? "remove_extra_whitespaces" : "precompiled_charsmap");
    return 0;
}

int gguf_tokens_read(struct gguf_tokens *t, const struct gguf *g)
{
    const char *model, *arch;
    size_t n;
    const int got = gguf_text(g, "tokenizer.ggml.model", &model, &n);

    *t = (struct gguf_tokens){ .g = g };
    if (got <= 0 || text_is(model, n, "none") || text_is(model, n, "no_vocab"))
        return got < 0 ? -1 : 0;
    if (text_is(model, n, "gpt2")) {
        if (find_pre(t) < 0)
            return -1;
    } else if (!text_is(model, n, "llama")) {
        return refuse("tokenizer", model, n);
    }
    if (read_lists(t) < 0 || read_ids(t) < 0 || read_flags(t) < 0)
        return -1;
    t->phi3 =
        !t->pre && gguf_text(g, "general.architecture", &arch, &n) > 0 && text_is(arch, n, "phi3");
    return 1;
}
