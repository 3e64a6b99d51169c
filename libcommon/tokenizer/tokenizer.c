#include "tokenizer_impl.h"

#include "share.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 28 }; /* bytes of a tokenizer.json; the largest known has 2^25 */

/* ---- opening ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct tokenizer *tokenizer_new(void)
{
    struct tokenizer *t = xcalloc(1, sizeof *t);

    t->eos = -1;
    t->unk = TOKEN_NONE;
    t->classes = unicode_classes();
    merges_init(&t->merges);
    matcher_init(&t->exact);
    matcher_init(&t->normalized);
    return t;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    vocab_free(&t->vocab);
    merges_free(&t->merges);
    matcher_free(&t->exact);
    matcher_free(&t->normalized);
    parts_free(&t->parts);
    free(t->added);
    free(t->classes);
    free(t->name);
    free(t);
}

/* Whether a text falls apart between a letter and a space that a letter follows: words do, unless
 * an added token reaches over that place or looks beyond it. */
static bool cuts_at_spaces(const struct tokenizer *t)
{
    for (uint32_t i = 0; i < t->n_added; i++) {
        const struct added *a = t->added + i;
        const char *content = t->vocab.arena.p + t->vocab.token[a->id].content;

        if (a->rstrip || (a->single_word && *content == ' '))
            return false;
        for (const char *c = content; (c = strchr(c + 1, ' ')) != NULL;)
            if (is_letter(c[-1]))
                return false;
    }
    return true;
}

/* Hands T, which was read from NAME, over to *OUT, or throws it away when RC says that it is not
 * whole. */
static int finish(struct tokenizer **out, struct tokenizer *t, const char *name, int rc)
{
    if (rc < 0) {
        tokenizer_close(t);
        return -1;
    }
    t->cuts_at_spaces = t->cuts_at_spaces && cuts_at_spaces(t);
    t->name = xstrdup(name);
    *out = t;
    return 0;
}

int tokenizer_open(struct tokenizer **out, const struct pack *p)
{
    const struct pack_file *json = pack_find(p, "tokenizer.json");

    if (!json && !pack_find(p, "vocab.json") && pack_find(p, "adapter_config.json"))
        return pack_no_model(p);

    struct tokenizer *t = tokenizer_new();
    int rc;

    if (json) {
        rc = tokenizer_load_json(t, (const char *)json->data, json->size);
        if (rc < 0)
            err_in("tokenizer.json");
    } else {
        rc = tokenizer_load_files(t, p);
    }
    if (rc == 0)
        rc = tokenizer_load_eos(t, p);
    return finish(out, t, pack_name(p), rc) < 0 ? err_in("%s", pack_name(p)) : 0;
}

static int open_json_file(struct tokenizer **out, const char *path)
{
    struct buf text = BUF_INIT;

    if (read_file(&text, path, FILE_MAX) < 0) {
        buf_free(&text);
        return -1;
    }
    struct tokenizer *t = tokenizer_new();
    int rc = tokenizer_load_json(t, text.p, text.n);

    if (rc == 0)
        rc = tokenizer_load_eos(t, NULL);
    buf_free(&text);
    return finish(out, t, path, rc) < 0 ? err_in("%s", path) : 0;
}

int tokenizer_open_path(struct tokenizer **out, const char *path)
{
    struct pack *p;

    if (text_ends_with(path, ".json"))
        return open_json_file(out, path);
    if (pack_open(&p, path) < 0)
        return -1;
    const int rc = tokenizer_open(out, p);

    pack_close(p);
    return rc;
}

/* ---- looking up ---- */

int64_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->vocab.n_ids;
}

void tokenizer_digest(const struct tokenizer *t, uint8_t out[SHA256_BYTES])
{
    memcpy(out, t->digest, SHA256_BYTES);
}

int64_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

const char *tokenizer_token(const struct tokenizer *t, uint32_t id, size_t *len)
{
    const struct token *k = vocab_token(&t->vocab, id);

    if (!k)
        return NULL;
    *len = k->bytes_len;
    return t->vocab.arena.p + k->bytes;
}

int64_t tokenizer_id_of(const struct tokenizer *t, const char *content, size_t len)
{
    const uint32_t id = vocab_find(&t->vocab, content, len);

    return id == TOKEN_NONE ? -1 : (int64_t)id;
}

int tokenizer_specials(const struct tokenizer *t, struct token_list *before,
                       struct token_list *after)
{
    const struct specials *s = &t->parts.specials;

    *before = (struct token_list){ s->before, s->n_before };
    *after = (struct token_list){ s->after, s->n_after };
    if (!s->refused)
        return 0;
    (void)refuse_feature("post_processor ", s->refused);
    return err_in("%s", t->name);
}

/* ---- encoding ---- */

struct tokenizer_scratch *tokenizer_scratch_new(void)
{
    struct tokenizer_scratch *s = xcalloc(1, sizeof *s);

    s->piece = PIECE;
    s->most = SIZE_MAX;
    /* cleared memory that is not touched costs nothing, and few words do not touch much of it */
    s->cache_memory = xcalloc(WORD_CACHE_SIZE + 1, sizeof *s->cache);
    s->cache = (struct cached_word *)((char *)s->cache_memory +
                                      (-(uintptr_t)s->cache_memory & (sizeof *s->cache - 1)));
    return s;
}

void tokenizer_scratch_free(struct tokenizer_scratch *s)
{
    if (!s)
        return;
    free(s->cache_memory);
    free(s->ids);
    free(s->symbol);
    free(s->heap);
    buf_free(&s->spelled);
    buf_free(s->normal);
    buf_free(s->normal + 1);
    for (int i = 0; i < PARTS_MAX; i++)
        buf_free(s->step + i);
    buf_free(&s->subject);
    pattern_scratch_free(s->matching);
    free(s->first);
    free(s);
}

void push_id(struct tokenizer_scratch *s, uint32_t id)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->ids = xnrealloc(s->ids, s->cap, sizeof *s->ids);
    }
    s->ids[s->n++] = id;
}

bool enough_ids(struct tokenizer_scratch *s)
{
    if (s->counting) {
        s->counted += s->n;
        s->n = 0;
    }
    return s->n > s->most || s->failed;
}

void encoding_failed(struct tokenizer_scratch *s)
{
    s->failed = true;
}

struct pattern_scratch *scratch_matching(struct tokenizer_scratch *s)
{
    if (!s->matching)
        s->matching = pattern_scratch_new();
    return s->matching;
}

static void encode_piece(const struct tokenizer *t, struct tokenizer_scratch *s, const uint8_t *p,
                         const uint8_t *end)
{
    if (t->parts.n_normalizers)
        p = normalize(t, s, p, &end);
    if (p < end)
        split_added(t, &t->normalized, s, p, end, encode_words);
}

static int encode(const struct tokenizer *t, struct tokenizer_scratch *s, const char *text,
                  size_t len)
{
    const size_t valid = utf8_valid(text, len);

    if (valid < len)
        return err_set(EXIT_DATA, "byte %zu is not valid UTF-8", valid);
    if (len > INT32_MAX)
        return err_set(EXIT_DATA, "a text of %zu bytes is too long; split it", len);
    if (memcmp(s->owner, t->digest,
               sizeof s->owner)) { /* cached ids of another tokenizer, or none */
        if (s->n_texts)
            memset(s->cache, 0, WORD_CACHE_SIZE * sizeof *s->cache);
        memcpy(s->owner, t->digest, sizeof s->owner);
    }
    s->n_texts++;
    s->n = 0;
    s->failed = false;
    s->text = s->origin = (const uint8_t *)text;
    s->text_end = s->readable = s->text + len;
    if (len)
        split_added(t, &t->exact, s, s->text, s->text_end, encode_piece);
    (void)enough_ids(s);
    return s->failed ? err_in("%s", t->name) : 0;
}

int tokenizer_encode(const struct tokenizer *t, struct tokenizer_scratch *s, const char *text,
                     size_t len, const uint32_t **ids, size_t *n)
{
    const int rc = encode(t, s, text, len);

    *ids = s->ids;
    *n = s->n;
    return rc;
}

int tokenizer_count(const struct tokenizer *t, struct tokenizer_scratch *s, const char *text,
                    size_t len, size_t *n)
{
    s->counting = true;
    s->counted = 0;
    const int rc = encode(t, s, text, len);

    s->counting = false;
    *n = s->counted;
    return rc;
}

void tokenizer_limit(struct tokenizer_scratch *s, size_t most)
{
    s->most = most;
}

size_t tokenizer_cut(const struct tokenizer *t, const char *text, size_t n)
{
    if (!t->cuts_at_spaces)
        return 0;
    for (size_t i = n; i-- > 2;)
        if (text[i - 1] == ' ' && is_letter(text[i - 2]) && is_letter(text[i]))
            return i - 1;
    return 0;
}
